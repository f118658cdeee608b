"""Anthropic's package against ``/v1/messages``."""

import json
import os
import sys

import anthropic

MODEL = os.environ["MODEL"]
FRANCE = [{"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]}]
CALM = {"model": MODEL, "messages": FRANCE, "max_tokens": 40, "extra_body": {"temperature": 0}}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
client = anthropic.Anthropic(base_url=os.environ["BASE"], api_key=os.environ["TOKEN"])


def message():
    answer = client.messages.create(**CALM, system="You are brief.")
    return {"text": answer.content[0].text, "stop_reason": answer.stop_reason, "tokens": answer.usage.input_tokens > 0}


def stream():
    with client.messages.stream(**CALM) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    return {
        "text": text,
        "final": final.content[0].text,
        "stop_reason": final.stop_reason,
        "tokens": final.usage.output_tokens > 0,
    }


def bearer():
    other = anthropic.Anthropic(base_url=os.environ["BASE"], auth_token=os.environ["TOKEN"])
    return {"stop_reason": other.messages.create(**{**CALM, "max_tokens": 2}).stop_reason}


def errors():
    found = {}
    wrong = anthropic.Anthropic(base_url=os.environ["BASE"], api_key="wrong")
    for name, call in {
        "unknown": lambda: client.messages.create(**{**CALM, "model": "no-such-model"}),
        "field": lambda: client.messages.create(**{**CALM, "extra_body": {"temperature": 9}}),
        "tools": lambda: client.messages.create(**CALM, tools=[TOOL]),
        "key": lambda: wrong.messages.create(**CALM),
    }.items():
        try:
            call()
        except anthropic.APIStatusError as error:
            found[name] = [type(error).__name__, error.status_code, error.body["error"]["type"]]
    return found


sys.stdout.write(json.dumps({part.__name__: part() for part in (message, stream, bearer, errors)}))
