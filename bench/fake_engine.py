"""An engine that streams at a set rate, as Ollama would: ``python -m bench.fake_engine PORT``.

A model named ``r20n100`` says 20 tokens a second, 100 in all. Each token carries the moment when it was sent, for
``stream_client.py``. Tokens that are due at the same moment leave in one write, as one chunk of HTTP each.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

MODELS = ("r20n1", "r20n20", "r20n200", "r1000n5000")
# Nothing sleeps for less, so a thousand tokens a second leave in pairs or more.
TICK_SECONDS = 0.002
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
CREATED_AT = "2026-01-01T00:00:00.000000000Z"

ANSWERS: dict[str, Any] = {
    "/api/version": {"version": "0.13.0"},
    "/api/ps": {"models": []},
    "/api/show": {"details": {}, "model_info": {}, "capabilities": ["completion"]},
    "/api/tags": {
        "models": [
            {"name": f"{name}:latest", "model": f"{name}:latest", "size": 1, "digest": "0" * 64, "details": {}}
            | {"modified_at": CREATED_AT}
            for name in MODELS
        ]
    },
}


def token_line(model: str) -> bytes:
    """Return a token as a chunk of HTTP."""
    line = b'{"model":"%s","created_at":"%s","message":{"role":"assistant","content":" @%.6f"},"done":false}\n' % (
        model.encode(),
        CREATED_AT.encode(),
        time.monotonic(),
    )
    return b"%x\r\n%s\r\n" % (len(line), line)


def last_line(model: str, count: int) -> bytes:
    """Return the end of an answer, and of the HTTP body."""
    done = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": count, "total_duration": 1}
    line = json.dumps(
        {"model": model, "created_at": CREATED_AT, "message": {"role": "assistant", "content": ""}} | done
    )
    return b"%x\r\n%s\n\r\n0\r\n\r\n" % (len(line) + 1, line.encode())


async def say(writer: asyncio.StreamWriter, model: str) -> None:
    """Stream one answer."""
    rate, count = (int(number) for number in re.findall(r"\d+", model)[:2])
    writer.write(HEAD % b"application/x-ndjson" + b"Transfer-Encoding: chunked\r\n\r\n")
    begun, said = time.monotonic(), 0
    while said < count and not writer.is_closing():
        due = min(count, int((time.monotonic() - begun) * rate) + 1)
        for _ in range(due - said):
            writer.write(token_line(model))
        said = max(said, due)
        await writer.drain()
        await asyncio.sleep(max(begun + said / rate - time.monotonic(), TICK_SECONDS))
    writer.write(last_line(model, count))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection's requests."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1].split("?")[0]
            length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            if path == "/api/chat":
                await say(writer, json.loads(body)["model"])
            else:
                data = json.dumps(ANSWERS[path]).encode() if path in ANSWERS else b"Ollama is running"
                kind = b"application/json" if path in ANSWERS else b"text/plain"
                writer.write(HEAD % kind + b"Content-Length: %d\r\n\r\n" % len(data) + data)
            await writer.drain()
            if "connection: close" in head.lower():
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # The other side has left.
    finally:
        writer.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
