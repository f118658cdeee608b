"""Whether the engine is there, and if not, why."""

from collections.abc import Sequence
from dataclasses import dataclass

from premrunner.domain.catalog import Catalog
from premrunner.engine.link import EngineLink
from premrunner.engine.state import EngineStatus
from premrunner.errors import EngineError
from premrunner.records import LoadedModel

# The original knows three answers; ours keep them and say more beside.
ORIGINAL_STATUS = {EngineStatus.RUNNING: "running", EngineStatus.NOT_INSTALLED: "not_installed"}


@dataclass(frozen=True)
class EngineReport:
    """The engine at this moment.

    Attributes:
        status: The original's word: ``running``, ``stopped`` or ``not_installed``.
        state: The exact one: also ``starting``, ``wrong_program``, ``failed``.
        engine: ``ollama`` or ``builtin``.
        version: Its version.
        address: Where it answers, as a URL.
        loaded: Models in its memory.
        why: Why it is not ready; empty when it is.
        is_ours: Whether PremRunner started it, and so may restart it.
    """

    status: str
    state: str
    engine: str | None
    version: str | None
    address: str | None
    loaded: Sequence[LoadedModel]
    why: str
    is_ours: bool = False


class EngineHealth:
    """Asks after the engine."""

    def __init__(self, link: EngineLink, catalog: Catalog) -> None:
        self._link = link
        self._catalog = catalog

    def require_ready(self) -> None:
        """Return if the engine runs.

        Raises:
            EngineNotReady: It does not; it is being started.
        """
        self._link.pool()

    def restart(self) -> None:
        """Have the engine ended and started again; calls that it answers are cut off.

        Raises:
            EngineNotOurs: PremRunner did not start it.
        """
        self._link.restart()

    def state(self) -> str:
        """Return the engine's condition as its owner last published it, without asking the engine."""
        return self._link.state().state.value

    def report(self) -> EngineReport:
        """Return what there is to know; never fails."""
        state = self._link.state()
        loaded: Sequence[LoadedModel] = ()
        why = state.why
        if state.is_running:
            try:
                loaded = self._catalog.loaded()
            except EngineError as error:
                why = error.message
        return EngineReport(
            status=ORIGINAL_STATUS.get(state.state, "stopped"),
            state=state.state.value,
            engine=state.engine,
            version=state.version,
            address=state.address.url if state.address else None,
            loaded=loaded,
            why=why,
            is_ours=state.pid is not None,
        )
