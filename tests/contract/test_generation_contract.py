"""Chats and completions, as any engine must answer them."""

import json
from datetime import datetime

import pytest
from builtin.running import CAPITAL, STORY

from contract.conftest import MODEL

COUNTS = {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"}


def test_a_streamed_chat_comes_in_lines_whose_last_one_counts(engine):
    body = {"model": MODEL, "messages": CAPITAL, "options": {"temperature": 0, "num_predict": 24}}
    with engine.post("/api/chat", body, stream=True) as response:
        assert response.headers["Content-Type"] == "application/x-ndjson"
        *pieces, last = [json.loads(line) for line in response.iter_lines()]
    assert "".join(piece["message"]["content"] for piece in pieces) == "The capital of France is Paris."
    for piece in pieces:
        assert piece["model"] == MODEL
        assert piece["message"]["role"] == "assistant"
        assert piece["done"] is False
        assert datetime.strptime(piece["created_at"][:19], "%Y-%m-%dT%H:%M:%S").year > 2000
    assert last["message"]["content"] == ""
    assert last["done"] is True
    assert last["done_reason"] == "stop"
    assert last["prompt_eval_count"] == 16
    assert last["eval_count"] == 8
    assert last.keys() >= COUNTS
    assert all(isinstance(last[name], int) for name in COUNTS)
    assert last["total_duration"] >= last["eval_duration"] > 0


def test_a_whole_chat_is_one_object(engine):
    answer = engine.chat(MODEL)
    assert answer["message"] == {"role": "assistant", "content": "The capital of France is Paris."}
    assert answer["done_reason"] == "stop"
    assert answer["prompt_eval_count"] == 16
    assert answer["eval_count"] == 8


def test_num_predict_ends_an_answer_after_that_many_tokens(engine):
    answer = engine.chat(MODEL, STORY, options={"temperature": 0, "num_predict": 5})
    assert answer["eval_count"] == 5
    assert answer["done_reason"] == "length"


def test_a_stop_string_ends_an_answer_and_is_not_in_it(engine):
    answer = engine.chat(MODEL, options={"temperature": 0, "stop": ["of"]})
    assert answer["message"]["content"].rstrip() == "The capital"
    assert answer["done_reason"] == "stop"


def test_the_same_seed_gives_the_same_answer(engine):
    options = {"temperature": 1.0, "seed": 7, "num_predict": 16}
    engine.chat(MODEL, STORY, options=options)  # Fills the prompt cache, which must not matter afterwards.
    answers = {engine.chat(MODEL, STORY, options=options)["message"]["content"] for _ in range(2)}
    assert len(answers) == 1


def test_a_json_schema_is_obeyed(engine):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
        "required": ["city", "country"],
    }
    question = [{"role": "user", "content": "Name a city and its country."}]
    answer = engine.chat(MODEL, question, format=schema, options={"temperature": 0, "num_predict": 60})
    assert json.loads(answer["message"]["content"]).keys() == {"city", "country"}


def test_json_without_a_schema_is_json(engine):
    question = [{"role": "user", "content": "Answer in JSON: who are you?"}]
    answer = engine.chat(MODEL, question, format="json", options={"temperature": 0, "num_predict": 40})
    if answer["done_reason"] == "stop":
        assert isinstance(json.loads(answer["message"]["content"]), dict | list)
    else:
        assert answer["message"]["content"].lstrip().startswith(("{", "["))


def test_logprobs_stand_beside_their_tokens(engine):
    body = {
        "model": MODEL,
        "messages": CAPITAL,
        "logprobs": True,
        "top_logprobs": 2,
        "options": {"temperature": 0, "num_predict": 3},
    }
    *pieces, _ = engine.lines("/api/chat", body)
    assert len(pieces) == 3
    for piece in pieces:
        (entry,) = piece["logprobs"]
        assert entry["token"] == piece["message"]["content"]
        assert bytes(entry["bytes"]).decode() == entry["token"]
        assert entry["logprob"] <= 0
        assert [sorted(other) for other in entry["top_logprobs"]] == [["bytes", "logprob", "token"]] * 2
        assert entry["top_logprobs"][0]["token"] == entry["token"]


def test_characters_are_never_cut_in_pieces(engine):
    question = [{"role": "user", "content": "Repeat exactly: 日本語 🙂 ü"}]
    body = {"model": MODEL, "messages": question, "options": {"temperature": 0, "num_predict": 24}}
    text = "".join(line["message"]["content"] for line in engine.lines("/api/chat", body))
    assert "\ufffd" not in text
    assert not text.isascii()


def test_a_streamed_prompt_is_completed(engine):
    body = {"model": MODEL, "prompt": "Once upon", "options": {"temperature": 0, "num_predict": 5}}
    *pieces, last = engine.lines("/api/generate", body)
    assert all(piece["response"] and not piece["done"] for piece in pieces)
    assert last["response"] == ""
    assert last["done_reason"] == "length"
    assert last["eval_count"] == 5


def test_a_raw_prompt_meets_no_template(engine):
    prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    body = {"model": MODEL, "prompt": prompt, "raw": True, "options": {"temperature": 0, "num_predict": 24}}
    answer = engine.whole("/api/generate", body)
    assert answer["response"] == "The capital of France is Paris."
    assert answer["prompt_eval_count"] == 16


def test_a_system_message_counts_as_prompt(engine):
    messages = [{"role": "system", "content": "You are a pirate."}, *CAPITAL]
    assert engine.chat(MODEL, messages, options={"num_predict": 1})["prompt_eval_count"] > 16


def test_a_prompt_past_the_context_is_refused_with_both_numbers(engine):
    long = [{"role": "user", "content": "word " * 600}]
    body = {"model": MODEL, "messages": long, "truncate": False, "options": {"num_ctx": 256}}
    response = engine.post("/api/chat", body)
    assert response.status_code == 400
    fault = json.loads(response.json()["error"])["error"]
    assert fault["type"] == "exceed_context_size_error"
    assert fault["n_prompt_tokens"] > 600
    assert fault["n_ctx"] == 256


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"model": ""}, 400, "model is required"),
        ({"model": "nope"}, 404, "model 'nope' not found"),
        ({"model": "bad name!!"}, 400, "invalid model name"),
        ({"think": True}, 400, f'"{MODEL}" does not support thinking'),
        ({"think": "zzz"}, 400, "invalid think value"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, 400, "does not support tools"),
        ({"options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ({"options": {"num_predict": "many"}}, 500, 'option "num_predict" must be of type integer'),
        ({"options": {"stop": [1]}}, 500, 'option "stop"'),
        ({"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        ({"keep_alive": "soon"}, 400, 'time: invalid duration "soon"'),
        ({"keep_alive": True}, 400, "Unsupported type: 'bool'"),
        ({"messages": "hello"}, 400, "cannot unmarshal string"),
        ({"model": 5}, 400, "cannot unmarshal number"),
        ({"messages": [{"role": "user", "content": "what?", "images": ["eA=="]}]}, 400, "multimodal"),
        ({"messages": [{"role": "user", "content": "what?", "images": ["data:image/png;base64,eA=="]}]}, 400, "base64"),
        ({"format": {"type": "zzz"}}, 400, "unrecognized type zzz"),
        ({"format": "xml"}, 500, "invalid format"),
    ],
)
def test_a_wrong_chat_is_refused_in_ollamas_words(engine, fields, status, text):
    response = engine.post("/api/chat", {"model": MODEL, "messages": CAPITAL, **fields})
    assert response.status_code == status
    assert text in response.json()["error"]


@pytest.mark.parametrize(
    ("content", "text"), [(b"", "missing request body"), (b"{broken", ""), (b"[1]", "cannot unmarshal")]
)
def test_a_body_that_is_no_object_is_refused(engine, content, text):
    response = engine.session.post(engine.url + "/api/chat", data=content, timeout=10)
    assert response.status_code == 400
    assert text in response.json()["error"]


def test_raw_and_system_do_not_go_together(engine):
    response = engine.post("/api/generate", {"model": MODEL, "prompt": "x", "raw": True, "system": "y"})
    assert response.status_code == 400
    assert response.json()["error"] == "raw mode does not support template, system, or context"


def test_a_suffix_needs_a_model_that_can_insert(engine):
    response = engine.post("/api/generate", {"model": MODEL, "prompt": "x", "suffix": "y"})
    assert response.status_code == 400
    assert "does not support insert" in response.json()["error"]


def test_generate_without_a_model_says_which_is_missing(engine):
    response = engine.post("/api/generate", {"prompt": "x"})
    assert response.status_code == 404
    assert response.json()["error"] == "model '' not found"


def test_a_model_without_pooling_gives_vectors_of_length_one_or_says_it_cannot(engine):
    response = engine.post("/api/embed", {"model": MODEL, "input": ["hello", "good morning"]})
    if response.status_code == 501:
        assert "does not support embeddings" in response.json()["error"]
        return
    answer = response.json()
    assert answer["prompt_eval_count"] > 2
    assert len(answer["embeddings"]) == 2
    for vector in answer["embeddings"]:
        assert sum(number * number for number in vector) == pytest.approx(1.0, abs=1e-5)


def test_embedding_an_unknown_model_has_words_of_its_own(engine):
    response = engine.post("/api/embed", {"model": "nope", "input": "x"})
    assert response.status_code == 404
    assert response.json()["error"] == 'model "nope" not found, try pulling it first'
