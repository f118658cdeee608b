"""Ask a GGUF file something, with llama.cpp in a process of its own."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
import xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.n_ctx, parameters.warmup = sys.argv[1], 512, False
server = xllamacpp.Server(parameters)
answer = server.handle_chat_completions(
    {"messages": [{"role": "user", "content": sys.argv[2]}], "temperature": 0, "max_tokens": 24}
)
print("ANSWER", answer["choices"][0]["message"]["content"])
"""


def say(model: Path, prompt: str) -> str:
    """Give the greedy answer to one prompt, with the model's chat template applied."""
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(model), prompt], check=True, capture_output=True, text=True, timeout=120
    )
    return finished.stdout.partition("ANSWER ")[2].strip()
