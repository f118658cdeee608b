"""What an import tells, as pages follow it: over a socket, from any web process, until the server ends."""

import os
import shutil
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import orjson
import pytest
import requests
from conftest import TOKEN, start_server, stop_server
from live.processes import children_of, command_of, wait_until_gone
from simple_websocket import Client, ConnectionClosed

from .conftest import ImportClient

pytestmark = pytest.mark.usefixtures("empty_server")


def socket_address(server, query: str = "") -> str:
    return f"{server.url.replace('http', 'ws')}/ws/progress{query}"


def test_the_socket_replays_what_a_page_missed_and_then_follows(imports, import_server, starter_gguf):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    model_id = imports.upload(starter_gguf, "Watched")
    imports.wait(model_id)
    seen = []
    with_replay = Client(socket_address(import_server, "?after=0"), headers=bearer)
    while not seen or seen[-1]["status"] != "ready" or seen[-1]["modelId"] != model_id:
        seen.append(orjson.loads(with_replay.receive(timeout=60)))
    assert [event["number"] for event in seen] == sorted({event["number"] for event in seen})
    after = seen[-1]["number"]
    imports.delete(model_id)
    second = imports.upload(starter_gguf, "Watched again")
    followed = [orjson.loads(with_replay.receive(timeout=60)) for _ in range(4)]
    with_replay.close()
    assert all(event["number"] > after and event["modelId"] == second for event in followed)
    assert followed[0]["status"] == "queued"
    imports.wait(second)
    imports.delete(second)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Origin": "http://evil.example"}])
def test_the_socket_is_closed_to_strangers_and_to_other_sites(import_server, headers):
    allowed = {"Authorization": f"Bearer {TOKEN}"} if "Origin" in headers else {}
    assert status_of_handshake(import_server, allowed | headers) == (403 if "Origin" in headers else 401)


def status_of_handshake(server, headers: dict[str, str]) -> int:
    """Ask for a socket, and return the status of an answer that gives none."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return requests.get(server.url + "/ws/progress", headers=upgrade | headers, timeout=10).status_code


FIRST_EVENT = """() => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws/progress");
    socket.onopen = () => { document.title = "open"; };
    socket.onmessage = message => { socket.close(); resolve(JSON.parse(message.data)); };
    socket.onclose = () => reject(new Error("closed"));
})"""


def test_a_page_of_ours_follows_with_its_session_and_one_of_another_site_does_not(
    imports, import_server, starter_gguf, chromium
):
    with chromium.new_context() as browser:
        page = browser.new_page()
        page.goto(f"{import_server.url}/login?token={TOKEN}")
        page.evaluate(f"() => {{ window.first = ({FIRST_EVENT})(); }}")
        while page.title() != "open":
            time.sleep(0.05)
        model_id = imports.upload(starter_gguf, "Followed")
        first = page.evaluate("() => window.first")
        cookie = "; ".join(f"{one['name']}={one['value']}" for one in browser.cookies())
    assert (first["modelId"], first["status"]) == (model_id, "queued")
    assert status_of_handshake(import_server, {"Cookie": cookie, "Origin": "http://evil.example"}) == 403
    assert status_of_handshake(import_server, {"Origin": import_server.url}) == 401
    imports.wait(model_id)
    imports.delete(model_id)


def test_twenty_pages_on_two_web_processes_see_the_same(imports, import_server, starter_zip):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    pages = [Client(socket_address(import_server), headers=bearer) for _ in range(20)]
    model_id = imports.upload(starter_zip, "Crowd")

    def seen(page) -> list[int]:
        numbers = []
        while True:
            event = orjson.loads(page.receive(timeout=30))
            numbers.append(event["number"])
            if event["status"] == "ready":
                page.close()
                return numbers

    with ThreadPoolExecutor(len(pages)) as pool:
        everybodys = list(pool.map(seen, pages))
    assert all(numbers == everybodys[0] for numbers in everybodys)
    assert everybodys[0][-1] == imports.status(model_id)["events"][-1]["number"]
    imports.delete(model_id)


def test_the_end_of_the_server_waits_for_no_socket_and_no_import_and_a_killed_one_leaves_no_worker(
    tmp_path, starter_zip
):
    server = start_server(tmp_path / "data", PREMRUNNER_STARTER="none")
    imports = ImportClient(server)
    model_id = imports.upload(starter_zip, "Interrupted")
    connection = Client(socket_address(server), headers={"Authorization": f"Bearer {TOKEN}"})
    imports.wait_for_stage(model_id, "unpack")
    begun = time.monotonic()
    closed = threading.Event()

    def listen() -> None:
        try:
            while True:
                connection.receive()
        except ConnectionClosed:
            closed.set()

    threading.Thread(target=listen, daemon=True).start()
    assert stop_server(server) == 0
    assert time.monotonic() - begun < 12
    assert closed.wait(1)
    again = start_server(server.data_path, PREMRUNNER_STARTER="none")
    assert ImportClient(again).wait(model_id)["status"] == "ready"
    left = children_of(again.process.pid)
    again.process.kill()
    again.process.wait()
    wait_until_gone([pid for pid in left if "premrunner worker" in command_of(pid)], 10)
    for pid in left:  # The engine waits for its next owner, which does not come here.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with sqlite3.connect(server.data_path / "premrunner.db") as database:
        [(count,)] = database.execute("SELECT count(*) FROM models WHERE downloaded").fetchall()
    database.close()
    assert count == 1
    shutil.rmtree(server.data_path)
