"""Models that the engine fetches from a registry by their name; only Ollama can."""

import re
from collections.abc import Collection, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

from premrunner.domain.catalog import Catalog
from premrunner.engine.client import EngineClient
from premrunner.engine.link import EngineLink
from premrunner.errors import InvalidRequest
from premrunner.net.http import Cancellation
from premrunner.net.remote import leads_inside
from premrunner.records import Json

# A registry's host and port, folders, a name and a tag, as in hf.co/owner/model:Q4_K_M.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(:\d+)?(/[\w.-]+){0,4}(:[\w.-]+)?")
LONGEST_NAME = 350


@dataclass(frozen=True)
class PullStep:
    """How far a pull is.

    Attributes:
        message: The engine's own words.
        done_bytes: Of all layers that it has spoken of.
    """

    message: str
    done_bytes: int
    total_bytes: int

    @property
    def percent(self) -> int:
        """Of the bytes that are known; 0 before any are."""
        return self.done_bytes * 100 // self.total_bytes if self.total_bytes else 0


class Pulling:
    """Has the engine fetch models.

    Args:
        engine: The engine.
        catalog: Forgets its list when a model has come.
        link: Tells which engine it is.
        registries: Hosts that may be named although only this machine or its network can reach them.
    """

    def __init__(
        self, engine: EngineClient, catalog: Catalog, link: EngineLink, registries: Collection[str] = ()
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._link = link
        self._registries = registries

    def is_offered(self) -> bool:
        """Tell whether the engine that runs has a registry."""
        state = self._link.state()
        return state.is_running and state.engine == "ollama"

    def pull(self, name: str, cancellation: Cancellation | None = None) -> Generator[PullStep, None, None]:
        """Have a model fetched, and yield how far that is; what has come is kept for another try.

        Raises:
            InvalidRequest: No registry has such names, this engine has none, or the registry is not public.
            EngineError: The engine could not fetch it; says why.
            Cancelled: The switch was used.
        """
        if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
            raise InvalidRequest(
                f"'{name[:80]}' is no model's name; one is like 'gemma3:270m' or 'hf.co/owner/model'.", param="model"
            )
        if not self.is_offered():
            raise InvalidRequest("The built-in engine has no registry to pull from. Upload the model.", param="model")
        host = _registry_host(name)
        if host and not {"*", host} & set(self._registries) and leads_inside(host):
            raise InvalidRequest(
                f"The registry '{host}' has no public address. Whoever runs PremRunner may name it in PULL_REGISTRIES.",
                param="model",
            )
        yield from pull_steps(self._engine, name, cancellation)
        self._catalog.forget()


def _registry_host(name: str) -> str:
    """Return the host in ``host:port/owner/model``, or nothing for a name of the engine's own registry."""
    first, *rest = name.split("/")
    return first.partition(":")[0].lower() if len(rest) > 1 or (rest and ":" in first) else ""


def pull_steps(
    engine: EngineClient, name: str, cancellation: Cancellation | None = None
) -> Generator[PullStep, None, None]:
    """Have an engine fetch a model, and yield how far that is.

    Raises:
        EngineError: It could not; says why.
    """
    layers: dict[str, tuple[int, int]] = {}
    with closing(engine.pull(name, cancellation)) as lines:
        for line in lines:
            yield _step(line, layers)


def _step(line: Mapping[str, Json], layers: dict[str, tuple[int, int]]) -> PullStep:
    if digest := line.get("digest"):
        layers[str(digest)] = (int(line.get("completed") or 0), int(line.get("total") or 0))
    done, total = (sum(counts) for counts in zip(*layers.values(), strict=True)) if layers else (0, 0)
    return PullStep(str(line.get("status") or ""), done, total)
