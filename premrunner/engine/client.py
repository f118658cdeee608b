"""Ollama's HTTP API, one method an endpoint.

The facts behind each line are in the contract that ``tests/contract`` checks: success of a stream is its last line and
not its status, a chat without ``done`` was cut, and an engine that dies shows as a closed connection.
"""

import http.client
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson

from premrunner.engine.chat_lines import chat_body, chunk_of, completion_body, completion_chunk_of
from premrunner.engine.failures import failure, stream_failure
from premrunner.engine.ndjson import NdjsonDecoder
from premrunner.errors import Cancelled, EngineBroken, EngineLost, EngineNotReady
from premrunner.net.http import Cancellation, HttpPool, HttpReply, Readable
from premrunner.records import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    EngineModel,
    LoadedModel,
)

# Lists and look-ups: an engine that is alive answers these at once, one that still starts does not.
QUICK_SECONDS = 10.0

Progress = Callable[[Mapping[str, Any]], None]
Line = dict[str, Any]
Said = TypeVar("Said")


class EngineClient:
    """Talks to the engine, wherever it is.

    Args:
        find_pool: Returns connections to it, or raises EngineNotReady.
    """

    def __init__(self, find_pool: Callable[[], HttpPool]) -> None:
        self._find_pool = find_pool

    def version(self) -> str:
        """Return the engine's version."""
        return str(self._json("GET", "/api/version").get("version", ""))

    def models(self) -> list[EngineModel]:
        """Return the models on the engine's disk, newest first."""
        return [
            EngineModel(
                name=item.get("model") or item.get("name") or "",
                size_bytes=int(item.get("size") or 0),
                digest=item.get("digest") or "",
                modified_at=item.get("modified_at") or "",
                details=item.get("details") or {},
                capabilities=item.get("capabilities"),
            )
            for item in self._json("GET", "/api/tags").get("models") or ()
        ]

    def loaded(self) -> list[LoadedModel]:
        """Return the models in the engine's memory."""
        return [
            LoadedModel(
                name=item.get("model") or item.get("name") or "",
                size_bytes=int(item.get("size") or 0),
                expires_at=item.get("expires_at") or "",
                context_length=int(item.get("context_length") or 0),
            )
            for item in self._json("GET", "/api/ps").get("models") or ()
        ]

    def show(self, model: str) -> dict[str, Any]:
        """Return everything the engine knows of a model: template, parameters, ``model_info``, capabilities.

        Raises:
            ModelNotFound: The engine has no such model.
        """
        return self._json("POST", "/api/show", {"model": model}, model_name=model)

    def has_blob(self, sha256: str, *, cancellation: Cancellation | None = None) -> bool:
        """Tell whether the engine holds a blob.

        Args:
            sha256: 64 hex digits of the content's digest.
            cancellation: Switch to give up.
        """
        path = f"/api/blobs/sha256:{sha256}"
        with self._request("HEAD", path, timeout_seconds=QUICK_SECONDS, cancellation=cancellation) as reply:
            reply.read()
            return reply.status == http.client.OK

    def push_blob(
        self, sha256: str, body: Readable, size_bytes: int, *, cancellation: Cancellation | None = None
    ) -> None:
        """Send a blob; returns when the engine has verified and stored it.

        Args:
            sha256: 64 hex digits of the content's digest.
            body: The content from its start; read in pieces of 1 MiB.
            size_bytes: Its length.
            cancellation: Switch to give up.
        """
        path = f"/api/blobs/sha256:{sha256}"
        with self._request("POST", path, body, {"Content-Length": str(size_bytes)}, cancellation=cancellation) as reply:
            _check(reply)

    def create(
        self,
        model: str,
        *,
        files: Mapping[str, str] | None = None,
        source: str | None = None,
        system: str | None = None,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        """Create a model from blobs or from another model.

        Args:
            model: Name of the new model; an existing one of that name is replaced.
            files: File name to ``sha256:…`` of blobs the engine holds.
            source: Name of the model to start from instead.
            system: Default system prompt.
            template: Chat template in the engine's own language.
            parameters: Default options.
            progress: Called with each status line.
            cancellation: Switch to give up.
        """
        body = {
            "model": model,
            "files": files,
            "from": source,
            "system": system,
            "template": template,
            "parameters": parameters,
            "stream": True,
        }
        self._until_success(
            "/api/create", {name: value for name, value in body.items() if value is not None}, progress, cancellation
        )

    def pull(self, model: str, cancellation: Cancellation | None = None) -> Generator[dict[str, Any], None, None]:
        """Have the engine download a model from its registry, and yield its lines.

        Those of a layer carry its ``digest``, and ``completed`` and ``total`` bytes.

        Raises:
            EngineError: The engine could not, or ended before it had finished.
        """
        return self._stream("/api/pull", {"model": model, "stream": True}, dict, _is_successful, cancellation)

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name."""
        self._json("POST", "/api/copy", {"source": source, "destination": destination}, model_name=source)

    def delete(self, model: str) -> None:
        """Unload a model and remove it; Ollama alone would leave a deleted model in memory."""
        self.unload(model)
        self._json("DELETE", "/api/delete", {"model": model}, model_name=model)

    def load(self, model: str, *, is_embedding: bool = False) -> None:
        """Bring a model into memory; returns when it is there.

        Args:
            model: The engine's name of it.
            is_embedding: Whether it makes vectors alone; the engine would refuse to load it for text.
        """
        path, empty = ("/api/embed", "input") if is_embedding else ("/api/generate", "prompt")
        body = {"model": model, empty: "", "stream": False}
        self._json("POST", path, body, model_name=model, timeout_seconds=None)

    def unload(self, model: str) -> None:
        """Take a model out of memory; harmless when it is not there."""
        body = {"model": model, "keep_alive": 0, "stream": False}
        self._json("POST", "/api/generate", body, model_name=model)

    def embed(
        self, request: EmbeddingRequest, cancellation: Cancellation | None = None
    ) -> tuple[list[list[float]], int]:
        """Return one vector of length 1 a text, and the number of tokens read."""
        body: dict[str, Any] = {"model": request.model, "input": list(request.texts)}
        for name in ("dimensions", "keep_alive"):
            if getattr(request, name) is not None:
                body[name] = getattr(request, name)
        answer = self._json(
            "POST", "/api/embed", body, model_name=request.model, timeout_seconds=None, cancellation=cancellation
        )
        return answer.get("embeddings") or [], int(answer.get("prompt_eval_count") or 0)

    def chat(self, request: ChatRequest, cancellation: Cancellation | None = None) -> Generator[ChatChunk, None, None]:
        """Yield the answer as it is generated; its last chunk has a ``finish_reason`` and ``usage``.

        Closing the generator, or the cancellation from another thread, stops the engine.

        Raises:
            ModelNotFound: The engine has no such model.
            ContextLengthExceeded: The conversation does not fit.
            EngineRefused: Another error answer, before or inside the stream.
            EngineLost: The engine went away.
            EngineBroken: The stream ended before its last line.
            Cancelled: The switch was used.
        """
        return self._stream("/api/chat", chat_body(request), chunk_of, _is_done, cancellation)

    def generate(
        self, request: CompletionRequest, cancellation: Cancellation | None = None
    ) -> Generator[ChatChunk, None, None]:
        """Yield how a text goes on, or what fills a gap; ends and fails as a chat does."""
        return self._stream("/api/generate", completion_body(request), completion_chunk_of, _is_done, cancellation)

    def _until_success(
        self, path: str, body: Mapping[str, Any], progress: Progress | None, cancellation: Cancellation | None
    ) -> None:
        for line in self._stream(path, body, dict, _is_successful, cancellation):
            if progress is not None:
                progress(line)

    def _stream(
        self,
        path: str,
        body: Mapping[str, Any],
        read: Callable[[Line], Said],
        is_last: Callable[[Line], bool],
        cancellation: Cancellation | None,
    ) -> Generator[Said, None, None]:
        """Yield what the lines of an answer say.

        One generator and not one a step: gevent copies the stack of each stream for each event, and 200 streams have
        no place in the processor's cache.

        Args:
            path: What to post to.
            body: What to post.
            read: Turns a line into what is yielded.
            is_last: Tells whether a line is one that an answer may end with.
            cancellation: Switch to give up.
        """
        is_complete, decoder, data = False, NdjsonDecoder(), b"unread"
        with self._request("POST", path, orjson.dumps(body), cancellation=cancellation) as reply:
            if reply.status != http.client.OK:
                raise failure(reply.status, reply.read(), body["model"])
            while data:  # To the end of the body, past the last line, so that the connection can be used again.
                data = reply.read_some()
                for line in decoder.feed(data):
                    if "error" in line:
                        raise stream_failure(line, body["model"])
                    is_complete = is_last(line)
                    yield read(line)
        if not is_complete:
            raise EngineBroken(f"The engine stopped before it had finished with '{body['model']}'.")

    def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        model_name: str = "",
        timeout_seconds: float | None = QUICK_SECONDS,
        cancellation: Cancellation | None = None,
    ) -> dict[str, Any]:
        data = None if body is None else orjson.dumps(body)
        with self._request(method, path, data, timeout_seconds=timeout_seconds, cancellation=cancellation) as reply:
            answer = _check(reply, model_name)
        try:
            value = orjson.loads(answer or b"{}")
        except orjson.JSONDecodeError as error:
            raise EngineBroken(f"{method} {path}: the engine's answer is not JSON.") from error
        return value if isinstance(value, dict) else {}

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        body: bytes | Readable | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Iterator[HttpReply]:
        """Run one exchange and translate every fault of the connection, also while the body is read."""
        cancellation = cancellation or Cancellation()
        has_answered = False
        try:
            with self._find_pool().request(
                method, path, body, headers, timeout_seconds=timeout_seconds, cancellation=cancellation
            ) as reply:
                has_answered = True
                yield reply
        except (OSError, http.client.HTTPException) as error:
            if cancellation.is_cancelled:
                raise Cancelled from error
            if isinstance(error, ConnectionRefusedError):
                raise EngineNotReady("The engine is not running.") from error
            if isinstance(error, TimeoutError):
                raise EngineNotReady("The engine did not answer in time.") from error
            when = "in the middle of its answer" if has_answered else "before it answered"
            raise EngineLost(f"The engine went away {when}. Try again; it is restarted by itself.") from error


def _is_done(line: Line) -> bool:
    return bool(line.get("done"))


def _is_successful(line: Line) -> bool:
    return line.get("status") == "success"


def _check(reply: HttpReply, model_name: str = "") -> bytes:
    """Return the body of a good answer, or raise what a bad one means."""
    body = reply.read()
    if reply.status >= http.client.BAD_REQUEST:
        raise failure(reply.status, body, model_name)
    return body
