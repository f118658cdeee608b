"""LiteLLM over OpenAI's wire."""

import json
import os
import sys

import litellm

MODEL = "openai/" + os.environ["MODEL"]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
ADDRESS = {"api_base": os.environ["BASE"] + "/v1", "api_key": os.environ["TOKEN"]}


def chat():
    answer = litellm.completion(MODEL, FRANCE, temperature=0, **ADDRESS)
    return {"text": answer.choices[0].message.content, "tokens": answer.usage.total_tokens > 0}


def stream():
    chunks = list(litellm.completion(MODEL, FRANCE, temperature=0, stream=True, **ADDRESS))
    return {"text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks)}


def embedding():
    answer = litellm.embedding(MODEL, ["Paris", "Rome"], **ADDRESS)
    return {"count": len(answer.data), "numbers": len(answer.data[0]["embedding"])}


def text():
    answer = litellm.text_completion(
        model="text-completion-" + MODEL, prompt="The capital of France is", max_tokens=3, temperature=0, **ADDRESS
    )
    return {"text": answer.choices[0].text}


def errors():
    found = {}
    for name, changed in {
        "unknown": {"model": "openai/no-such-model"},
        "field": {"temperature": 7},
        "key": {"api_key": "wrong"},
    }.items():
        try:
            litellm.completion(**{"model": MODEL, "messages": FRANCE, **ADDRESS, **changed})
        except Exception as error:
            found[name] = [type(error).__name__, error.status_code]
    return found


sys.stdout.write(json.dumps({part.__name__: part() for part in (chat, stream, embedding, text, errors)}))
