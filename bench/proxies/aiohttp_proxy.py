"""The fastest proxy that is as quickly written: aiohttp on both sides, with uvloop, bytes passed on as they come."""

import os
import sys

import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def chat(request: web.Request) -> web.StreamResponse:
    """Pass a chat on."""
    body = await request.read()
    answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    async with request.app["engine"].post(f"{os.environ['ENGINE']}/api/chat", data=body) as upstream:
        await answer.prepare(request)
        async for piece in upstream.content.iter_any():
            await answer.write(piece)
    await answer.write_eof()
    return answer


async def open_engine(app: web.Application) -> None:
    """Open the connections to the engine."""
    app["engine"] = ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None))


uvloop.install()
site = web.Application()
site.on_startup.append(open_engine)
site.router.add_post("/api/chat", chat)
web.run_app(site, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
