"""How a model is loaded: its context, its slots and its threads, from its header and this machine."""

import os

from premrunner.builtin.library import Library
from premrunner.builtin.manifests import Manifest
from premrunner.builtin.model_process import ModelSettings
from premrunner.builtin.runner import RunnerKey
from premrunner.builtin.runners import RunnerPlan
from premrunner.weights.gguf_header import GgufHeader

# Ollama's default on machines without a large graphics card.
DEFAULT_CONTEXT_TOKENS = 4096
SLOTS_MOST = 4
# The attention caches of one model shall not take more of the machine's memory than this.
_CACHE_SHARE = 1 / 8
_UNLIMITED = 2**31 - 1


class Planner:
    """Decides how models are loaded.

    Args:
        library: Where they are.
        context_tokens: Context of requests that name none.
        slots: Requests a model answers at the same time; None fits as many as memory allows, up to `SLOTS_MOST`.
        threads: Computing threads a model; None takes one a core.
        requests_most: Requests that may be on their way to one model; llama.cpp holds a thread for each.
    """

    def __init__(
        self, library: Library, *, context_tokens: int, slots: int | None, threads: int | None, requests_most: int
    ) -> None:
        self._library = library
        self._context_tokens = context_tokens
        self._slots = slots
        self._threads = threads or _cores()
        self._requests_most = requests_most

    def plan(self, manifest: Manifest, context_tokens: int | None, *, is_embedding: bool = False) -> RunnerPlan:
        """Return how to load a model for a request.

        Args:
            manifest: The model.
            context_tokens: What the request or the model's parameters want; None is the default. Never more than
                the model was trained for, as in Ollama.
            is_embedding: For vectors. A model without pooling of its own then averages its tokens' vectors.
        """
        header = self._library.header(manifest.model_digest)
        tokens = min(context_tokens or self._context_tokens, header.number(".context_length") or _UNLIMITED)
        slots = 1 if is_embedding else self._slots or slots_that_fit(header, tokens, _memory_bytes())
        key = RunnerKey(manifest.model_digest, manifest.projector_digest, manifest.template, is_embedding)
        blobs = self._library.blobs
        settings = ModelSettings(
            model_path=str(blobs.path(manifest.model_digest)),
            projector_path=str(blobs.path(manifest.projector_digest)) if manifest.projector_digest else "",
            template=manifest.template,
            context_tokens=tokens,
            slots=slots,
            threads=self._threads,
            secret="",
            is_embedding=is_embedding,
            needs_mean_pooling=f"{header.architecture}.pooling_type" not in header.metadata,
            http_threads=self._requests_most,
        )
        return RunnerPlan(key, settings, manifest.name)


def slots_that_fit(header: GgufHeader, context_tokens: int, memory_bytes: int) -> int:
    """Return how many requests a model may answer at the same time, each with its whole context."""
    cache_bytes = header.cache_bytes_a_token * context_tokens
    if not cache_bytes:
        return 1
    return max(1, min(SLOTS_MOST, int(memory_bytes * _CACHE_SHARE / cache_bytes)))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Not on macOS.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
