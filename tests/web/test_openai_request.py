"""What a chat request means, field by field."""

import base64

import pytest

from premrunner.errors import InvalidRequest
from premrunner.web.wire.openai_request import PARAMETERS, parse_chat

USER = {"role": "user", "content": "Hi"}
PNG = base64.b64encode(b"\x89PNG").decode()


def parse(**fields):
    return parse_chat({"model": "m", "messages": [USER], **fields})[0]


def test_a_plain_request_asks_for_nothing_it_does_not_say():
    call = parse()
    assert call.request.options == {}
    assert (call.request.format, call.request.tools, call.request.think, call.request.keep_alive) == (None,) * 4
    assert not call.is_stream


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"max_tokens": 5}, {"num_predict": 5}),
        ({"max_completion_tokens": 7, "max_tokens": 5}, {"num_predict": 7}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
        (
            {"seed": 3, "frequency_penalty": 1, "presence_penalty": -2},
            {"seed": 3, "frequency_penalty": 1, "presence_penalty": -2},
        ),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ["a", "b", ""]}, {"stop": ["a", "b"]}),
        ({"options": {"num_ctx": 512}, "max_tokens": 1}, {"num_ctx": 512, "num_predict": 1}),
        ({"max_tokens": 8.0}, {"num_predict": 8}),
        ({"temperature": None, "stop": None, "tools": None, "stream_options": None}, {}),
    ],
)
def test_sampling_fields_become_the_engines_options(fields, options):
    assert parse(**fields).request.options == options


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ({"type": "text", "json_schema": {}}, None),
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}, {"type": "object"}),
    ],
)
def test_response_formats(wanted, given):
    assert parse(response_format=wanted).request.format == given


@pytest.mark.parametrize(("effort", "think"), [("none", False), ("minimal", "low"), ("high", "high"), ("xhigh", "max")])
def test_reasoning_effort_becomes_think(effort, think):
    assert parse(reasoning_effort=effort).request.think == think


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [None]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [USER, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"stop": [1]}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"tools": "x"}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"keep_alive": True}, "keep_alive"),
        ({"options": []}, "options"),
        ({"stream_options": 1}, "stream_options"),
    ],
)
def test_a_wrong_field_is_named(fields, param):
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert caught.value.param == param
    assert param.split("[")[0].split(".")[0] in caught.value.message or caught.value.message == "Messages are required"


def test_fields_without_effect_are_listed_and_not_refused():
    call = parse(user="me", metadata={}, logit_bias={"1": 2}, store=False, service_tier=None)
    assert sorted(call.ignored) == ["logit_bias", "metadata", "store", "user"]


def test_the_trace_gets_what_was_sent():
    messages = [{"role": "developer", "content": [{"type": "text", "text": "x"}]}]
    call = parse(messages=messages, temperature=1, user="me")
    assert call.sent is messages
    assert call.parameters == {"model": "m", "temperature": 1, "user": "me"}


@pytest.mark.parametrize("asked", [True, False])
def test_token_counts_come_only_with_a_stream_that_asks(asked):
    body = {"model": "m", "messages": [USER], "stream": True, "stream_options": {"include_usage": asked}}
    assert parse_chat(body)[1] is asked
    assert parse_chat({**body, "stream": False})[1] is False


def messages_of(*messages):
    return list(parse(messages=list(messages)).request.messages)


def test_developers_speak_as_the_system_wherever_they_speak():
    sent = [{"role": "developer", "content": "a"}, USER, {"role": "system", "content": "b"}]
    assert [message["role"] for message in messages_of(*sent)] == ["system", "user", "system"]


def test_parts_become_text_and_images():
    parts = [
        {"type": "text", "text": "What"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        {"type": "text", "text": "is it?"},
    ]
    assert messages_of({"role": "user", "content": parts}) == [
        {"role": "user", "content": "What\nis it?", "images": [PNG]}
    ]


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "file:///etc/passwd", "data:text/html,x", "data:;base64,%%%", 5]
)
def test_only_data_urls_are_images(url):
    with pytest.raises(InvalidRequest) as caught:
        messages_of({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert caught.value.param == "messages[0].content[0].image_url"


def test_a_tool_round_trip_keeps_names_ids_and_arguments():
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    assert messages_of(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1", "tool_name": "weather"},
    ]


def test_arguments_that_are_no_json_are_refused():
    call = {"id": "c", "function": {"name": "f", "arguments": "{city: Paris}"}}
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        messages_of({"role": "assistant", "content": None, "tool_calls": [call]})


def tool(name):
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("choice", "offered"),
    [
        (None, ["a", "b"]),
        ("auto", ["a", "b"]),
        ("required", ["a", "b"]),
        ("none", None),
        ({"type": "function", "function": {"name": "b"}}, ["b"]),
    ],
)
def test_tool_choice_decides_what_is_offered(choice, offered):
    tools = parse(tools=[tool("a"), tool("b")], tool_choice=choice).request.tools
    assert (tools and [item["function"]["name"] for item in tools]) == offered


def test_every_parameter_says_what_it_means():
    assert all(parameter.meaning.endswith(".") for parameter in PARAMETERS)
    assert len({parameter.name for parameter in PARAMETERS}) == len(PARAMETERS)
