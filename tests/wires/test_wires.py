"""What an engine says, on each wire: texts, thoughts, calls, and faults before and inside a stream."""

import json

import pytest
from flask import abort

from .scripted_engine import END

USER = [{"role": "user", "content": "Hi"}]
CALL = {"function": {"name": "weather", "arguments": {"city": "Paris"}}}
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}
WIRES = {
    "/v1/chat/completions": {"messages": USER},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": USER, "max_tokens": 5},
}


def post(api, path, **fields):
    return api.post(path, json={"model": "m", **WIRES.get(path, {}), **fields})


def events(answer) -> list[tuple[str, dict]]:
    """Return name and data of each event."""
    found = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        if lines["data"] != "[DONE]":
            found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def trace_of(api, answer) -> dict:
    return api.get(f"/v1/traces/{answer.headers['x-request-id']}").json


@pytest.mark.parametrize("path", WIRES)
def test_every_wire_is_traced_alike(api, engine, path):
    engine.says({"content": "Hello"}, {"content": " you"})
    answer = post(api, path, temperature=0.5)
    trace = trace_of(api, answer)
    assert (trace["status"], trace["output"], trace["endpoint"]) == ("ok", "Hello you", path)
    assert (trace["promptTokens"], trace["completionTokens"]) == (3, 2)
    assert trace["parameters"]["temperature"] == 0.5
    assert engine.asked[0][1]["options"]["temperature"] == 0.5


@pytest.mark.parametrize("path", WIRES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_before_the_first_word_has_a_status(api, engine, path, stream):
    engine.lines, engine.status = [{"error": "model 'm' not found"}], 404
    answer = post(api, path, stream=stream)
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "model_not_found"
    assert trace_of(api, answer)["status"] == "error"


@pytest.mark.parametrize("path", WIRES)
def test_a_fault_inside_a_stream_is_its_last_event(api, engine, path):
    engine.lines = [{"message": {"content": "He"}, "done": False}, {"error": "the runner died"}]
    answer = post(api, path, stream=True)
    assert answer.status_code == 200
    name, last = events(answer)[-1]
    assert last["error"]["message"] == "the runner died"
    assert last["error"]["code"] == "engine_error"
    assert name == last.get("type", "")
    assert "[DONE]" not in answer.text
    trace = trace_of(api, answer)
    assert (trace["status"], trace["output"], trace["error"]) == ("error", "He", "the runner died")


@pytest.mark.parametrize("path", WIRES)
def test_a_whole_answer_that_breaks_off_is_no_answer(api, engine, path):
    engine.lines = [{"message": {"content": "He"}, "done": False}]
    answer = post(api, path)
    assert answer.status_code == 502
    assert answer.json["error"]["code"] == "engine_broken"
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", WIRES)
def test_a_busy_engine_says_when_to_come_back(api, engine, path):
    engine.lines, engine.status = [{"error": "server busy, please try again. maximum pending requests exceeded"}], 503
    answer = post(api, path)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "overloaded")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("status", [405, 413, 415, 422])
def test_what_http_itself_refuses_has_the_same_shape(app, api, status):
    app.add_url_rule("/v1/refused", view_func=lambda: abort(status), endpoint="v1_refused")
    answer = api.get("/v1/refused")
    assert answer.status_code == status
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"]


def test_responses_show_thoughts_text_and_calls_as_items(api, engine):
    said = ({"thinking": "Hm"}, {"content": "Sure"}, {"tool_calls": [CALL]})
    engine.says(*said)
    wish = {"tools": [{"type": "function", "name": "weather", "parameters": TOOL}], "input": USER}
    whole = post(api, "/v1/responses", **wish).json
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message", "function_call"]
    assert json.loads(whole["output"][2]["arguments"]) == {"city": "Paris"}
    assert engine.asked[0][1]["tools"][0]["function"]["name"] == "weather"
    engine.says(*said)
    streamed = events(post(api, "/v1/responses", **wish, stream=True))
    assert all(name == event["type"] for name, event in streamed)
    done = [event["item"] for name, event in streamed if name == "response.output_item.done"]
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call"]
    assert streamed[-1][1]["response"]["output"] == done
    assert [event["output_index"] for name, event in streamed if name == "response.output_item.added"] == [0, 1, 2]


def test_responses_take_a_conversation_with_calls(api, engine):
    engine.says({"content": "Sunny"})
    post(
        api,
        "/v1/responses",
        instructions="Be brief",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "One moment."}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        ],
    )
    assert engine.asked[0][1]["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "One moment.",
            "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "c1", "tool_name": "weather"},
    ]


def test_messages_show_thoughts_text_and_calls_as_blocks(api, engine):
    said = ({"thinking": "Hm"}, {"content": "Su"}, {"content": "re"}, {"tool_calls": [CALL, CALL]})
    engine.says(*said)
    wish = {"tools": [{"name": "weather", "input_schema": TOOL}], "tool_choice": {"type": "any"}}
    whole = post(api, "/v1/messages", **wish).json
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert whole["content"][2]["input"] == {"city": "Paris"}
    assert whole["stop_reason"] == "tool_use"
    engine.says(*said)
    streamed = events(post(api, "/v1/messages", **wish, stream=True))
    assert [name for name, _ in streamed] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_stop") * 2,
        *("message_delta", "message_stop"),
    ]
    assert [event["index"] for name, event in streamed if name == "content_block_stop"] == [0, 1, 2, 3]
    assert streamed[-2][1]["usage"] == {"input_tokens": 3, "output_tokens": 2}


def test_messages_take_results_of_tools_images_and_thoughts(api, engine):
    engine.says({"content": "ok"})
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    post(
        api,
        "/v1/messages",
        system=[{"type": "text", "text": "Be brief"}],
        messages=[
            {"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm", "signature": ""},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Paris"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
    )
    assert engine.asked[0][1]["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "What?", "images": ["iVBORw0KGgo="]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm",
            "tool_calls": [{"id": "t1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "t1", "tool_name": "weather"},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/responses", {"input": []}, "input"),
        ("/v1/responses", {"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        (
            "/v1/responses",
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            "input[0].content[0].type",
        ),
        ("/v1/responses", {"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ("/v1/responses", {"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ("/v1/responses", {"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ("/v1/responses", {"conversation": "c"}, "conversation"),
        ("/v1/responses", {"background": True}, "background"),
        ("/v1/messages", {"max_tokens": None}, "max_tokens"),
        ("/v1/messages", {"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
        (
            "/v1/messages",
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "messages[0].content[0].type",
        ),
        ("/v1/messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ("/v1/messages", {"tool_choice": {"type": "must"}}, "tool_choice.type"),
        ("/v1/messages", {"system": [{"text": 5}]}, "system[0].text"),
        ("/v1/completions", {"prompt": ["a", "b"]}, "prompt"),
        ("/v1/completions", {"prompt": [1, 2]}, "prompt"),
        ("/v1/completions", {"prompt": ""}, "prompt"),
        ("/v1/completions", {"prompt": "a", "best_of": 2}, "best_of"),
        ("/v1/embeddings", {"input": [[1, 2]]}, "input"),
        ("/v1/embeddings", {"input": [1, 2]}, "input"),
        ("/v1/embeddings", {"input": []}, "input"),
        ("/v1/embeddings", {"input": ["a", ""]}, "input"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ("/v1/embeddings", {"input": "a", "dimensions": 0}, "dimensions"),
        ("/api/v1/models/up", {"model": ""}, "model"),
    ],
)
def test_a_wrong_field_is_named(api, engine, path, fields, param):
    answer = post(api, path, **fields)
    assert answer.status_code == 400
    assert answer.json["error"]["param"] == param
    assert engine.asked == []


def test_a_gap_goes_through_the_models_template_and_a_text_does_not(api, engine):
    engine.lines = [{"response": "x", "done": False}, {"response": "", **END}]
    for suffix in ({}, {"suffix": "after"}):
        answer = post(api, "/v1/completions", prompt="before", **suffix)
        assert answer.json["choices"][0] == {"index": 0, "text": "x", "logprobs": None, "finish_reason": "stop"}
    [(_, text), (_, gap)] = engine.asked
    assert text["raw"] is True
    assert "suffix" not in text
    assert gap["suffix"] == "after"
    assert "raw" not in gap


def test_what_a_model_cannot_do_is_the_callers_to_change(api, engine):
    engine.status = 400
    for said, path, fields, param in (
        ("registry.ollama.ai/library/m does not support insert", "/v1/completions", {"prompt": "a"}, "suffix"),
        (
            "This server does not support embeddings. Start it with `--embeddings`",
            "/v1/embeddings",
            {"input": "a"},
            "model",
        ),
    ):
        engine.lines = [{"error": said}]
        answer = post(api, path, **fields)
        assert (answer.status_code, answer.json["error"]["param"]) == (400, param)


def test_vectors_are_traced_with_their_tokens(api, engine):
    engine.lines = [{"embeddings": [[0.6, 0.8]], "prompt_eval_count": 4}]
    answer = post(api, "/v1/embeddings", input="Hi", dimensions=2)
    assert answer.json["data"] == [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
    assert answer.json["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    trace = trace_of(api, answer)
    assert (trace["status"], trace["promptTokens"], json.loads(trace["input"])) == ("ok", 4, "Hi")
    assert engine.asked == [("/api/embed", {"model": "m:latest", "input": ["Hi"], "dimensions": 2})]


def test_an_error_on_anthropics_wire_has_both_shapes(api, engine):
    answer = api.post("/v1/messages", json={"model": "gone", "messages": USER, "max_tokens": 1})
    assert answer.status_code == 404
    assert answer.json["type"] == "error"
    assert answer.json["error"]["type"] == "not_found_error"
    assert answer.json["error"]["code"] == "model_not_found"
    assert answer.json["request_id"] == answer.headers["x-request-id"]


def test_an_old_client_of_prem_gets_what_its_parsers_need(api, engine):
    engine.says({"content": "Hel"}, {"tool_calls": [CALL]})
    body = {"project_id": 1, "messages": USER, "system_prompt": "Be brief"}
    answer = api.post("/v1/chat/completions", json=body).json
    assert answer["choices"][0]["message"]["content"] == "Hel"
    assert answer["trace_id"] == answer["id"].removeprefix("chatcmpl-")
    assert engine.asked[0][1]["messages"][0] == {"role": "system", "content": "Be brief"}
    engine.says({"thinking": "Hm"}, {"content": "Hel"})
    streamed = api.post("/v1/chat/completions", json={**body, "stream": True})
    *pieces, end = streamed.text.strip().split("\n\n")
    assert end == f"event: done\ndata: [DONE]\ntrace_id: {streamed.headers['x-request-id']}\ndocument_chunks: []"
    assert all(piece.startswith("event: completion\ndata: {") for piece in pieces)
    assert all("content" in json.loads(piece.split("data: ")[1])["choices"][0]["delta"] for piece in pieces)


def test_an_old_client_of_prem_is_not_left_waiting_when_a_stream_fails(api, engine):
    engine.lines = [{"message": {"content": "He"}, "done": False}, {"error": "the runner died"}]
    streamed = api.post("/v1/chat/completions", json={"project_id": 1, "messages": USER, "stream": True})
    *_, failure, end = streamed.text.strip().split("\n\n")
    assert json.loads(failure.split("data: ")[1])["error"]["message"] == "the runner died"
    assert end.startswith("event: done\n")


def test_templates_of_the_old_platform_are_refused_clearly(api, engine):
    body = {"project_id": 1, "messages": [{"role": "user", "template_id": "t", "params": {}}]}
    answer = api.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json["error"]["param"]) == (400, "messages")
