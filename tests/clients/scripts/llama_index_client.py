"""LlamaIndex's OpenAILike, as a chat model and, its default, as one that completes texts."""

import json
import os
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

ADDRESS = {"model": os.environ["MODEL"], "api_base": os.environ["BASE"] + "/v1", "api_key": os.environ["TOKEN"]}
FRANCE = [ChatMessage(role="user", content="What is the capital of France?")]

chatting = OpenAILike(**ADDRESS, is_chat_model=True, temperature=0)
completing = OpenAILike(**ADDRESS, temperature=0, max_tokens=4)

sys.stdout.write(
    json.dumps(
        {
            "chat": chatting.chat(FRANCE).message.content,
            "stream": [piece.message.content for piece in chatting.stream_chat(FRANCE)][-1],
            "complete": completing.complete("The capital of France is").text,
            "stream_complete": [piece.text for piece in completing.stream_complete("The capital of France is")][-1],
        }
    )
)
