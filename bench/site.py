"""The site that is measured: PremRunner itself, with a stream whose events are due at known moments."""

import os
import time
from collections.abc import Iterator

from flask import Flask, Response

from premrunner.app import create_app


def app() -> Flask:
    """Return the site; with BENCH_HASH=off it does not hash uploads."""
    site = create_app()
    if os.environ.get("BENCH_HASH") == "off":
        site.extensions["premrunner"].receiving._hashes.follow = lambda upload: None

    @site.get("/v1/bench/stream")
    def stream() -> Response:
        def events() -> Iterator[bytes]:
            begun = time.monotonic()
            for number in range(400):
                due = begun + number * 0.05
                time.sleep(max(due - time.monotonic(), 0))
                yield b"data: @%.6f\n\n" % due

        return Response(events(), mimetype="text/event-stream")

    return site
