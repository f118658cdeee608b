"""LangChain's own standard suite for chat models, run by pytest in an environment of its own."""

import os

import pytest
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests

ADDRESS = {"model": os.environ["MODEL"], "base_url": os.environ["BASE"] + "/v1", "api_key": os.environ["TOKEN"]}


class TestStandard(ChatModelIntegrationTests):
    @property
    def chat_model_class(self):
        return ChatOpenAI

    @property
    def chat_model_params(self):
        # The answers of so small a model wander; the suite reads their shape, not their sense.
        return {**ADDRESS, "temperature": 0, "max_tokens": 30, "stream_usage": True}

    @property
    def has_tool_calling(self):
        return False  # The starter model has no tools in its template, and says so with a 400.

    @property
    def has_structured_output(self):
        return False  # It would follow the schema, but its texts inside run on to the limit of tokens.


@pytest.mark.parametrize("is_stream", [False, True])
def test_texts_are_completed(is_stream):
    model = OpenAI(**ADDRESS, temperature=0, max_tokens=4)
    prompt = "The capital of France is"
    assert "Paris" in ("".join(model.stream(prompt)) if is_stream else model.invoke(prompt))


def test_texts_become_vectors():
    [first, second] = OpenAIEmbeddings(**ADDRESS, check_embedding_ctx_length=False).embed_documents(["Paris", "Rome"])
    assert len(first) == len(second) > 100
