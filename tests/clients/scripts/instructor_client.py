"""Instructor, which has a model fill a class."""

import json
import os
import sys

import instructor
import openai
from pydantic import BaseModel, Field


class Place(BaseModel):
    city: str = Field(max_length=20)  # So small a model may not know when to stop.
    country: str = Field(max_length=20)


client = instructor.from_openai(
    openai.OpenAI(base_url=os.environ["BASE"] + "/v1", api_key=os.environ["TOKEN"]), mode=instructor.Mode.JSON_SCHEMA
)
place = client.chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "What is the capital of France?"}],
    response_model=Place,
    max_tokens=60,
    temperature=0,
)
sys.stdout.write(json.dumps(place.model_dump()))
