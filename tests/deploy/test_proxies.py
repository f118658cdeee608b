"""The examples for nginx and Caddy, running before a real server: streams as they come, bodies of any size."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from simple_websocket import Client

from tests.conftest import LiveServer, find_free_port

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
# More than any proxy's default limit and buffer.
UPLOAD_BYTES = 40_000_000


def nginx_command(folder: Path, port: int, target: int) -> list[str]:
    """Put the example into the smallest configuration that can run here, and check it."""
    site = (DEPLOY / "nginx.conf").read_text()
    site = re.sub(r"127\.0\.0\.1:3001", f"127.0.0.1:{target}", site).replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "site.conf").write_text(site.replace("/var/log/nginx", str(folder)))
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    head = f"{user}daemon off;\npid {folder}/nginx.pid;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{\n{temporary}  include {folder}/site.conf;\n}}\n")
    command = ["nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    return command


def caddy_command(folder: Path, port: int, target: int) -> list[str]:
    """The same for Caddy, without certificates: it has no name here."""
    site = (DEPLOY / "Caddyfile").read_text()
    site = site.replace("127.0.0.1:3001", f"127.0.0.1:{target}").replace(
        "\nchat.example.com {", f"\nhttp://127.0.0.1:{port} {{"
    )
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + site)
    checked = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "output.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module", params=[("nginx", nginx_command), ("caddy", caddy_command)], ids=lambda param: param[0])
def proxied(
    request: pytest.FixtureRequest, live_server: LiveServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """The server as it is seen through the proxy."""
    program, make_command = request.param
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed.")
    make: Callable[[Path, int, int], list[str]] = make_command
    folder, port = tmp_path_factory.mktemp(program), find_free_port()
    command = make(folder, port, int(live_server.url.rsplit(":", 1)[1]))
    with running(command, folder, port):
        yield replace(live_server, url=f"http://127.0.0.1:{port}")


def test_a_stream_comes_word_by_word(proxied):
    with proxied.chat("Count from one to fifty.", stream=True, max_tokens=60) as answer:
        assert answer.status_code == 200
        moments = [time.monotonic() for line in answer.iter_lines(chunk_size=1) if line.startswith(b"data: {")]
    assert len(moments) >= 30
    # Held back until the end, they would come within a few milliseconds.
    assert moments[-1] - moments[0] > 0.1
    assert len({round(moment, 2) for moment in moments}) >= 8


def test_a_large_body_goes_through_whole(proxied):
    content = os.urandom(UPLOAD_BYTES)
    wish = {"fileName": "noise.gguf", "fileSize": len(content), "chunkSize": len(content), "modelName": "Noise"}
    upload_id = proxied.post("/v1/chunked-upload/start", wish).json()["modelId"]
    path = f"{proxied.url}/v1/chunked-upload/{upload_id}/chunks/0"
    assert requests.put(path, data=content, headers=proxied.headers, timeout=120).status_code == 200
    done = proxied.post("/v1/chunked-upload/complete", {"modelId": upload_id}).json()
    assert done["sha256"] == hashlib.sha256(content).hexdigest()
    assert proxied.delete(f"/v1/chunked-upload/{upload_id}").status_code == 200


def test_an_upload_arrives_while_it_is_sent(proxied):
    """Half a body is seen by the server before the other half is sent: the proxy does not collect it."""
    size, tus = 8_000_000, proxied.headers | {"Tus-Resumable": "1.0.0"}
    wish = tus | {"Upload-Length": str(size), "Upload-Metadata": "filename bi5nZ3Vm"}
    created = requests.post(proxied.url + "/v1/tus", headers=wish, timeout=30)
    assert created.status_code == 201, created.text
    upload_id = created.headers["Location"].rsplit("/", 1)[1]
    seen = []

    def body() -> Iterator[bytes]:
        yield os.urandom(size // 2)
        deadline = time.monotonic() + 20
        while not seen and time.monotonic() < deadline:
            status = proxied.get(f"/v1/chunked-upload/{upload_id}").json()
            if status["spaceBytes"]:
                seen.append(status)
            time.sleep(0.1)
        yield os.urandom(size - size // 2)

    headers = tus | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    patch = requests.Request("PATCH", f"{proxied.url}/v1/tus/{upload_id}", headers=headers, data=body()).prepare()
    del patch.headers["Transfer-Encoding"]
    patch.headers["Content-Length"] = str(size)
    answer = requests.Session().send(patch, timeout=60)
    assert answer.status_code in (200, 204), answer.text
    assert seen
    proxied.delete(f"/v1/chunked-upload/{upload_id}")


def test_a_web_socket_goes_through(proxied):
    url = proxied.url.replace("http", "ws", 1) + "/ws/progress?after=0"
    socket = Client(url, headers=proxied.headers)
    socket.close()


def test_a_browser_logs_in_and_its_forms_work(proxied):
    browser = requests.Session()
    page = browser.get(f"{proxied.url}/login?token={proxied.token}", timeout=30)
    assert (page.status_code, page.url) == (200, proxied.url + "/")
    csrf = re.search(r'name="csrf-token" content="([^"]+)"', page.text)[1]
    out = browser.post(proxied.url + "/logout", data={"csrf_token": csrf}, timeout=30)
    assert out.url == proxied.url + "/login"


def test_the_log_of_nginx_holds_no_token(live_server, tmp_path):
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed.")
    port = find_free_port()
    command = nginx_command(tmp_path, port, int(live_server.url.rsplit(":", 1)[1]))
    with running(command, tmp_path, port):
        requests.get(f"http://127.0.0.1:{port}/login?token={live_server.token}", timeout=30)
    log = (tmp_path / "premrunner.log").read_text()
    assert "/login" in log
    assert live_server.token not in log
