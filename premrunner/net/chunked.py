"""Take HTTP's chunked transfer coding off a body (RFC 9112, section 7.1), however the network cut it.

``http.client`` does it with ten calls and two reads an event; a proxy of many slow streams spends a tenth of its time
there.
"""

import http.client
import re

# A size with extensions; whoever sends more without an end of line does not speak HTTP.
LONGEST_LINE_BYTES = 16 * 1024
SIZE = re.compile(rb"[0-9a-fA-F]{1,15}(?=[ \t]*(;|$))")


class ChunkedDecoder:
    """Takes bytes as they come and gives the content that is in them.

    Attributes:
        is_done: Whether the end has come; what follows it does not belong to this body.
    """

    def __init__(self) -> None:
        self.is_done = False
        self._rest = b""  # The beginning of a line whose end has not come.
        self._left_bytes = 0  # Of the chunk at hand.
        self._line_end = b""  # What must stand before the next size: the end of the chunk before.
        self._is_in_trailer = False

    def feed(self, data: bytes) -> bytes:
        """Return what ``data`` adds to the content; it may be nothing.

        Raises:
            http.client.HTTPException: This is no chunked body.
        """
        data, contents, place = self._rest + data, [], 0
        while True:
            if self._left_bytes:
                content = data[place : place + self._left_bytes]
                contents.append(content)
                place += len(content)
                self._left_bytes -= len(content)
            end = data.find(b"\r\n", place + len(self._line_end))
            if self._left_bytes or self.is_done or end < 0:
                break
            self._read_line(data[place:end])
            place = end + 2
        self._rest = data[place:]
        if len(self._rest) > LONGEST_LINE_BYTES:
            raise http.client.LineTooLong("chunk size")
        return b"".join(contents)

    def _read_line(self, line: bytes) -> None:
        if self._is_in_trailer:
            self.is_done = not line
            return
        size = SIZE.match(line, len(self._line_end))
        if size is None or not line.startswith(self._line_end):
            raise http.client.HTTPException(f"A chunk has no size: {line[:20]!r}")
        self._left_bytes = int(size[0], 16)
        self._line_end = b"\r\n"
        if not self._left_bytes:
            self._is_in_trailer, self._line_end = True, b""
