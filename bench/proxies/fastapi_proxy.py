"""The proxy that one writes first: FastAPI and httpx, bytes passed on as they come (uvicorn, uvloop, httptools)."""

import os
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()
limits = httpx.Limits(max_connections=1000, max_keepalive_connections=500)
engine = httpx.AsyncClient(base_url=os.environ["ENGINE"], timeout=None, limits=limits, trust_env=False)


@app.post("/api/chat")
async def chat(request: Request) -> StreamingResponse:
    """Pass a chat on."""
    body = await request.body()

    async def pieces() -> AsyncIterator[bytes]:
        async with engine.stream("POST", "/api/chat", content=body) as answer:
            async for piece in answer.aiter_raw():
                yield piece

    return StreamingResponse(pieces(), media_type="application/x-ndjson")
