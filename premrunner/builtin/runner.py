"""One child process that holds one loaded model, and the requests to it."""

import http.client
import logging
import re
import secrets
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import IO, Any, cast

import orjson

from premrunner.builtin.model_process import ModelSettings
from premrunner.builtin.refusals import MODEL_CRASHED, Refusal
from premrunner.builtin.sse import events
from premrunner.errors import Cancelled, PremRunnerError
from premrunner.net.http import Cancellation, HttpPool, HttpReply

logger = logging.getLogger(__name__)

_LOG_LINES_KEPT = 40
# Ollama waits as long for a load that makes no progress.
_LOAD_SECONDS_MOST = 300.0
# libgomp's threads spin at every barrier, a thousand times a token. Where another program keeps the cores busy, each
# costs a whole time slice: 0.3 tokens/s instead of 70 were seen during a compilation. After so many turns they sleep;
# on an idle machine this is no slower than spinning on (114 against 104 tokens/s).
_SPIN_TURNS = "3000"
_LOG_PREFIX = re.compile(r"^[\d.]+ [EW] (?:\w+ +)?\w+: ")


@dataclass(frozen=True)
class RunnerKey:
    """What makes two requests able to share one loaded model."""

    model_digest: str
    projector_digest: str
    template: str
    is_embedding: bool

    def is_same_model(self, other: "RunnerKey") -> bool:
        """Tell whether another is the same model, for text or for vectors."""
        return replace(self, is_embedding=other.is_embedding) == other


class Runner:
    """A model in its process: start it, ask it, stop it.

    Args:
        settings: How to load it; its secret is made here.
        environment: Environment of the process.
    """

    def __init__(self, settings: ModelSettings, environment: dict[str, str]) -> None:
        self.settings = replace(settings, secret=secrets.token_urlsafe(24))
        self._environment = {**environment, "GOMP_SPINCOUNT": _SPIN_TURNS}
        self._process: subprocess.Popen[bytes] | None = None
        self._pool: HttpPool | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
        self._is_stopped = False
        # A process that was killed lingers for a moment after its connections broke.
        self._is_broken = False

    def start(self) -> None:
        """Start the process and return when the model is loaded.

        Raises:
            Refusal: It could not be loaded, or was stopped meanwhile; says why as far as llama.cpp does.
        """
        self._process = process = _spawn(self._environment)
        if self._is_stopped:
            process.kill()
        log_reader = threading.Thread(target=self._keep_log, args=[process.stderr], name="model log", daemon=True)
        log_reader.start()
        deadline = threading.Timer(_LOAD_SECONDS_MOST, process.kill)
        deadline.start()
        try:
            self._pool = HttpPool("127.0.0.1", _handshake(process, self.settings))
        except (OSError, ValueError, KeyError) as error:
            process.kill()
            process.wait()
            log_reader.join(1.0)
            raise Refusal(f"model failed to load: {self._reason()}", HTTPStatus.INTERNAL_SERVER_ERROR) from error
        finally:
            deadline.cancel()

    @property
    def process_id(self) -> int | None:
        """The process's number, None before it started."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs and no exchange with it has broken off."""
        return not self._is_broken and self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the process at once; it has nothing to save. Safe from any thread, also during the start."""
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._pool is not None:
            self._pool.close()

    def ask(self, path: str, body: object, cancellation: Cancellation) -> dict[str, Any]:
        """Send a request and return the answer's JSON object.

        Raises:
            Refusal: llama.cpp refused, or the process is gone.
            Cancelled: The exchange was cut.
        """
        try:
            with self._request(path, body, cancellation) as reply:
                answer: dict[str, Any] = orjson.loads(reply.read())
                return answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(error, cancellation) from error

    def stream(self, path: str, body: object, cancellation: Cancellation) -> Generator[dict[str, Any], None, None]:
        """Send a request and yield the events of its answer; nothing is sent before the first is asked for.

        Raises:
            Refusal: llama.cpp refused, reported an error, or the process is gone.
            Cancelled: The exchange was cut.
        """
        try:
            with self._request(path, body, cancellation) as reply:
                for event in events(iter(reply.read_some, b"")):
                    if "error" in event:
                        raise Refusal(orjson.dumps(event).decode(), HTTPStatus.INTERNAL_SERVER_ERROR)
                    yield event
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(error, cancellation) from error

    def _lost(self, error: Exception, cancellation: Cancellation) -> PremRunnerError:
        if cancellation.is_cancelled:
            return Cancelled()
        self._is_broken = self._is_broken or not isinstance(error, ValueError)
        return Refusal(MODEL_CRASHED, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _request(self, path: str, body: object, cancellation: Cancellation) -> HttpReply:
        if self._pool is None:
            raise Refusal(MODEL_CRASHED, HTTPStatus.INTERNAL_SERVER_ERROR)
        headers = {
            "Authorization": f"Bearer {self.settings.secret}",
            "Content-Type": "application/json",
            # After a stream llama.cpp closes the connection without saying so; reusing it would be a race.
            "Connection": "close",
        }
        reply = self._pool.request("POST", path, orjson.dumps(body), headers, cancellation=cancellation)
        if reply.status != HTTPStatus.OK:
            # Ollama passes llama.cpp's JSON on as a string, and clients look into it.
            raise Refusal(reply.read().decode(errors="replace").strip(), reply.status)
        return reply

    def _keep_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._log.append(line.decode(errors="replace").rstrip())
            logger.debug("llama.cpp said: %s", self._log[-1], extra={"process_id": self.process_id})

    def _reason(self) -> str:
        """Return the first error llama.cpp logged, without paths of this machine."""
        if self._is_stopped:
            return "it was unloaded meanwhile"
        errors = [line for line in list(self._log) if " E " in line] or list(self._log)[-1:]
        if not errors:
            return "its process ended without a word, which happens when memory runs out"
        reason = _LOG_PREFIX.sub("", errors[0])
        for path in (self.settings.model_path, self.settings.projector_path):
            reason = reason.replace(path, "the model's file") if path else reason
        return reason


def _spawn(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C in the terminal is for the engine, which then ends its models itself.
    return subprocess.Popen(
        [sys.executable, "-m", "premrunner.builtin.model_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def _handshake(process: "subprocess.Popen[bytes]", settings: ModelSettings) -> int:
    """Tell a process what to load and return its port when that is done; KeyError if it could not."""
    to_child, from_child = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    to_child.write(settings.to_line())
    to_child.flush()
    port: int = orjson.loads(from_child.readline())["port"]
    return port
