"""What the routes work with, built once a process."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from premrunner.builtin.durations import parse_keep_alive
from premrunner.builtin.library import Library
from premrunner.builtin.manifests import Manifest
from premrunner.builtin.names import ModelName
from premrunner.builtin.planning import Planner
from premrunner.builtin.runners import Runners
from premrunner.net.departure import DepartureWatch

_KEY = "premrunner.builtin"


@dataclass(frozen=True)
class Services:
    """Everything behind the routes."""

    library: Library
    planner: Planner
    runners: Runners
    departures: DepartureWatch
    keep_alive_seconds: float

    def find(self, model: str) -> Manifest | None:
        """Return a model by the name a caller gave; None if there is none.

        Raises:
            Refusal: ``invalid model name``.
        """
        return self.library.manifests.find(ModelName.parse(model))

    def keep_alive(self, wanted: object) -> float:
        """Return the seconds that a request's ``keep_alive`` means."""
        return parse_keep_alive(wanted, self.keep_alive_seconds)


def services() -> Services:
    """Return the current application's services."""
    return cast(Services, current_app.extensions[_KEY])


def register(extensions: dict[str, object], built: Services) -> None:
    """Put services where `services` finds them."""
    extensions[_KEY] = built
