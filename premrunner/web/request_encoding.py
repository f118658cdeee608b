"""Compressed request bodies: inflated in pieces, and never past the limit that plain ones have."""

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from premrunner.errors import InvalidRequest

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

# What a piece may grow to: a bomb of a kilobyte that holds gigabytes is given up after one piece past the limit.
PIECE_BYTES = 1024 * 1024
# 32 more than the window's size has zlib read the header of gzip or of zlib, whichever is there.
GZIP_OR_ZLIB = zlib.MAX_WBITS + 32


# 8 MiB, the most that RFC 9659 allows over HTTP; the library would set aside 128 MiB for whoever asks.
ZSTD_OPTIONS: Mapping[int, int] = {DecompressionParameter.window_log_max: 23}

Inflate = Callable[[bytes], Iterator[bytes]]


def decoded_body(request: Request) -> bytes:
    """Return the body of a request as it was before its ``Content-Encoding``.

    Raises:
        UnsupportedMediaType: We do not know the encoding.
        RequestEntityTooLarge: It is longer than ``MAX_CONTENT_LENGTH``, as sent or inflated.
        InvalidRequest: It is not what its encoding says.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    sent = request.get_data(cache=False)
    if encoding in ("", "identity"):
        return sent
    inflate = ENCODINGS.get(encoding)
    if inflate is None:
        raise UnsupportedMediaType(
            f"This server does not read Content-Encoding {encoding!r}; it reads {', '.join(ENCODINGS)}."
        )
    return _inflated(inflate(sent), encoding, request.max_content_length)


def _inflated(pieces: Iterator[bytes], encoding: str, most_bytes: int | None) -> bytes:
    body = bytearray()
    try:
        for piece in pieces:
            body += piece
            if most_bytes is not None and len(body) > most_bytes:
                raise RequestEntityTooLarge
    except (zlib.error, ZstdError, EOFError) as error:
        raise InvalidRequest(f"The request body is not valid {encoding}.") from error
    return bytes(body)


def _gzip(sent: bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj(GZIP_OR_ZLIB)
    yield inflater.decompress(sent, PIECE_BYTES)
    while inflater.unconsumed_tail:
        yield inflater.decompress(inflater.unconsumed_tail, PIECE_BYTES)
    yield inflater.flush(PIECE_BYTES)
    _require_end(inflater)


def _zstd(sent: bytes) -> Iterator[bytes]:
    inflater = ZstdDecompressor(options=ZSTD_OPTIONS)
    yield inflater.decompress(sent, PIECE_BYTES)
    while not inflater.eof and not inflater.needs_input:
        yield inflater.decompress(b"", PIECE_BYTES)
    _require_end(inflater)


def _require_end(inflater: Any) -> None:
    if not inflater.eof or inflater.unused_data:
        raise EOFError


ENCODINGS: dict[str, Inflate] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _gzip, "zstd": _zstd}
