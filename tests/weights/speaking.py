"""Ask a GGUF file something, with llama.cpp in a process of its own."""

import json
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


_TOKENIZER = """
import json, sys, urllib.request
import xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.n_ctx, parameters.warmup = sys.argv[1], 256, False
server = xllamacpp.Server(parameters)
for text in json.loads(sys.argv[2]):
    body = json.dumps({"content": text, "add_special": False}).encode()
    request = urllib.request.Request(server.listening_address + "/tokenize", body, {"Content-Type": "application/json"})
    print("TOKENS", json.dumps(json.load(urllib.request.urlopen(request))["tokens"]))
"""


def tokenize(model: Path, texts: list[str]) -> list[list[int]]:
    """Give llama.cpp's tokens of some texts."""
    finished = subprocess.run(
        [sys.executable, "-c", _TOKENIZER, str(model), json.dumps(texts)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = finished.stdout.splitlines()
    return [json.loads(line.removeprefix("TOKENS ")) for line in lines if line.startswith("TOKENS ")]


def say(model: Path, prompt: str) -> str:
    """Give the greedy answer to one prompt, with the model's chat template applied."""
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(model), prompt], check=True, capture_output=True, text=True, timeout=120
    )
    return finished.stdout.partition("ANSWER ")[2].strip()
