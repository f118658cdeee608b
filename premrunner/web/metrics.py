"""``GET /metrics`` for Prometheus: what was counted, and what is looked up when it asks."""

from collections.abc import Iterator

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from premrunner.errors import StorageFailed
from premrunner.web.services import Services, services

bp = Blueprint("metrics", __name__)

# Each engine state is a line, as Prometheus wants it; one of them is 1.
ENGINE_STATES = ("running", "starting", "stopped", "not_installed", "wrong_program", "failed")
IMPORT_STATES = ("queued", "importing", "ready", "failed", "cancelled")
# What nobody serves is one route, however many addresses are tried.
NO_ROUTE = "none"


@bp.get("/metrics")
def show() -> Response:
    """Show counters and conditions in Prometheus's text format."""
    return Response(services().metrics.text(Conditions(services())), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Conditions:
    """What is looked up: imports, uploads, disk and engine.

    Args:
        found: Where.
    """

    def __init__(self, found: Services) -> None:
        self._services = found

    def collect(self) -> Iterator[Metric]:
        """Yield each condition; those that the database or the disk do not tell are left out."""
        yield self._engine()
        for look in (self._imports, self._uploads, self._disk):
            try:
                yield from look()
            except StorageFailed:
                yield GaugeMetricFamily("premrunner_storage_failed", "1 when storage could not be asked.", value=1)
                return

    def _engine(self) -> Metric:
        state = self._services.engine.state()
        family = GaugeMetricFamily(
            "premrunner_engine_state", "The engine's state: 1 for the one it is in.", labels=["state"]
        )
        for name in dict.fromkeys((*ENGINE_STATES, state)):
            family.add_metric([name], float(name == state))
        return family

    def _imports(self) -> Iterator[Metric]:
        counts = self._services.imports.count_by_state()
        family = GaugeMetricFamily("premrunner_imports", "Imports by their state.", labels=["state"])
        for name in dict.fromkeys((*IMPORT_STATES, *counts)):
            family.add_metric([name], counts.get(name, 0))
        yield family

    def _uploads(self) -> Iterator[Metric]:
        uploads = self._services.uploads.all()
        open_ones = [status for status in uploads if status.expires_at]
        yield GaugeMetricFamily("premrunner_uploads_open", "Uploads that are not complete.", value=len(open_ones))
        received = sum(status.received_bytes for status in open_ones)
        yield GaugeMetricFamily("premrunner_uploads_received_bytes", "Bytes of them that have come.", value=received)

    def _disk(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "premrunner_disk_free_bytes", "Space left where the data are.", value=self._services.uploads.free_bytes()
        )


def register_metrics(app: Flask) -> None:
    """Count every answer, and show the counts."""
    app.register_blueprint(bp)

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else NO_ROUTE
        metrics = current_app.extensions["premrunner"].metrics
        metrics.request_answered(request.method if request.url_rule else NO_ROUTE, route, response.status_code)
        return response
