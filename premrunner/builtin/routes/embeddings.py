"""Texts as vectors."""

import math
import time
from http import HTTPStatus
from typing import Any

from flask import Blueprint, request

from premrunner.builtin.body import Body
from premrunner.builtin.manifests import Manifest
from premrunner.builtin.options import read_options
from premrunner.builtin.refusals import Refusal
from premrunner.builtin.runner import Runner
from premrunner.builtin.services import services
from premrunner.net.http import Cancellation

bp = Blueprint("embeddings", __name__)

# A safe share of the context for the marks that a tokenizer adds at both ends.
_MARK_TOKENS = 2


@bp.post("/api/embed")
def embed() -> dict[str, Any]:
    """Return a vector of length 1 for each text.

    Works with every model: one that was not trained for it gives the average of its tokens' vectors, which is good
    enough to try things, where real Ollama answers 501.
    """
    started_at = time.monotonic_ns()
    body = Body.of(request)
    manifest = _manifest(body.model())
    texts = _texts(body.get("input"))
    vectors, tokens, load_duration = _vectors(body, manifest, texts)
    dimensions = body.integer("dimensions")
    return {
        "model": body.model(),
        "embeddings": [_normalised(vector[:dimensions] if dimensions > 0 else vector) for vector in vectors],
        "total_duration": time.monotonic_ns() - started_at,
        "load_duration": load_duration,
        "prompt_eval_count": tokens,
    }


@bp.post("/api/embeddings")
def embed_one() -> dict[str, Any]:
    """Return the vector of one text; the older form of the call."""
    body = Body.of(request)
    manifest = _manifest(body.model())
    prompt = body.text("prompt")
    vectors, _, _ = _vectors(body, manifest, [prompt] if prompt else [])
    return {"embedding": _normalised(vectors[0]) if vectors else []}


def _manifest(model: str) -> Manifest:
    if not model:
        raise Refusal("model '' not found", HTTPStatus.NOT_FOUND)
    manifest = services().find(model)
    if manifest is None:
        raise Refusal(f'model "{model}" not found, try pulling it first', HTTPStatus.NOT_FOUND)
    return manifest


def _texts(wanted: object) -> list[str]:
    if isinstance(wanted, str):
        return [wanted] if wanted else []
    if wanted is None:
        return []
    if isinstance(wanted, list) and all(isinstance(text, str) for text in wanted):
        return wanted
    raise Refusal("invalid input type")


def _vectors(body: Body, manifest: Manifest, texts: list[str]) -> tuple[list[list[float]], int, int]:
    """Return the texts' vectors, their tokens, and the nanoseconds that loading took."""
    built = services()
    context_tokens = read_options(manifest.parameters, body.mapping("options")).context_tokens
    plan = built.planner.plan(manifest, context_tokens, is_embedding=True)
    keep_alive_seconds = built.keep_alive(body.get("keep_alive"))
    cancellation = Cancellation()
    started_at = time.monotonic_ns()
    with (
        built.departures.watch(request.environ.get("gunicorn.socket"), cancellation.cancel),
        built.runners.use(plan, keep_alive_seconds, cancellation) as runner,
    ):
        load_duration = time.monotonic_ns() - started_at
        if not texts:
            return [], 0, load_duration
        may_cut = body.flag("truncate", default=True)
        inputs = [_fitted(runner, text, may_cut=may_cut, cancellation=cancellation) for text in texts]
        answer: Any = runner.ask("/v1/embeddings", {"input": inputs}, cancellation)
    ordered = sorted(answer["data"], key=lambda item: item["index"])
    return [item["embedding"] for item in ordered], answer["usage"]["prompt_tokens"], load_duration


def _fitted(runner: Runner, text: str, *, may_cut: bool, cancellation: Cancellation) -> str | list[int]:
    """Return a text, or the tokens of its beginning if it is longer than the model can read."""
    most = runner.settings.context_tokens - _MARK_TOKENS
    if len(text.encode()) <= most:  # A token is at least one byte.
        return text
    answer: Any = runner.ask("/tokenize", {"content": text, "add_special": True}, cancellation)
    tokens: list[int] = answer["tokens"]
    if len(tokens) <= most:
        return text
    if not may_cut:
        raise Refusal("the input length exceeds the context length")
    return tokens[:most]


def _normalised(vector: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(number * number for number in vector))
    if not math.isfinite(length):
        raise Refusal("embedding contains NaN or Inf values")
    return [number / length for number in vector] if length else vector
