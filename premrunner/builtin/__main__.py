"""``python -m premrunner.builtin``: the engine without the rest of PremRunner's command line."""

import argparse
import logging
from pathlib import Path

from premrunner.builtin.planning import DEFAULT_CONTEXT_TOKENS
from premrunner.builtin.server import KEEP_ALIVE_SECONDS, MAX_LOADED_MODELS, MAX_QUEUE, serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="premrunner.builtin", description="Serve Ollama's HTTP API over llama.cpp.")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=11434)
    parser.add_argument("--store", type=Path, required=True, help="folder of the models")
    parser.add_argument("--max-loaded-models", type=int, default=MAX_LOADED_MODELS)
    parser.add_argument("--keep-alive", type=float, default=KEEP_ALIVE_SECONDS, help="seconds; negative is for ever")
    parser.add_argument("--parallel", type=int, help="requests a model answers at once; decided by memory if absent")
    parser.add_argument("--context-length", type=int, default=DEFAULT_CONTEXT_TOKENS)
    parser.add_argument("--threads", type=int, help="computing threads a model; one a core if absent")
    parser.add_argument("--max-queue", type=int, default=MAX_QUEUE, help="requests that may wait for a model")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(
        options.host,
        options.port,
        options.store,
        max_loaded_models=options.max_loaded_models,
        keep_alive_seconds=options.keep_alive,
        parallel=options.parallel,
        context_length=options.context_length,
        threads=options.threads,
        max_queue=options.max_queue,
    )


if __name__ == "__main__":
    main()
