"""Answer 503 while the engine is not ready, and get it started."""

from flask import request

from premrunner.web.services import services


def require_engine() -> None:
    """Let a request through if the engine runs; for ``before_request`` of the blueprints that need it.

    Raises:
        EngineNotReady: It does not run yet.
    """
    if request.method != "OPTIONS":  # That one asks what a route takes, and no model.
        services().engine.require_ready()
