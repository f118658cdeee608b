"""Everything that OpenAI's Python package is used for, in any of its majors."""

import asyncio
import json
import os
import sys

import openai
from pydantic import BaseModel, Field

MODEL = os.environ["MODEL"]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
ADDRESS = {"base_url": os.environ["BASE"] + "/v1", "api_key": os.environ["TOKEN"]}
client = openai.OpenAI(**ADDRESS)


class Place(BaseModel):
    city: str = Field(max_length=20)  # So small a model may not know when to stop.
    country: str = Field(max_length=20)


def chat():
    answer = client.chat.completions.create(model=MODEL, messages=FRANCE, temperature=0)
    return {
        "text": answer.choices[0].message.content,
        "finish_reason": answer.choices[0].finish_reason,
        "total_is_sum": answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens,
        "has_request_id": bool(answer._request_id) and answer.id.endswith(answer._request_id),
    }


def stream():
    events = client.chat.completions.create(
        model=MODEL, messages=FRANCE, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(events)
    return {
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "role": chunks[0].choices[0].delta.role,
        "usage": chunks[-1].usage.total_tokens > 0,
        "ids": len({chunk.id for chunk in chunks}),
    }


def parse():
    parse = getattr(client.chat.completions, "parse", None) or client.beta.chat.completions.parse
    answer = parse(model=MODEL, messages=FRANCE, temperature=0, max_tokens=60, response_format=Place)
    return answer.choices[0].message.parsed.model_dump()


def completions():
    whole = client.completions.create(model=MODEL, prompt="The capital of France is", max_tokens=4, temperature=0)
    pieces = client.completions.create(
        model=MODEL, prompt="The capital of France is", max_tokens=4, temperature=0, stream=True
    )
    return {"text": whole.choices[0].text, "streamed": "".join(piece.choices[0].text for piece in pieces)}


def embeddings():
    base64 = client.embeddings.create(model=MODEL, input=["Paris", "Rome"])
    floats = client.embeddings.create(model=MODEL, input="Paris", encoding_format="float")
    short = client.embeddings.create(model=MODEL, input="Paris", dimensions=8)
    first, other = base64.data[0].embedding, floats.data[0].embedding
    return {
        "count": len(base64.data),
        "same": max(abs(a - b) for a, b in zip(first, other, strict=True)) < 1e-6,
        "length": sum(number * number for number in other),
        "short": len(short.data[0].embedding),
        "usage": base64.usage.prompt_tokens > 0,
    }


def responses():
    whole = client.responses.create(model=MODEL, input="What is the capital of France?", temperature=0)
    events = list(client.responses.create(model=MODEL, input=FRANCE, temperature=0, stream=True))
    cut = client.responses.create(model=MODEL, input="Tell a story.", max_output_tokens=4)
    parsed = client.responses.parse(model=MODEL, input=FRANCE, text_format=Place, max_output_tokens=60)
    with client.responses.stream(model=MODEL, input=FRANCE, temperature=0) as helper:
        for _ in helper:
            pass
        final = helper.get_final_response()
    return {
        "text": whole.output_text,
        "streamed": "".join(event.delta for event in events if event.type == "response.output_text.delta"),
        "kinds": [events[0].type, events[-1].type],
        "numbers": [event.sequence_number for event in events] == list(range(len(events))),
        "cut": [cut.status, cut.incomplete_details.reason, cut.usage.output_tokens],
        "parsed": parsed.output_parsed.model_dump(),
        "helper": final.output_text,
    }


def models():
    listed = [model.id for model in client.models.list().data]
    return {"listed": MODEL in listed, "retrieved": client.models.retrieve(MODEL).id}


def error_of(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param, bool(error.request_id)]
    return ["nothing was raised"]


def errors():
    create = client.chat.completions.create
    wrong = openai.OpenAI(**{**ADDRESS, "api_key": "sk-wrong"})
    return {
        "unknown model": error_of(lambda: create(model="no-such-model-of-openai", messages=FRANCE)),
        "unknown model, streamed": error_of(lambda: create(model="no-such-model", messages=FRANCE, stream=True)),
        "unknown slashed": error_of(lambda: client.models.retrieve("hf.co/a/b:c")),
        "wrong key": error_of(lambda: wrong.models.list()),
        "wrong field": error_of(lambda: create(model=MODEL, messages=FRANCE, temperature=9)),
        "tools": error_of(lambda: create(model=MODEL, messages=FRANCE, tools=[TOOL])),
        "token ids": error_of(lambda: client.embeddings.create(model=MODEL, input=[[1, 2, 3]])),
        "suffix": error_of(lambda: client.completions.create(model=MODEL, prompt="a", suffix="b")),
        "stored": error_of(lambda: client.responses.create(model=MODEL, input="x", previous_response_id="resp_1")),
        "deleted": error_of(lambda: client.models.delete("no-such-model")),
    }


async def asynchronous():
    async with openai.AsyncOpenAI(**ADDRESS) as other:
        events = await other.chat.completions.create(model=MODEL, messages=FRANCE, temperature=0, stream=True)
        text = ""
        async for chunk in events:
            text += chunk.choices[0].delta.content or ""
        again = await other.chat.completions.create(model=MODEL, messages=FRANCE, max_tokens=1)
    return {"text": text, "again": again.choices[0].finish_reason}


sys.stdout.write(
    json.dumps(
        {part.__name__: part() for part in (chat, stream, parse, completions, embeddings, responses, models, errors)}
        | {"asynchronous": asyncio.run(asynchronous())}
    )
)
