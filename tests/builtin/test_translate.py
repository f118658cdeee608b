"""llama.cpp's events (recorded from b11434) as Ollama's lines."""

import pytest

from premrunner.builtin.refusals import Refusal
from premrunner.builtin.sse import events
from premrunner.builtin.translate import Delta, chat_deltas, chat_line, completion_deltas, generate_line, whole

TIMINGS = {"cache_n": 12, "prompt_n": 4, "prompt_ms": 20.5, "predicted_n": 8, "predicted_ms": 100.25}


def chunk(finish_reason=None, **delta):
    end = {"timings": TIMINGS} if finish_reason else {}
    return {"choices": [{"finish_reason": finish_reason, "index": 0, "delta": delta}], **end}


def test_a_chat_is_its_pieces_and_their_end():
    spoken = [chunk(role="assistant", content=None), chunk(content="Par"), chunk(content="is"), chunk("stop")]
    first, second, last = chat_deltas(spoken, 0)
    assert (first.content, second.content) == ("Par", "is")
    assert last.done_reason == "stop"
    assert last.counts == {
        "prompt_eval_count": 16,
        "prompt_eval_duration": 20_500_000,
        "eval_count": 8,
        "eval_duration": 100_250_000,
    }


def test_thinking_is_kept_apart_from_what_is_said():
    answer = whole(chat_deltas([chunk(reasoning_content="hm"), chunk(content="yes"), chunk("length")], 0))
    assert (answer.thinking, answer.content, answer.done_reason) == ("hm", "yes", "length")
    assert chat_line("m", answer)["message"] == {"role": "assistant", "content": "yes", "thinking": "hm"}


def test_tool_calls_are_put_together_and_come_with_the_end():
    pieces = [
        chunk(
            tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]
        ),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"city":'}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '"Rome"}'}}]),
        chunk(tool_calls=[{"index": 1, "id": "call_2", "function": {"name": "g", "arguments": "{}"}}]),
        chunk("tool_calls"),
    ]
    (last,) = chat_deltas(pieces, 0)
    assert last.done_reason == "stop"
    assert last.tool_calls == [
        {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"city": "Rome"}}},
        {"id": "call_2", "function": {"index": 1, "name": "g", "arguments": {}}},
    ]


def test_arguments_that_are_no_json_are_an_error_that_names_the_tool():
    fragment = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"city":'}}
    with pytest.raises(Refusal, match='invalid tool call arguments for "f"'):
        list(chat_deltas([chunk(tool_calls=[fragment]), chunk("tool_calls")], 0))


def test_a_tool_call_that_the_token_limit_cut_is_left_out():
    fragment = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"city":'}}
    (last,) = chat_deltas([chunk(tool_calls=[fragment]), chunk("length")], 0)
    assert (last.tool_calls, last.done_reason) == ([], "length")


def test_logprobs_take_ollamas_shape():
    token = {"id": 1, "token": "a", "bytes": [97], "logprob": -0.5}
    content = [{**token, "top_logprobs": [token, {"id": 2, "token": "b", "bytes": [98], "logprob": -2.0}]}]
    event = {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": content}, "finish_reason": None}]}
    entry = {"token": "a", "logprob": -0.5, "bytes": [97]}
    assert next(chat_deltas([event], 0)).logprobs == [entry]
    assert next(chat_deltas([event], 1)).logprobs == [{**entry, "top_logprobs": [entry]}]


def test_an_answer_without_its_end_is_a_crash():
    with pytest.raises(Refusal, match="unexpected EOF"):
        list(chat_deltas([chunk(content="Par")], 0))
    with pytest.raises(Refusal, match="unexpected EOF"):
        list(completion_deltas([{"content": "Par", "stop": False}], 0))


def test_a_completion_ends_by_its_stop_type():
    spoken = [{"content": "a", "stop": False}, {"content": "", "stop": True, "stop_type": "limit", "timings": TIMINGS}]
    answer = whole(completion_deltas(spoken, 0))
    assert (answer.content, answer.done_reason, answer.counts["eval_count"]) == ("a", "length", 8)


def test_zero_counts_are_left_out_as_in_ollama():
    line = generate_line("m", Delta(done_reason="load", counts={"eval_count": 0, "load_duration": 5}))
    assert line.keys() == {"model", "created_at", "response", "done", "done_reason", "load_duration"}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_found_however_the_bytes_are_cut(size):
    body = 'data: {"a":"é🙂"}\n\n: ping\n\nevent: x\ndata: {"a":2}\n\nerror: {"code":500}\n\ndata: [DONE]\n\n'.encode()
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert list(events(chunks)) == [{"a": "é🙂"}, {"a": 2}, {"error": {"code": 500}}]
