"""`premrunner upload`: the terminal's client against a real server."""

import hashlib
import subprocess
import sys

import pytest

from premrunner.cli import upload_client
from premrunner.cli.local_files import find_files
from premrunner.cli.meter import Meter
from premrunner.cli.upload_client import UploadClient, UploadFailed
from tests.uploads.sending import MIB, noise


@pytest.fixture
def client(site):
    return UploadClient(site.url, site.token, lambda line: None, patience_seconds=0)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(upload_client, "CHUNK_BYTES", MIB)


def newest(site) -> dict:
    return site.request("GET", "/v1/chunked-upload").json()["uploads"][0]


def test_a_file_arrives(site, client, tmp_path, small_chunks):
    file = tmp_path / "mine.gguf"
    file.write_bytes(noise(3 * MIB + 5))
    client.upload(file, "Mine")
    upload = newest(site)
    assert (upload["modelName"], upload["fileName"], upload["state"]) == ("Mine", "mine.gguf", "complete")
    assert upload["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_folder_arrives_without_its_hidden_files(site, client, tmp_path, small_chunks):
    folder = tmp_path / "my model"
    (folder / "deep").mkdir(parents=True)
    files = {"config.json": b"{}", "model.safetensors": noise(2 * MIB), "deep/empty.txt": b"", ".git": b"x"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    client.upload(folder)
    upload = newest(site)
    assert [file["path"] for file in upload["files"]] == [
        "my model/config.json", "my model/deep/empty.txt", "my model/model.safetensors",
    ]  # fmt: skip
    assert upload["state"] == "complete"


def test_an_interrupted_upload_goes_on_where_it_stopped(site, client, tmp_path, small_chunks, monkeypatch):
    file = tmp_path / "long.gguf"
    file.write_bytes(noise(6 * MIB))
    sent = []
    real = UploadClient._send_chunk

    def break_off(self, upload_id, chunk, meter):
        if len(sent) >= 3:
            raise UploadFailed("gone")
        sent.append(chunk[0])
        real(self, upload_id, chunk, meter)

    monkeypatch.setattr(UploadClient, "_send_chunk", break_off)
    with pytest.raises(UploadFailed):
        client.upload(file)
    begun = newest(site)
    assert begun["receivedBytes"] == 3 * MIB
    sent_again = []
    monkeypatch.setattr(UploadClient, "_send_chunk", lambda *args: sent_again.append(args[2][0]) or real(*args))
    UploadClient(site.url, site.token, lambda line: None).upload(file)
    assert newest(site)["modelId"] == begun["modelId"]
    assert sorted(sent + sent_again) == list(range(6))


def test_a_chunk_that_the_server_has_lost_is_sent_again(site, client, tmp_path, small_chunks, monkeypatch):
    file = tmp_path / "lost.gguf"
    file.write_bytes(noise(3 * MIB))
    sent = []
    real = UploadClient._send_chunk

    def lose_once(self, upload_id, chunk, meter):
        sent.append(chunk[0])
        if sent.count(1) != 1 or chunk[0] != 1:
            real(self, upload_id, chunk, meter)

    monkeypatch.setattr(UploadClient, "_send_chunk", lose_once)
    client.upload(file)
    assert sorted(sent) == [0, 1, 1, 2]
    assert newest(site)["state"] == "complete"


def test_a_file_that_is_there_already_is_not_sent(site, client, tmp_path, monkeypatch):
    file = tmp_path / "again.gguf"
    file.write_bytes(noise(MIB))
    client.upload(file)
    monkeypatch.setattr(UploadClient, "_send", lambda *args: pytest.fail("sent"))
    client.upload(file)


def test_a_refusal_is_told_in_the_servers_words(client, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_bytes(b"x")
    with pytest.raises(UploadFailed, match=r"\.gguf"):
        client.upload(file)


def test_a_server_that_is_away_is_told_with_what_to_do(tmp_path, free_port):
    file = tmp_path / "m.gguf"
    file.write_bytes(b"x")
    with pytest.raises(UploadFailed, match="same command again"):
        UploadClient(f"http://127.0.0.1:{free_port}", "t", lambda line: None, patience_seconds=0).upload(file)


def test_a_meter_shows_rate_and_time_left(monkeypatch):
    lines: list[str] = []
    clock = iter(range(100, 200))
    monkeypatch.setattr("premrunner.cli.meter.time.monotonic", lambda: float(next(clock)))
    meter = Meter("Sending", 10_000_000_000, lines.append)
    for _ in range(4):
        meter.add(1_000_000_000)
    assert lines[-1] == "Sending [########            ]  40%  4.00 of 10.00 GB, 1000.0 MB/s, 6 s left"


def test_a_folders_files_come_in_a_fixed_order(tmp_path):
    for name in ("b.json", "a.json"):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name for file in find_files(tmp_path)] == [f"{tmp_path.name}/a.json", f"{tmp_path.name}/b.json"]


def test_the_command_uploads_to_another_server(site, tmp_path):
    file = tmp_path / "by command.gguf"
    file.write_bytes(noise(MIB))
    command = [sys.executable, "-m", "premrunner", "upload", str(file), "--name", "By command", "--url", site.url]
    done = subprocess.run([*command, "--token", site.token], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert newest(site)["modelName"] == "By command"
    refused = subprocess.run(
        [*command, "--token", "wrong-token-x"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (refused.returncode, refused.stderr.strip()) == (1, "Invalid token")
