"""Answer 503 while the engine is not ready, and get it started."""

from premrunner.web.services import services


def require_engine() -> None:
    """Let a request through if the engine runs; for ``before_request`` of the blueprints that need it.

    Raises:
        EngineNotReady: It does not run yet.
    """
    services().engine.require_ready()
