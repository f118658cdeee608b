"""Prem's old Python package, 0.3."""

import json
import os
import sys

from premai import Prem
from premai.errors import UnexpectedStatus

MODEL = os.environ["MODEL"]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
client = Prem(api_key=os.environ["TOKEN"], base_url=os.environ["BASE"])


def chat():
    answer = client.chat.completions.create(project_id=1, messages=FRANCE, model=MODEL, temperature=0)
    default = client.chat.completions.create(
        project_id=1, messages=FRANCE, system_prompt="You are brief.", max_tokens=2, session_id="s"
    )
    return {
        "text": answer.choices[0].message.content,
        "provider": [answer.provider_name, answer.provider_id],
        "trace_id": len(answer.trace_id),
        "default_model": default.model,
    }


def stream():
    chunks = list(
        client.chat.completions.create(project_id=1, messages=FRANCE, model=MODEL, temperature=0, stream=True)
    )
    return {
        "text": "".join(chunk.choices[0].delta["content"] for chunk in chunks),
        "finish_reason": chunks[-1].choices[0].finish_reason,
    }


def models():
    [listed] = [model for model in client.models.list() if model.id == MODEL]
    return {"listed": listed.id, "retrieved": client.models.retrieve(MODEL).id}


def embeddings():
    answer = client.embeddings.create(project_id=1, model=MODEL, input=["Paris", "Rome"])
    return {"count": len(answer.data), "numbers": len(answer.data[0].embedding), "provider": answer.provider_name}


def traces():
    listed = client.traces.list(project_id=1)
    one = client.traces.retrieve(id=listed[0].trace_id)
    return {"same": one.trace_id == listed[0].trace_id, "model": one.model.name}


def cloud():
    try:
        client.repositories.create(name="x", description="y", organization="z")
    except UnexpectedStatus as error:
        return {"status": error.status_code, "code": json.loads(error.content)["error"]["code"]}
    return {}


sys.stdout.write(json.dumps({part.__name__: part() for part in (chat, stream, models, embeddings, traces, cloud)}))
