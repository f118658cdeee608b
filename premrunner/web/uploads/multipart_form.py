"""A form with one large file: its bytes go straight through, its small fields are kept, in whatever order they come.

The standard parser looks for the boundary in every byte and writes the file twice. Here only the first and the last
64 KiB are looked at: the fields that clients send are smaller, so the file begins in the first and ends in the last.
"""

from collections.abc import Mapping

from flask import Request
from werkzeug.http import parse_options_header

from premrunner.errors import InvalidRequest
from premrunner.net.native_threads import NativeThreads
from premrunner.net.pipes import Sink
from premrunner.web.uploads.native_body import NativeBody
from premrunner.web.uploads.request_body import StreamBody

HEAD_BYTES = TAIL_BYTES = 64 * 1024
BROKEN = "The form is not one that a browser sends: multipart/form-data with a file and short fields."


class MultipartForm:
    """A form whose file has not been read yet.

    Args:
        body: The request's body.
        boundary: What stands between its parts.

    Attributes:
        fields: Text fields that have come so far, by name.
        file_field: Name of the field that is the file.
        delimiter: What stands before each part and behind the last.
        file_name: The file's name, as the client gave it.
        length_bytes: None: the file's size shows at its end.
        most_bytes: The file has fewer bytes than this; None when the client does not say.

    Raises:
        InvalidRequest: No file begins where one should.
    """

    def __init__(self, body: NativeBody | StreamBody, boundary: bytes) -> None:
        self._body = body
        self.delimiter = b"\r\n--" + boundary
        self.fields: dict[str, str] = {}
        self.file_field = self.file_name = ""
        self._head = self._read_head(body.read(HEAD_BYTES))
        self.length_bytes: int | None = None
        self.most_bytes = body.length_bytes

    def pour(self, sink: Sink, threads: NativeThreads) -> None:
        """Give the file's bytes to a sink, and read the fields behind it.

        Raises:
            InvalidRequest: The form does not end as it should; the sink may have got bytes that are not the file's.
            Cancelled: The body ended early.
        """
        if self._body.rest_bytes is None:
            raise InvalidRequest("A form must come with a Content-Length, so that its end can be found.")
        tail = self._head
        if self._body.rest_bytes > TAIL_BYTES:
            threads.run(sink.write, memoryview(self._head))
            self._body.pour(sink, threads, leave_bytes=TAIL_BYTES)
            tail = b""
        tail += self._body.read(TAIL_BYTES)
        end = tail.find(self.delimiter)
        if end < 0:
            raise InvalidRequest(BROKEN)
        if end:
            threads.run(sink.write, memoryview(tail[:end]))
        self._read_fields(tail[end:])

    def _read_head(self, head: bytes) -> bytes:
        """Read the fields before the file and return the first of the file's bytes."""
        rest = b"\r\n" + head
        while True:
            headers, content = self._next_part(rest)
            if "filename" in headers:
                self.file_field, self.file_name = headers["name"], headers["filename"]
                return content
            rest = self._keep_field(headers, content)

    def _read_fields(self, rest: bytes) -> None:
        """Read the fields behind the file."""
        while not rest.startswith(self.delimiter + b"--"):
            headers, content = self._next_part(rest)
            rest = self._keep_field(headers, content)

    def _keep_field(self, headers: Mapping[str, str], content: bytes) -> bytes:
        """Keep a field's text and return what follows it, from the delimiter on."""
        end = content.find(self.delimiter)
        if end < 0:
            raise InvalidRequest(BROKEN)
        self.fields[headers["name"]] = content[:end].decode("utf-8", "replace")
        return content[end:]

    def _next_part(self, rest: bytes) -> tuple[Mapping[str, str], bytes]:
        """Split a part that a delimiter begins into the options of its disposition and its content."""
        start = rest.find(self.delimiter + b"\r\n")
        if start < 0:
            raise InvalidRequest(BROKEN)
        start += len(self.delimiter) + 2
        end = rest.find(b"\r\n\r\n", start - 2)
        if end < 0:
            raise InvalidRequest(BROKEN)
        for line in rest[start:end].decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                options = parse_options_header(value.strip())[1]
                if "name" in options:
                    return options, rest[end + 4 :]
        raise InvalidRequest(BROKEN)


class BoundaryWatch:
    """Lets a file's bytes through to a sink as long as no part ends in them.

    Args:
        sink: Where they go.
        delimiter: What would end the part.
    """

    write_from = None

    def __init__(self, sink: Sink, delimiter: bytes) -> None:
        self._sink = sink
        self._delimiter = delimiter
        self._seam = b""

    def write(self, data: memoryview) -> None:
        """Take bytes.

        Raises:
            InvalidRequest: The part ended in them.
        """
        seen = self._seam + data
        if self._delimiter in seen:
            raise InvalidRequest(f"The fields behind the file have more than {TAIL_BYTES} bytes; put them before it.")
        self._seam = seen[1 - len(self._delimiter) :]
        self._sink.write(data)


def boundary_of(request: Request) -> bytes:
    """Return what stands between the parts of a form.

    Raises:
        InvalidRequest: The request is no form.
    """
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise InvalidRequest(BROKEN)
    return options["boundary"].encode()
