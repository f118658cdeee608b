"""Chats as a user has them: the running site, the real engine, a real model."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import premai
import pytest
import requests
from conftest import BUSY_SECONDS, STARTER

FRANCE = "What is the capital of France?"
LONG_STORY = "Write a very long story about a lighthouse keeper."


def events_of(answer: requests.Response) -> list:
    lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith(b"data: ") for line in lines)
    assert lines[-1] == b"data: [DONE]"
    return [json.loads(line[6:]) for line in lines[:-1]]


def trace_of(server, completion_id: str, *, status: str) -> dict:
    """Return the trace of a call once it has the status that is waited for."""
    trace_id = completion_id.removeprefix("chatcmpl-")
    deadline = time.monotonic() + 10
    while True:
        trace = server.get(f"/v1/traces/{trace_id}").json()
        if trace.get("status") == status:
            return trace
        assert time.monotonic() < deadline, trace
        time.sleep(0.05)


def test_the_openai_sdk_streams_paris_and_the_call_is_a_trace(live_server):
    client = openai.OpenAI(base_url=live_server.url + "/v1", api_key=live_server.token)
    stream = client.chat.completions.create(
        model=STARTER,
        messages=[{"role": "user", "content": FRANCE}],
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Paris" in text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    usage = chunks[-1].usage
    trace = trace_of(live_server, chunks[0].id, status="ok")
    assert trace["output"] == text
    assert (trace["promptTokens"], trace["completionTokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert usage.prompt_tokens > 5 < usage.completion_tokens
    assert json.loads(trace["input"]) == [{"role": "user", "content": FRANCE}]
    assert trace["parameters"]["temperature"] == 0
    assert "OpenAI" in trace["client"]
    assert trace["stream"] is True
    assert trace["finishReason"] == "stop"
    assert 0 < trace["ttftMs"] <= trace["duration"] + 1
    assert trace["tokensPerSecond"] > 1


def test_the_prem_sdk_gets_its_answer_under_its_own_path(live_server):
    client = premai.PremAI(api_key=live_server.token, base_url=live_server.url)
    answer = client.chat.completions(model=STARTER, messages=[{"role": "user", "content": FRANCE}], temperature=0)
    assert "Paris" in answer.choices[0].message.content
    assert STARTER in [model.id for model in client.models.list().data]


def test_models_are_called_by_alias_id_and_engine_name(live_server):
    listed = live_server.get("/v1/models").json()
    [record] = listed["models"]
    for name in (STARTER, STARTER.upper(), f"{STARTER}:latest", record["id"]):
        answer = live_server.chat("Say hi.", model=name, max_tokens=2)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == name
        assert live_server.get(f"/v1/models/{name}").json()["id"] == STARTER
    assert live_server.get(f"/v1/models/{record['id']}/status").json() == {
        "id": record["id"],
        "name": record["name"],
        "alias": STARTER,
        "imported": True,
        "status": "ready",
    }


def test_a_stream_has_the_headers_and_one_event_a_write(live_server):
    answer = live_server.chat(FRANCE, stream=True)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-cache"
    pieces = list(answer.raw.read_chunked(decode_content=False))
    assert all(
        piece.startswith(b"data: ") and piece.endswith(b"\n\n") and piece.count(b"data: ") == 1 for piece in pieces
    )
    assert len({json.loads(piece[6:])["id"] for piece in pieces[:-1]}) == 1


def test_token_counts_come_only_when_asked_for(live_server):
    assert all(event["choices"] for event in events_of(live_server.chat(FRANCE, stream=True)))
    *_, last = events_of(live_server.chat(FRANCE, stream=True, stream_options={"include_usage": True}))
    assert last["choices"] == []
    assert isinstance(last["usage"]["prompt_tokens"], int)


def test_a_short_limit_ends_with_length(live_server):
    answer = live_server.chat(LONG_STORY, max_completion_tokens=5).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


def test_a_stop_text_ends_the_answer_before_it(live_server):
    answer = live_server.chat(FRANCE, stop=["Paris"]).json()
    assert answer["choices"][0]["message"]["content"].rstrip() == "The capital of France is"
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_same_seed_gives_the_same_answer(live_server):
    answers = [
        live_server.chat("Invent a name for a ship.", temperature=1, seed=seed, max_tokens=12).json()["choices"][0]
        for seed in (11, 11, 12)
    ]
    assert answers[0]["message"] == answers[1]["message"] != answers[2]["message"]


def test_an_answer_follows_a_json_schema(live_server):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "country": {"enum": ["France", "Spain"]}},
        "required": ["city", "country"],
        "additionalProperties": False,
    }
    response_format = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": schema}}
    answer = live_server.chat(FRANCE, response_format=response_format, max_tokens=60).json()
    place = json.loads(answer["choices"][0]["message"]["content"])
    assert set(place) == {"city", "country"}
    assert place["country"] in ("France", "Spain")


def test_log_probabilities_come_in_openais_shape(live_server):
    answer = live_server.chat(FRANCE, logprobs=True, top_logprobs=2, max_tokens=3).json()
    [first, *_] = answer["choices"][0]["logprobs"]["content"]
    assert first["token"] == "The"
    assert bytes(first["bytes"]) == b"The"
    assert first["logprob"] <= 0
    assert len(first["top_logprobs"]) == 2


def test_a_conversation_is_understood_from_its_earlier_turns(live_server):
    messages = [
        {"role": "developer", "content": "You are a geography teacher."},
        {"role": "user", "content": FRANCE},
        {"role": "assistant", "content": "The capital of France is Paris."},
        {"role": "user", "content": [{"type": "text", "text": "And of Italy?"}]},
    ]
    answer = live_server.post("/v1/chat/completions", {"model": STARTER, "messages": messages, "temperature": 0})
    assert "Rome" in answer.json()["choices"][0]["message"]["content"]


def test_a_wish_to_think_is_dropped_where_the_model_cannot(live_server):
    answer = live_server.chat(FRANCE, reasoning_effort="high", max_tokens=10)
    assert answer.status_code == 200
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "nothing-like-it"}, 404, "model_not_found"),
        ({"messages": []}, 400, None),
        ({"temperature": "hot"}, 400, None),
        ({"options": {"temperature": "hot"}, "temperature": None}, 400, None),
        ({"messages": [{"role": "user", "content": "word " * 20_000}]}, 400, "context_length_exceeded"),
    ],
    ids=["unknown model", "no messages", "wrong type", "wrong type inside options", "past the context"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_cannot_work_has_an_honest_status(live_server, fields, status, code, stream):
    answer = live_server.chat(FRANCE, stream=stream, **fields)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["error"]["code"] == code


def test_an_image_for_a_model_without_eyes_is_a_clear_400(live_server):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    answer = live_server.post(
        "/v1/chat/completions", {"model": STARTER, "messages": [{"role": "user", "content": [picture]}]}
    )
    assert answer.status_code == 400
    assert "image" in answer.json()["error"]["message"].lower()


def test_a_megabyte_of_prompt_is_refused_quickly_and_the_next_chat_works(live_server):
    begun = time.monotonic()
    answer = live_server.chat("lorem ipsum " * 90_000)
    assert answer.status_code == 400
    assert time.monotonic() - begun < 30
    assert live_server.chat(FRANCE).status_code == 200


def test_a_client_that_leaves_stops_the_engine_at_once(live_server):
    answer = live_server.chat(LONG_STORY, stream=True, max_tokens=4000)
    first = next(answer.iter_lines())
    answer.close()
    left_at = time.monotonic()
    trace = trace_of(live_server, json.loads(first[6:])["id"], status="cancelled")
    assert time.monotonic() - left_at < 1 + BUSY_SECONDS
    assert trace["completionTokens"] < 1000
    assert trace["error"] is None


def test_who_leaves_a_whole_answer_stops_the_engine_too(live_server):
    body = json.dumps(
        {"model": STARTER, "messages": [{"role": "user", "content": LONG_STORY}], "max_tokens": 4000, "temperature": 0}
    )
    host, port = live_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {live_server.token}\r\n"
            f"User-Agent: leaver\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall((head + body).encode())
        time.sleep(0.5)
    left_at = time.monotonic()
    while True:
        [trace] = [one for one in live_server.get("/v1/traces").json()["traces"] if one["client"] == "leaver"]
        if trace["status"] == "cancelled":
            break
        assert time.monotonic() - left_at < 5, trace
        time.sleep(0.05)


def test_fifty_clients_at_once_all_get_their_answer(live_server):
    def ask(number: int) -> str:
        answer = live_server.chat(f"Say the number {number}.", stream=number % 2 == 0, max_tokens=8)
        assert answer.status_code == 200
        if number % 2:
            return answer.json()["id"]
        return events_of(answer)[0]["id"]

    with ThreadPoolExecutor(50) as pool:
        ids = list(pool.map(ask, range(50)))
    assert len(set(ids)) == 50
    for completion_id in ids:
        trace_of(live_server, completion_id, status="ok")


def test_the_simple_chat_of_the_original_keeps_its_history(live_server):
    live_server.post("/api/chat/send", {"message": FRANCE})
    assert requests.delete(live_server.url + "/api/chat/history", headers=live_server.headers, timeout=5).json() == {
        "success": True
    }
    answer = live_server.post("/api/chat/send", {"message": FRANCE, "model": STARTER}).json()
    assert set(answer["userMessage"]) == {"id", "content", "role", "model"}
    assert answer["assistantMessage"]["role"] == "assistant"
    history = live_server.get("/api/chat/history").json()["messages"]
    assert [message["role"] for message in history] == ["user", "assistant"]
    assert history[0]["content"] == FRANCE
    assert set(history[0]) == {"id", "content", "role", "model", "createdAt"}
    assert live_server.post("/api/chat/send", {"model": STARTER}).status_code == 400


def test_traces_are_listed_newest_first_in_pages(live_server):
    for _ in range(3):
        live_server.chat("Hi", max_tokens=1)
    first = live_server.get("/v1/traces?limit=2").json()
    second = live_server.get("/v1/traces?limit=2&page=2").json()
    ids = [trace["id"] for page in (first, second) for trace in page["traces"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4
    assert first["pages"] == -(-first["total"] // 2)
    assert {"input", "output"} & set(first["traces"][0]) == set()


def test_the_status_names_the_engine_and_what_is_loaded(live_server):
    live_server.chat("Hi", max_tokens=1)
    status = live_server.get("/api/ollama/status").json()
    assert (status["status"], status["engine"], status["why"]) == ("running", "builtin", "")
    assert status["address"].startswith("http://127.0.0.1:")
    assert f"{STARTER}:latest" in [model["name"] for model in status["loadedModels"]]


def test_a_chat_while_another_streams_does_not_wait_for_it(live_server):
    answer = live_server.chat(LONG_STORY, stream=True, max_tokens=2000)
    lines = answer.iter_lines()
    next(lines)
    done = threading.Event()
    threading.Thread(target=lambda: (live_server.chat(FRANCE, max_tokens=10), done.set())).start()
    assert done.wait(60)
    answer.close()
