"""One loaded model: llama.cpp's own HTTP server on a loopback port, in a process that a crash may take down.

``python -m premrunner.builtin.model_process`` reads its settings as one JSON line from standard input, and answers on
standard output with one JSON line, ``{"port": …}`` or ``{"error": …}``. When standard input ends, its parent has ended,
however that came: it leaves at once. llama.cpp's log goes to standard error.
"""

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Any

# llama.cpp keeps prompts of earlier chats in ordinary memory, 8 GB of them unless told otherwise.
_PROMPT_CACHE_MIB = 512
# 2 is warnings and errors, whose tail explains a failed load; 3 adds two lines a request.
_LOG_LEVEL = 2
# llama.cpp's number for mean pooling.
_POOLING_MEAN = 1
# A client that leaves while its prompt is read is noticed between two batches, and other chats get a token in between
# as well. 2048 tokens, llama.cpp's own choice, take seconds on a processor; 128 cost it hardly any speed.
_PROCESSOR_BATCH_TOKENS = 128


@dataclass(frozen=True)
class ModelSettings:
    """What a model is loaded with.

    Attributes:
        model_path: The GGUF.
        projector_path: The vision projector's GGUF, or "".
        template: Jinja chat template in place of the GGUF's own, or "".
        context_tokens: Tokens that each slot can hold.
        slots: Requests answered at the same time.
        threads: Threads that compute.
        secret: Key that requests must bear, so that no other user of the machine can use the port.
        is_embedding: Serve vectors instead of text.
        needs_mean_pooling: The GGUF names no pooling, so its token vectors are averaged.
        http_threads: Connections that llama.cpp serves at the same time.
    """

    model_path: str
    projector_path: str
    template: str
    context_tokens: int
    slots: int
    threads: int
    secret: str
    is_embedding: bool = False
    needs_mean_pooling: bool = False
    http_threads: int = 64

    def to_line(self) -> bytes:
        """Return the line that the child reads."""
        return json.dumps(asdict(self)).encode() + b"\n"


def _parameters(settings: ModelSettings) -> Any:
    import xllamacpp  # Only ever in this process: what kills llama.cpp must not reach the engine.

    wanted = xllamacpp.CommonParams()
    wanted.model.path = settings.model_path
    wanted.mmproj.path = settings.projector_path
    wanted.chat_template = settings.template
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.api_keys = [settings.secret]
    wanted.cors_origins = "http://127.0.0.1"
    wanted.ui = False
    wanted.verbosity = _LOG_LEVEL
    wanted.n_threads_http = settings.http_threads
    # llama.cpp divides the context among its slots; a request shall get all it asked for.
    wanted.n_ctx = settings.context_tokens * settings.slots
    wanted.n_parallel = settings.slots
    wanted.cache_ram_mib = _PROMPT_CACHE_MIB
    wanted.warmup = False  # The first prompt warms it as well, and loading answers sooner.
    wanted.cpuparams.n_threads = settings.threads
    wanted.cpuparams_batch.n_threads = settings.threads
    if not _has_accelerator(xllamacpp):
        wanted.n_batch = wanted.n_ubatch = _PROCESSOR_BATCH_TOKENS
        wanted.fit_params = False  # A trial load, to learn what fits into a graphics card.
    if settings.is_embedding:
        _make_embedding(wanted, settings, xllamacpp)
    return wanted


def _has_accelerator(xllamacpp: Any) -> bool:
    processor = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    return any(device["type"] != processor for device in xllamacpp.get_device_info())


def _make_embedding(wanted: Any, settings: ModelSettings, xllamacpp: Any) -> None:
    wanted.embedding = True
    # A text is pooled in one piece, so a batch must hold all of it.
    wanted.n_batch = wanted.n_ubatch = settings.context_tokens
    if settings.needs_mean_pooling:
        wanted.pooling_type = xllamacpp.llama_pooling_type(_POOLING_MEAN)


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Load the model that standard input names, serve it, and leave with the parent."""
    settings = ModelSettings(**json.loads(sys.stdin.buffer.readline()))
    watcher = threading.Thread(target=_leave_with_parent, name="parent watch", daemon=True)
    watcher.start()
    try:
        import xllamacpp

        server = xllamacpp.Server(_parameters(settings))
        answer: dict[str, object] = {"port": int(server.listening_address.rpartition(":")[2])}
    except (RuntimeError, ValueError, TypeError, ImportError, OSError) as failure:
        answer = {"error": str(failure)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    if "error" in answer:
        sys.exit(1)
    watcher.join()


if __name__ == "__main__":
    main()
