"""What is counted while calls run, for Prometheus.

Under gunicorn each web process counts in files of its own, which any of them adds up (``PROMETHEUS_MULTIPROC_DIR``, set
by ``deploy/gunicorn.conf.py``); a count is a write to mapped memory. Nothing is counted per token.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from premrunner.records import TraceFinished

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# From a warm small model next door to one that has to be loaded from a slow disk.
TTFT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "premrunner_requests", "Requests answered.", ("method", "route", "status"), registry=own
        )
        self._calls = Counter("premrunner_calls", "Calls of models that ended.", ("status",), registry=own)
        self._tokens = Counter("premrunner_tokens", "Tokens read and written by models.", ("kind",), registry=own)
        self._ttft = Histogram(
            "premrunner_time_to_first_token_seconds",
            "From a request's arrival to its first token.",
            buckets=TTFT_SECONDS,
            registry=own,
        )
        self._open = Gauge(
            "premrunner_calls_open", "Calls of models under way.", registry=own, multiprocess_mode="livesum"
        )
        self._waiting = Gauge(
            "premrunner_calls_waiting",
            "Calls that wait for a place.",
            registry=own,
            multiprocess_mode="livesum",
        )

    def request_answered(self, method: str, route: str, status: int) -> None:
        """Count a request; its route is a pattern, so that there are only so many."""
        self._requests.labels(method, route, status).inc()

    def call_began(self) -> None:
        """Count a call that is under way."""
        self._open.inc()

    def call_ended(self, trace: TraceFinished) -> None:
        """Count a call that is over, with its tokens."""
        self._open.dec()
        self._calls.labels(trace.status).inc()
        self._tokens.labels("prompt").inc(trace.usage.prompt_tokens)
        self._tokens.labels("completion").inc(trace.usage.completion_tokens)
        if trace.ttft_ms is not None:
            self._ttft.observe(trace.ttft_ms / 1000)

    def wait_began(self) -> None:
        """Count a call that waits for a place."""
        self._waiting.inc()

    def wait_ended(self) -> None:
        """Count it no more."""
        self._waiting.dec()

    def text(self, now: Collector) -> bytes:
        """Return everything in Prometheus's text format, of all web processes together.

        Args:
            now: What is looked up at this moment.
        """
        registry = self._registry
        if FOLDER_VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        looked_up = CollectorRegistry()
        looked_up.register(now)
        return generate_latest(registry) + generate_latest(looked_up)
