"""The body of a request that is written to disk as it comes, by the fastest way its server allows."""

from flask import Request, current_app

from premrunner.errors import Cancelled
from premrunner.net.native_threads import NativeThreads
from premrunner.net.pipes import Sink
from premrunner.web.uploads.native_body import CUT, STALL_SECONDS, NativeBody, patience, takes_native

# gunicorn reads at most so much at once.
READ_BYTES = 1024 * 1024


class StreamBody:
    """A body as WSGI gives it: on any server, also under TLS or when its length is not known beforehand."""

    def __init__(self, request: Request, stall_seconds: float) -> None:
        request.max_content_length = None  # Uploads have limits of their own, checked before the first byte.
        self._stream = request.stream
        self._connection = request.environ.get("gunicorn.socket")
        self._stall_seconds = stall_seconds
        self.rest_bytes = self.length_bytes = request.content_length

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, fewer only at the end."""
        pieces = []
        while size_bytes and (data := self._read(size_bytes)):
            pieces.append(data)
            size_bytes -= len(data)
        return b"".join(pieces)

    def pour(self, sink: Sink, threads: NativeThreads, leave_bytes: int = 0) -> None:
        """Give the body to a sink, which is called on native threads.

        Args:
            sink: Gets the bytes in order.
            threads: Where it is called.
            leave_bytes: So many at the end are left to be read; only where the length is known.

        Raises:
            Cancelled: The body ended early.
            UploadStalled: Nothing came for a while.
        """
        while self.rest_bytes is None or self.rest_bytes > leave_bytes:
            data = self._read(READ_BYTES if self.rest_bytes is None else min(READ_BYTES, self.rest_bytes - leave_bytes))
            if data:
                threads.run(sink.write, memoryview(data))
            elif self.rest_bytes is None:
                return
            else:
                raise Cancelled(CUT)

    def _read(self, size_bytes: int) -> bytes:
        with patience(self._connection, self._stall_seconds):
            data = self._stream.read(size_bytes)
        if self.rest_bytes is not None:
            self.rest_bytes -= len(data)
        return data


def body_of(request: Request) -> NativeBody | StreamBody:
    """Return the body of a request, which nothing may have read yet."""
    stall_seconds = current_app.config.get("UPLOAD_STALL_SECONDS", STALL_SECONDS)
    if takes_native(request.environ):
        return NativeBody(request.environ, stall_seconds)
    return StreamBody(request, stall_seconds)
