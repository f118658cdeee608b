"""A server of models as BASE_MODEL_URL names one: with ranges, and with a connection that breaks."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class BaseHub:
    """Serves folders under their hub ids on a port of its own.

    Args:
        models: Folder of each id.
        breaks_after: The first answer that is longer ends after so many bytes, without a word.
        stalls_after: The first answer that is longer goes silent after so many bytes.
        redirects: Where a path leads instead of having content.
    """

    def __init__(
        self,
        models: Mapping[str, Path],
        *,
        breaks_after: int = 0,
        stalls_after: int = 0,
        redirects: Mapping[str, str] | None = None,
    ) -> None:
        self._stalls_after = stalls_after
        self._ending = threading.Event()
        self.paths: list[str] = []
        self.ranges: list[str] = []
        self._models = models
        self._breaks_after = breaks_after
        self._redirects = redirects or {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def template(self) -> str:
        return self.url + "/{id}/resolve/main/{file}"

    def __enter__(self) -> "BaseHub":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.paths.append(self.path)
                if location := hub._redirects.get(self.path):
                    self.send_response(302)
                    self.send_header("Location", location)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                hub._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        model_id, _, name = handler.path[1:].partition("/resolve/main/")
        path = self._models.get(model_id, Path("/nowhere")) / name
        if not path.is_file():
            handler.send_error(404)
            return
        content = path.read_bytes()
        start = 0
        if wanted := handler.headers.get("Range"):
            self.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if wanted else 200)
        if wanted:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        end = len(content)
        if self._breaks_after and end > self._breaks_after:
            end, self._breaks_after = self._breaks_after, 0
        if self._stalls_after and end > self._stalls_after:
            handler.wfile.write(content[start : self._stalls_after])
            self._stalls_after = 0
            self._ending.wait()
            return
        handler.wfile.write(content[start:end])
        handler.close_connection = True
