"""Ollama's requests as llama.cpp's."""

import json

import pytest

from premrunner.builtin.body import Body
from premrunner.builtin.manifests import Manifest
from premrunner.builtin.prompts import chat_question, raw_question
from premrunner.builtin.refusals import Refusal

PNG = "iVBORw0KGgo="
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def manifest(*capabilities: str, **fields) -> Manifest:
    blank = {
        "name": "m:latest",
        "modified_at": "",
        "model_digest": "0" * 64,
        "projector_digest": "",
        "size_bytes": 1,
        "template": "",
        "system": "",
        "parameters": {},
        "messages": [],
        "license": [],
        "details": {},
    }
    return Manifest(**{**blank, "capabilities": ["completion", *capabilities], **fields})


def ask(messages, model=None, **fields) -> dict:
    return chat_question(Body({"model": "m", **fields}), messages, model or manifest()).body


def test_the_models_own_system_prompt_stands_first_unless_the_chat_brings_one():
    model = manifest(system="Be brief.")
    own = {"role": "system", "content": "Be brief."}
    theirs = {"role": "system", "content": "Be long."}
    assert ask([USER], model)["messages"] == [own, USER]
    assert ask([theirs, USER], model)["messages"] == [theirs, USER]


def test_the_models_own_messages_stand_before_the_chat():
    example = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]
    assert ask([USER], manifest(messages=example))["messages"] == [*example, USER]


def test_a_tool_conversation_keeps_its_thread():
    call = {"id": "call_9", "function": {"name": "f", "arguments": {"city": "Rome"}}}
    messages = [
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call], "thinking": "hm"},
        {"role": "tool", "content": "sunny", "tool_name": "f", "tool_call_id": "call_9"},
    ]
    body = ask(messages, manifest("tools"), tools=[TOOL])
    assert body["tools"] == [TOOL]
    _, assistant, result = body["messages"]
    assert assistant["reasoning_content"] == "hm"
    assert assistant["tool_calls"][0]["id"] == "call_9"
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}
    assert result == {"role": "tool", "content": "sunny", "name": "f", "tool_call_id": "call_9"}


def test_images_become_data_urls_before_the_text():
    body = ask([{**USER, "images": [PNG]}], manifest("vision"))
    image, text = body["messages"][0]["content"]
    assert image == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert text == {"type": "text", "text": "hi"}


@pytest.mark.parametrize(
    ("think", "words"),
    [
        (None, None),
        (True, {"enable_thinking": True}),
        (False, {"enable_thinking": False}),
        ("high", {"enable_thinking": True, "reasoning_effort": "high"}),
    ],
)
def test_thinking_is_told_to_the_template(think, words):
    assert ask([USER], manifest("thinking"), think=think).get("chat_template_kwargs") == words


def test_an_answer_that_is_continued_does_not_think():
    prefill = {"role": "assistant", "content": "The capital"}
    body = ask([USER, prefill], manifest("thinking"), think=True)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


def test_formats_are_translated():
    schema = {"type": "object"}
    assert ask([USER], format="json")["response_format"] == {"type": "json_object"}
    assert ask([USER], format=schema)["response_format"] == {"type": "json_schema", "json_schema": {"schema": schema}}
    assert "response_format" not in ask([USER], format="")


def test_a_suffix_makes_a_gap_to_fill():
    question = raw_question(Body({"prompt": "def f(", "suffix": "return 1"}), manifest("insert"))
    assert question.path == "/infill"
    assert question.body["input_prefix"] == "def f("
    assert question.body["input_suffix"] == "return 1"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"role": 5, "content": "x"}, "number into field role of type string"),
        ({"role": "user", "content": ["x"]}, "array into field content of type string"),
        ({"role": "user", "content": "x", "images": "x"}, "field images of type array"),
        ({"role": "user", "content": "x", "images": [5]}, "illegal base64"),
        ({"role": "user", "content": "x", "tool_calls": ["f"]}, "tool_calls"),
        ({"role": "user", "content": "x", "tool_calls": 5}, "tool_calls"),
    ],
)
def test_a_message_of_a_wrong_shape_is_refused(message, text):
    with pytest.raises(Refusal) as refusal:
        ask([message])
    assert text in refusal.value.message
    assert refusal.value.status == 400
