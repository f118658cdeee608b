"""Pydantic AI, the strictest reader of answers."""

import asyncio
import json
import os
import sys

from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=os.environ["BASE"] + "/v1", api_key=os.environ["TOKEN"])
MODEL = os.environ["MODEL"]
FRANCE = "What is the capital of France?"
CALM = {"temperature": 0, "max_tokens": 60}


class Place(BaseModel):
    city: str = Field(max_length=20)  # So small a model may not know when to stop.
    country: str = Field(max_length=20)


async def chat():
    answer = await Agent(OpenAIChatModel(MODEL, provider=provider), model_settings=CALM).run(FRANCE)
    return {"text": answer.output, "tokens": answer.usage.output_tokens > 0}


async def stream():
    agent = Agent(OpenAIChatModel(MODEL, provider=provider), model_settings=CALM)
    async with agent.run_stream(FRANCE) as answer:
        text = [piece async for piece in answer.stream_text(delta=True)]
        return {"text": "".join(text), "tokens": answer.usage.output_tokens > 0}


async def structured():
    model = OpenAIChatModel(MODEL, provider=provider)
    answer = await Agent(model, output_type=NativeOutput(Place), model_settings=CALM).run(FRANCE)
    return answer.output.model_dump()


async def responses():
    model = OpenAIResponsesModel(MODEL, provider=provider)
    answer = await Agent(model, model_settings=CALM).run(FRANCE)
    return {"text": answer.output}


async def unknown():
    try:
        await Agent(OpenAIChatModel("no-such-model", provider=provider)).run(FRANCE)
    except ModelHTTPError as error:
        return error.status_code
    return 200


async def main():
    # One loop for all, because the provider keeps its connections in it.
    sys.stdout.write(
        json.dumps({part.__name__: await part() for part in (chat, stream, structured, responses, unknown)})
    )


asyncio.run(main())
