"""Lines of JSON, however the network cuts them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premrunner.engine.ndjson import LONGEST_LINE_BYTES, NdjsonDecoder
from premrunner.errors import EngineBroken

values = st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none(), max_size=5)


def decode_lines(pieces):
    decoder = NdjsonDecoder()
    for piece in (*filter(None, pieces), b""):
        yield from decoder.feed(piece)


@given(st.lists(values, max_size=8), st.data())
def test_any_cut_of_the_bytes_gives_the_same_objects(objects, data):
    body = b"".join(json.dumps(value).encode() + b"\n" for value in objects)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=10)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert list(decode_lines(pieces)) == objects


def test_a_last_line_without_newline_counts():
    assert list(decode_lines([b'{"a":1}\n{"b":', b"2}"])) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1]\n", b'"text"\n', b'{"a":}\n'])
def test_a_line_that_is_no_object_is_refused(line):
    with pytest.raises(EngineBroken):
        list(decode_lines([line]))


def test_what_stands_before_a_broken_line_is_given():
    objects = decode_lines([b'{"a":1}\nnonsense\n'])
    assert next(objects) == {"a": 1}
    with pytest.raises(EngineBroken):
        next(objects)


def test_a_line_without_end_is_refused():
    pieces = [b"x" * 2**20] * (LONGEST_LINE_BYTES // 2**20 + 1)
    with pytest.raises(EngineBroken, match="without end"):
        list(decode_lines(pieces))
