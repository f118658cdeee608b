"""Prem's SDK 0.18, also with its strict check of every answer."""

import json
import os
import sys

import premai

MODEL = os.environ["MODEL"]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
ADDRESS = {"base_url": os.environ["BASE"], "api_key": os.environ["TOKEN"]}
client = premai.PremAI(**ADDRESS, _strict_response_validation=True)


def chat():
    answer = client.chat.completions(
        model=MODEL, messages=FRANCE, temperature=0, response_format={"type": "text", "json_schema": {}}
    )
    return {"text": answer.choices[0].message.content, "finish_reason": answer.choices[0].finish_reason}


def stream():
    text = ""
    with client.chat.with_streaming_response.completions(
        model=MODEL, messages=FRANCE, temperature=0, stream=True
    ) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
    # The strict check knows no streams: the package itself has none in its types.
    whole = premai.PremAI(**ADDRESS).chat.completions(model=MODEL, messages=FRANCE, temperature=0, stream=True)
    return {"text": text, "raw": whole.rstrip().endswith("data: [DONE]")}


def models():
    listed = [model.id for model in client.models.list().data]
    client.models.load(model=MODEL)
    before = client.models.check_status(model=MODEL).status
    said = client.models.unload(model=MODEL).message
    after = client.models.check_status(model=MODEL).status
    again = client.models.load(model=MODEL).message
    unknown = client.models.check_status(model="hf.co/no/such:model").status
    return {"listed": MODEL in listed, "loaded": [before, after, unknown], "said": [said, again]}


def errors():
    found = {}
    wrong = premai.PremAI(**{**ADDRESS, "api_key": "wrong"})
    for name, call in {
        "unknown": lambda: client.chat.completions(model="no-such-model-of-premai", messages=FRANCE),
        "unknown up": lambda: client.models.load(model="no-such-model"),
        "key": lambda: wrong.models.list(),
        "cloud only": lambda: client.projects.list(),
    }.items():
        try:
            call()
        except premai.APIStatusError as error:
            found[name] = [type(error).__name__, error.status_code, error.body["error"]["code"]]
    return found


sys.stdout.write(json.dumps({part.__name__: part() for part in (chat, stream, models, errors)}))
