"""What the built-in engine answers beyond the common contract."""

import math
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from builtin.conftest import MODEL
from builtin.running import CAPITAL
from builtin.test_gguf_header import write_gguf

# As Qwen 3's. llama.cpp learns the marks of thinking from how earlier thoughts are rendered.
THINKING = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)

# As Qwen 2.5's. The conversation shows the model how a call is made, which it is too small to know by itself.
TOOLS = (
    "{% if tools %}<|im_start|>system\nTools:\n"
    "{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content %}{{ message.content }}{% endif %}"
    "{% for call in message.tool_calls %}<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}\n'
    "</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_it_says_that_it_is_the_built_in_engine(engine):
    assert engine.get("/api/version").json() == {"version": "0.33.0", "engine": "premrunner-builtin"}


def test_pulling_says_what_to_do_instead(engine):
    response = engine.post("/api/pull", {"model": "gemma3:270m"})
    assert response.status_code == 501
    assert "upload a GGUF" in response.json()["error"]


def test_an_assistants_beginning_is_continued_and_not_repeated(engine):
    answer = engine.chat(MODEL, [*CAPITAL, {"role": "assistant", "content": "The capital of"}])
    assert answer["message"]["content"] == " France is Paris."


@pytest.fixture
def thinker(engine):
    """The starter model with a template that makes it think before it speaks, which it then never does."""
    engine.create("thinker", **{"from": MODEL}, template=THINKING)
    yield "thinker"
    engine.delete("thinker")


def test_thinking_is_told_from_saying(engine, thinker):
    assert "thinking" in engine.post("/api/show", {"model": thinker}).json()["capabilities"]
    options = {"temperature": 0, "num_predict": 12}
    thought = engine.chat(thinker, think=True, options=options)["message"]
    assert thought["thinking"]
    assert thought["content"] == ""
    said = engine.chat(thinker, think=False, options=options)["message"]
    assert said["content"]
    assert "thinking" not in said


def test_a_tool_is_called_with_an_object(engine):
    engine.create("caller", **{"from": MODEL}, template=TOOLS)
    assert "tools" in engine.post("/api/show", {"model": "caller"}).json()["capabilities"]
    messages = []
    for city in ("Rome", "Paris", "Oslo"):
        call = {"function": {"name": "get_weather", "arguments": {"city": city}}}
        messages.append({"role": "user", "content": f"What is the weather in {city}?"})
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
    messages.append({"role": "user", "content": "What is the weather in Berlin?"})
    body = {"model": "caller", "messages": messages, "tools": [WEATHER], "options": {"temperature": 0}}
    *_, last = engine.lines("/api/chat", body)
    (made,) = last["message"]["tool_calls"]
    assert made["id"]
    assert made["function"] == {"index": 0, "name": "get_weather", "arguments": {"city": "Berlin"}}
    assert last["done_reason"] == "stop"
    engine.delete("caller")


def test_a_vector_has_length_one_and_texts_that_mean_the_same_are_near(engine):
    texts = ["A cat sleeps on the sofa.", "The cat is sleeping on the couch.", "def f(x): return x + 1"]
    answer = engine.post("/api/embed", {"model": MODEL, "input": texts}).json()
    cat, other_cat, code = answer["embeddings"]
    assert math.isclose(sum(number**2 for number in cat), 1.0, rel_tol=1e-5)
    assert dot(cat, other_cat) > dot(cat, code)
    short = engine.post("/api/embed", {"model": MODEL, "input": texts[0], "dimensions": 64}).json()["embeddings"][0]
    assert len(short) == 64
    assert math.isclose(sum(number**2 for number in short), 1.0, rel_tol=1e-5)
    old = engine.post("/api/embeddings", {"model": MODEL, "prompt": texts[0]}).json()["embedding"]
    assert dot(old, cat) > 0.999


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_a_text_past_the_context_is_cut_or_refused_as_asked(engine):
    body = {"model": MODEL, "input": "sea " * 1000, "options": {"num_ctx": 128}}
    assert engine.post("/api/embed", body).json()["prompt_eval_count"] <= 128
    refused = engine.post("/api/embed", {**body, "truncate": False})
    assert refused.status_code == 400
    assert refused.json()["error"] == "the input length exceeds the context length"
    assert engine.post("/api/embed", {"model": MODEL, "input": 5}).json()["error"] == "invalid input type"
    assert engine.post("/api/embed", {"model": MODEL, "input": []}).json()["embeddings"] == []


def test_each_of_two_chats_at_once_gets_the_context_it_asked_for(engine):
    prompts = [[{"role": "user", "content": f"{word} " * 300}] for word in ("sea", "sun")]
    with ThreadPoolExecutor(2) as pool:
        options = {"num_ctx": 512, "num_predict": 1}
        answers = list(pool.map(lambda prompt: engine.chat(MODEL, prompt, options=options), prompts))
    assert all(answer["prompt_eval_count"] > 300 for answer in answers)


def test_a_model_that_llama_cpp_cannot_load_says_why_and_shows_no_path(engine, tmp_path):
    engine.create("broken", files={"a.gguf": engine.push(write_gguf(tmp_path / "a.gguf"))})
    response = engine.post("/api/chat", {"model": "broken", "messages": CAPITAL})
    assert response.status_code == 500
    error = response.json()["error"]
    assert error.startswith("model failed to load: ")
    assert "key not found" in error or "error loading model" in error
    assert str(engine.store) not in error
    engine.delete("broken")


def test_an_interrupted_upload_leaves_nothing_behind(engine):
    before = set((engine.store / "blobs").iterdir())
    with socket.create_connection(("127.0.0.1", int(engine.url.rpartition(":")[2]))) as client:
        head = f"POST /api/blobs/sha256:{'1' * 64} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        client.sendall(head.encode() + b"x" * 1000)
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while set((engine.store / "blobs").iterdir()) != before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set((engine.store / "blobs").iterdir()) == before


def test_an_upload_may_be_larger_than_any_json(engine):
    with socket.create_connection(("127.0.0.1", int(engine.url.rpartition(":")[2]))) as client:
        head = f"POST /api/blobs/sha256:{'1' * 64} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n"
        client.sendall(head.encode() + b"x" * 1000)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):  # It waits for the rest.
            client.recv(1)


def test_a_chunked_upload_is_taken(engine):
    digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    response = engine.session.post(f"{engine.url}/api/blobs/{digest}", data=iter([b"hel", b"lo"]), timeout=10)
    assert response.status_code == 201
    (engine.store / "blobs" / digest.replace(":", "-")).unlink()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:99", "[::1]:11434", "app.localhost"])
def test_names_of_this_machine_are_welcome(engine, host):
    assert engine.get("/api/tags", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["null", "http://127.0.0.1.evil.example", "https://localhost.evil.example", "http://[x"]
)
def test_origins_that_only_look_like_this_machine_are_not(engine, origin):
    assert engine.get("/api/tags", headers={"Origin": origin}).status_code == 403


def test_a_verbose_show_holds_the_vocabulary(engine):
    shown = engine.post("/api/show", {"model": MODEL, "verbose": True}).json()
    assert len(shown["model_info"]["tokenizer.ggml.tokens"]) == 49152
