"""Tell what answers at an address: an engine, one that is starting, another program, or nothing."""

import http.client
import json
import socket
import threading
from dataclasses import dataclass

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineStatus
from premrunner.net.http import Cancellation, HttpPool

BUILTIN_ENGINE_NAME = "premrunner-builtin"
_OLLAMA_GREETING = b"Ollama is running"

# An engine answers these requests in a millisecond; one that is loading a model on a busy machine, in some hundred.
PROBE_TIMEOUT_SECONDS = 1.0
# Another program's front page may be long; nothing that identifies an engine is. A list of models may be.
_MOST_BYTES = 4 * 1024 * 1024
# A gateway in front of an engine says by these that the engine is not up.
_GATEWAY_STATUSES = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Probe:
    """What one look at an address found.

    Attributes:
        state: RUNNING, STARTING, WRONG_PROGRAM or STOPPED.
        version: What a running engine calls its version.
        engine_name: What it calls itself; None for Ollama, which does not say.
        detail: A sentence for the user; empty when it runs.
    """

    state: EngineStatus
    version: str | None = None
    engine_name: str | None = None
    detail: str = ""

    @property
    def is_builtin(self) -> bool:
        """Whether PremRunner's own engine answered."""
        return self.engine_name == BUILTIN_ENGINE_NAME


def probe(address: EngineAddress, timeout_seconds: float = PROBE_TIMEOUT_SECONDS) -> Probe:
    """Find out what answers at an address; takes at most about four times the timeout, whatever is there.

    Args:
        address: Where to look.
        timeout_seconds: Longest wait for a connection, and for the answers after it.
    """
    place = address.authority
    fault = why_unreachable(address, timeout_seconds)
    if fault is not None:
        return Probe(EngineStatus.STOPPED, detail=f"Nothing answers at {place}: {fault}.")
    pool = HttpPool(address.host, address.port, connect_timeout_seconds=timeout_seconds)
    try:
        return _identify(pool, place, timeout_seconds)
    except ConnectionRefusedError:
        return Probe(EngineStatus.STOPPED, detail=f"Nothing answers at {place} any more.")
    except (http.client.RemoteDisconnected, OSError):
        # Also the way of a container's port whose engine does not listen yet: it connects and hangs up.
        return Probe(EngineStatus.STARTING, detail=f"{place} accepts connections but does not answer yet.")
    except http.client.HTTPException:
        return _wrong_program(place, "it does not speak HTTP")
    finally:
        pool.close()


def why_unreachable(address: EngineAddress, timeout_seconds: float = PROBE_TIMEOUT_SECONDS) -> str | None:
    """Connect and hang up; return None if that worked, else why not.

    Leaves no line in Ollama's log, where each request does.
    """
    try:
        socket.create_connection((address.host, address.port), timeout_seconds).close()
    except ConnectionRefusedError:
        return "the connection was refused"
    except TimeoutError:
        return "the machine does not respond"
    except (socket.gaierror, UnicodeError):
        return "no machine of that name is known"
    except OSError:
        return "the machine cannot be reached"
    return None


def _identify(pool: HttpPool, place: str, timeout_seconds: float) -> Probe:
    status, body = _get(pool, "/api/version", timeout_seconds)
    if status == 403 and not body:
        return _wrong_program(place, "it refused the request (403), as an Ollama does that does not know this address")
    if status in _GATEWAY_STATUSES:
        return Probe(EngineStatus.STARTING, detail=f"A gateway answers at {place} ({status}), no engine behind it yet.")
    answer = _json_object(body)
    version, engine_name = answer.get("version"), answer.get("engine")
    if status != 200 or not isinstance(version, str):
        return _wrong_program(place, f"it answered GET /api/version with status {status} and no version")
    if engine_name == BUILTIN_ENGINE_NAME:
        return Probe(EngineStatus.RUNNING, version, BUILTIN_ENGINE_NAME)
    # Many programs have a version; two more questions tell Ollama and what speaks its language from the rest.
    if _get(pool, "/", timeout_seconds)[1].strip() == _OLLAMA_GREETING:
        return Probe(EngineStatus.RUNNING, version)
    status, body = _get(pool, "/api/tags", timeout_seconds)
    if status == 200 and isinstance(_json_object(body).get("models"), list):
        return Probe(EngineStatus.RUNNING, version)
    return _wrong_program(place, "it has a version but neither Ollama's greeting nor its list of models")


def _get(pool: HttpPool, path: str, timeout_seconds: float) -> tuple[int, bytes]:
    """Ask once; a program that dribbles its answer is cut at the timeout as a silent one is."""
    cancellation = Cancellation()
    alarm = threading.Timer(timeout_seconds, cancellation.cancel)
    alarm.daemon = True
    alarm.start()
    try:
        with pool.request("GET", path, timeout_seconds=timeout_seconds, cancellation=cancellation) as reply:
            body = b""
            while len(body) <= _MOST_BYTES and (data := reply.read_some()):
                body += data
            return reply.status, body
    finally:
        alarm.cancel()


def _json_object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _wrong_program(place: str, sign: str) -> Probe:
    return Probe(
        EngineStatus.WRONG_PROGRAM,
        detail=f"Another program uses {place}: {sign}. Stop it, or set OLLAMA_HOST to another port.",
    )
