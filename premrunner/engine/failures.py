"""Turn what an engine answers when it cannot into our errors, in words a user can act on."""

import re

import orjson

from premrunner.errors import ContextLengthExceeded, EngineRefused, InvalidRequest, ModelNotFound, PremRunnerError

# What a model cannot do is the caller's to change: another model, or another request.
CANNOT = {
    "does not support multimodal": ("This model cannot read images.", "messages"),
    "missing data required for image input": ("This model cannot read images.", "messages"),
    "does not support tools": ("This model cannot call tools.", "tools"),
    "does not support insert": ("This model cannot fill a gap, so it takes no suffix.", "suffix"),
    "does not support embeddings": ("This model cannot make embeddings.", "model"),
}
NOT_FOUND = re.compile(r"""model ["'](?P<name>[^"']*)["'] not found""")
WRONG_OPTION = re.compile(r'option "[^"]+" must be of type')
TOO_LONG = ("exceed_context_size", "exceeds the available context size", "prompt is longer than the context")
SERVER_PATH = re.compile(r"(?<![\w:/])(/[\w.+@~-]+){2,}/?")


def error_text(body: bytes) -> str:
    """Return the sentence in an error body: Ollama's ``{"error": …}``, its JSON inside a string, or plain text."""
    text = body.decode("utf-8", "replace").strip()
    for _ in range(3):  # Runner errors arrive as JSON in a string in JSON.
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            break
        inner = value.get("error", value.get("message")) if isinstance(value, dict) else value
        if isinstance(inner, dict):
            inner = inner.get("message") or orjson.dumps(inner).decode()
        if not isinstance(inner, str):
            break
        text = inner
    return text


def failure(status: int, body: bytes, model_name: str = "") -> PremRunnerError:
    """Return the error that an engine's answer means.

    Args:
        status: HTTP status; 0 for an error line inside a stream.
        body: The answer's body.
        model_name: Name to report when the engine says that a model is missing.
    """
    raw = body.decode("utf-8", "replace")
    text = error_text(body)
    if any(mark in raw for mark in TOO_LONG):
        return ContextLengthExceeded(f"The conversation is longer than the model can read: {text}")
    if WRONG_OPTION.search(text):
        return InvalidRequest(f"The engine does not take this: {text}.", param="options")
    for mark, (sentence, param) in CANNOT.items():
        if mark in text:
            return InvalidRequest(sentence, param=param)
    missing = NOT_FOUND.search(text)
    if missing and status in (0, 404):
        return ModelNotFound(model_name or missing["name"])
    return EngineRefused(without_paths(text) or f"The engine answered with status {status}.", status=status)


def without_paths(text: str) -> str:
    """Return the text with absolute paths of the server cut to their last part."""
    return SERVER_PATH.sub(lambda path: path[0].rstrip("/").rsplit("/", 1)[-1], text)


def stream_failure(line: dict[str, object], model_name: str = "") -> PremRunnerError:
    """Return the error that a ``{"error": …}`` line in a stream means."""
    return failure(0, orjson.dumps(line), model_name)
