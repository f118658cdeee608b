"""Chunked bodies, however the network cuts them."""

import http.client
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premrunner.net.chunked import LONGEST_LINE_BYTES, ChunkedDecoder

ENDINGS = (b"0\r\n\r\n", b"000;last\r\nDigest: x\r\nExpires: never\r\n\r\n")


def coded(chunks, ending):
    return b"".join(b"%X;name=value\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + ending


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.sampled_from(ENDINGS), st.data())
def test_any_cut_of_the_bytes_gives_the_same_content(chunks, ending, data):
    body = coded(chunks, ending)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    decoder = ChunkedDecoder()
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    contents = [decoder.feed(piece) for piece in pieces]
    assert b"".join(contents) == b"".join(chunks)
    assert decoder.is_done


def test_content_is_given_before_its_chunk_has_ended():
    decoder = ChunkedDecoder()
    assert decoder.feed(b"5\r\nab") == b"ab"
    assert decoder.feed(b"cde") == b"cde"
    assert not decoder.is_done


def test_a_body_without_its_last_chunk_is_not_done():
    decoder = ChunkedDecoder()
    decoder.feed(b"2\r\nab\r\n0\r\n")
    assert not decoder.is_done


@pytest.mark.parametrize("body", [b"\r\n", b"x\r\n", b"-1\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"2\r\nab3\r\nabc\r\n"])
def test_what_is_no_chunk_is_refused(body):
    with pytest.raises(http.client.HTTPException, match=re.escape("A chunk has no size")):
        ChunkedDecoder().feed(body)


def test_a_line_without_end_is_refused():
    with pytest.raises(http.client.LineTooLong):
        ChunkedDecoder().feed(b"0" * (LONGEST_LINE_BYTES + 1))
