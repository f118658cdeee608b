import errno
import hashlib
import io
import os
import resource
import signal
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from premrunner.engine.installation import download, unpack
from premrunner.engine.installation.install import Platform, install_ollama
from premrunner.engine.ownership import claim
from premrunner.engine.supervision.locations import InstalledOllama, find_ollama
from premrunner.errors import InstallFailed, StorageFailed

LINUX = Platform("Linux", "x86_64")
ZST = "ollama-linux-amd64.tar.zst"
TGZ = "ollama-linux-amd64.tgz"
PROGRAM = b"#!/bin/sh\necho ollama version is 0.99.0\n"
LIBRARY = bytes(range(256)) * 4096

Member = tuple[tarfile.TarInfo, bytes]


def file_member(name: str, content: bytes = b"x", mode: int = 0o644) -> Member:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    return member, content


def link_member(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


RELEASE = [
    file_member("./bin/ollama", PROGRAM, 0o755),
    file_member("lib/ollama/libggml.so.0.1", LIBRARY),
    link_member("lib/ollama/libggml.so", "libggml.so.0.1"),
    file_member("lib/ollama/cuda_v13/libcudart.so.13", b"cuda"),
    link_member("lib/ollama/vulkan/libcudart.so", "../cuda_v13/libcudart.so.13"),
    file_member("lib/ollama/noise", hashlib.shake_128(b"").digest(1_000_000)),
    link_member("lib/ollama/again.so", "lib/ollama/libggml.so.0.1", tarfile.LNKTYPE),
]


def archive(members: list[Member], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class Release:
    """A release's files on a local server, and how it misbehaves."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    etag: str = '"one"'
    cut_after: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def offer(self, name: str, content: bytes) -> None:
        self.files[name] = content
        self.sums[name] = hashlib.sha256(content).hexdigest()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        self.requests.append(path)
        if path.startswith("/latest/"):
            handler.send_response(302)
            handler.send_header("Location", path.replace("/latest/", "/v1/"))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        name = path.rpartition("/")[2]
        if name == "sha256sum.txt":
            lines = "".join(f"{digest}  ./{listed}\n" for listed, digest in self.sums.items())
            self._send(handler, 200, lines.encode())
        elif self.statuses:
            self._send(handler, self.statuses.pop(0), b"")
        elif name in self.files:
            self._send_file(handler, self.files[name])
        else:
            self._send(handler, 404, b"Not Found")

    def _send_file(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        wanted = handler.headers["Range"]
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        condition = handler.headers["If-Range"]
        if condition is not None and condition != self.etag:
            start = 0
        if start and start >= len(content):
            self._send(handler, 416, b"")
            return
        headers = {"ETag": self.etag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(handler, 206 if start else 200, content[start:], headers, cut=True)

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: bool = False,
    ) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: self.cut_after.pop(0)] if cut and self.cut_after else body)
        handler.close_connection = True


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    monkeypatch.setattr(download, "_RETRY_PAUSE_SECONDS", 0.01)
    release = Release()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            release.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        release.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield release
        server.shutdown()
        thread.join()


Install = Callable[..., InstalledOllama]


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "engine" / "ollama"


@pytest.fixture
def install(release: Release, destination: Path) -> Install:
    def run(
        url: str | None = None,
        progress: Callable[[int, int], None] = lambda received, total: None,
        free_bytes: Callable[[Path], int] = lambda folder: 10**12,
    ) -> InstalledOllama:
        return install_ollama(
            destination, release_url=url or release.url, progress=progress, platform=LINUX, free_bytes=free_bytes
        )

    return run


def leftovers(destination: Path) -> list[str]:
    return sorted(path.name for path in (destination.parent / ".install").iterdir() if path.name != "engine.lock")


def test_a_release_is_fetched_verified_and_put_in_place(install: Install, release: Release, destination: Path) -> None:
    release.offer(TGZ, archive(RELEASE))
    seen: list[tuple[int, int]] = []
    installed = install(progress=lambda received, total: seen.append((received, total)))
    assert installed == InstalledOllama(destination / "bin/ollama", is_own=True)
    assert find_ollama(destination, search_path="") == installed
    assert installed.executable.read_bytes() == PROGRAM
    assert installed.executable.stat().st_mode & 0o777 == 0o755
    assert (destination / "lib/ollama/libggml.so").read_bytes() == LIBRARY
    assert (destination / "lib/ollama/vulkan/libcudart.so").read_bytes() == b"cuda"
    assert (destination / "lib/ollama/again.so").read_bytes() == LIBRARY
    size = len(release.files[TGZ])
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert leftovers(destination) == []


def test_a_redirect_is_followed(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    install(release.url.replace("/v1", "/latest"))
    assert "/v1/ollama-linux-amd64.tgz" in release.requests


NEEDS_ZSTANDARD = pytest.mark.skipif(not unpack.can_unpack(ZST), reason="no zstandard in this Python")


@NEEDS_ZSTANDARD
@pytest.mark.parametrize("damage", ["short", "text"])
def test_a_damaged_zstandard_archive_is_refused(damage: str, install: Install, release: Release) -> None:
    whole: bytes = unpack._zstandard().compress(archive(RELEASE, "w"))
    release.offer(ZST, whole[:-1000] if damage == "short" else b"no archive at all")
    with pytest.raises(InstallFailed, match="damaged"):
        install()


@NEEDS_ZSTANDARD
def test_a_zstandard_archive_is_preferred_and_read(install: Install, release: Release) -> None:
    release.offer(TGZ, b"not asked for")
    release.offer(ZST, unpack._zstandard().compress(archive(RELEASE, "w")))
    assert install().executable.read_bytes() == PROGRAM


def test_without_zstandard_the_older_form_is_taken_or_the_package_named(
    install: Install, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "_ZSTANDARD_MODULES", ())
    release.offer(ZST, b"cannot be read")
    with pytest.raises(InstallFailed, match=r"backports\.zstd"):
        install()
    release.offer(TGZ, archive(RELEASE))
    assert install().executable.exists()


def test_an_interrupted_download_goes_on_by_itself_where_it_was(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    release.cut_after = [200_000, 100_000]
    install()
    assert release.ranges == [None, "bytes=196608-", "bytes=262144-"]


def test_a_download_that_was_given_up_goes_on_the_next_time(
    install: Install, release: Release, destination: Path
) -> None:
    release.offer(TGZ, archive(RELEASE))
    release.cut_after = [200_000, 0, 0, 0]
    with pytest.raises(InstallFailed, match="kept"):
        install()
    assert any(name.endswith(".partial") for name in leftovers(destination))
    install()
    assert release.ranges[-1] == "bytes=196608-"
    assert leftovers(destination) == []


def test_a_file_that_changed_meanwhile_is_fetched_anew(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    release.cut_after = [200_000, 0, 0, 0]
    with pytest.raises(InstallFailed):
        install()
    release.etag = '"two"'
    assert install().executable.exists()


def test_a_download_that_was_whole_is_not_fetched_again(install: Install, release: Release, destination: Path) -> None:
    content = archive(RELEASE)
    release.offer(TGZ, content)
    folder = destination.parent / ".install"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(content).hexdigest()
    (folder / f"{digest[:16]}-{TGZ}.partial").write_bytes(content)
    assert install().executable.exists()
    assert release.ranges == [f"bytes={len(content)}-"]


def test_a_wrong_checksum_is_refused_and_nothing_stays(install: Install, release: Release, destination: Path) -> None:
    release.offer(TGZ, archive(RELEASE))
    release.sums[TGZ] = "0" * 64
    with pytest.raises(InstallFailed, match="checksum"):
        install()
    assert not destination.exists()
    assert leftovers(destination) == []


def test_a_release_without_our_archive_is_named(install: Install, release: Release) -> None:
    release.offer("ollama-windows-amd64.zip", b"")
    with pytest.raises(InstallFailed, match=ZST):
        install()


def test_an_archive_that_is_listed_but_missing_is_not_asked_for_again(install: Install, release: Release) -> None:
    release.sums[TGZ] = "0" * 64
    with pytest.raises(InstallFailed, match="404"):
        install()
    assert len(release.requests) == 2


def test_a_server_that_stumbles_is_asked_again(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    release.statuses = [503, 500]
    assert install().executable.exists()


def test_a_server_that_keeps_failing_is_reported(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    release.statuses = [503] * 3
    with pytest.raises(InstallFailed, match="503"):
        install()


def test_a_release_that_cannot_be_reached_is_reported(install: Install) -> None:
    with pytest.raises(InstallFailed, match=r"no-such-host\.invalid cannot be reached"):
        install("http://no-such-host.invalid/v1")


def test_too_little_space_is_noticed_before_anything_is_fetched(
    install: Install, release: Release, destination: Path
) -> None:
    release.offer(TGZ, archive(RELEASE))
    with pytest.raises(StorageFailed, match="free"):
        install(free_bytes=lambda folder: 200 * 1024 * 1024)
    assert leftovers(destination) == []


def test_a_disk_that_fills_up_keeps_what_has_arrived(install: Install, release: Release, destination: Path) -> None:
    release.offer(TGZ, archive([*RELEASE, file_member("lib/noise", hashlib.shake_128(b"").digest(4_000_000))]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(StorageFailed, match="written") as failed:
            install()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert str(destination.parent) not in failed.value.message
    assert install().executable.exists()
    assert release.ranges[-1] not in (None, "bytes=0-")


@pytest.mark.parametrize(
    "members",
    [
        [file_member("../outside")],
        [file_member("/tmp/outside")],
        [file_member("bin/../../outside")],
        [link_member("out", "../.."), file_member("out/outside")],
        [link_member("out", "/etc")],
        [link_member("lib/out", "../../outside")],
        [link_member("here", "."), link_member("lib/out", "../here/../outside")],
        [file_member("lib/x"), link_member("here", "lib"), file_member("here/y")],
        [link_member("second", "/etc/passwd", tarfile.LNKTYPE)],
        [link_member("second", "../outside", tarfile.LNKTYPE)],
        [link_member("device", "", tarfile.CHRTYPE)],
        [link_member("pipe", "", tarfile.FIFOTYPE)],
        [link_member("x", "lib"), link_member("x", "/etc")],
    ],
)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(
    members: list[Member], install: Install, release: Release, destination: Path, tmp_path: Path
) -> None:
    release.offer(TGZ, archive([*RELEASE, *members]))
    with pytest.raises(InstallFailed, match="refused"):
        install()
    assert not destination.exists()
    assert not list(tmp_path.rglob("outside"))
    assert leftovers(destination) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive at all",
        archive(RELEASE)[:-200],
        archive(RELEASE)[:20] + b"\xff" * 50 + archive(RELEASE)[70:],
        archive([file_member("README")]),
    ],
    ids=["empty", "text", "short", "damaged", "no-program"],
)
def test_an_archive_that_is_damaged_or_empty_is_refused(
    content: bytes, install: Install, release: Release, destination: Path
) -> None:
    release.offer(TGZ, content)
    with pytest.raises(InstallFailed, match="archive"):
        install()
    assert not destination.exists()


def test_what_is_there_already_is_not_fetched_again(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    first = install()
    assert install() == first
    assert len(release.ranges) == 1


def test_a_newer_release_takes_over_and_the_one_that_may_run_keeps_its_files(
    install: Install, release: Release, destination: Path
) -> None:
    folders = []
    for number in range(3):
        release.offer(TGZ, archive([file_member("bin/ollama", f"#!/bin/sh\n# {number}\n".encode(), 0o755)]))
        assert f"# {number}" in install().executable.read_text()
        folders.append(destination.resolve())
    assert [folder.exists() for folder in folders] == [False, True, True]


def test_a_failed_update_leaves_the_old_release_in_place(install: Install, release: Release) -> None:
    release.offer(TGZ, archive(RELEASE))
    installed = install()
    release.offer(TGZ, archive([file_member("../outside")]))
    with pytest.raises(InstallFailed):
        install()
    assert installed.executable.read_bytes() == PROGRAM


def test_two_installs_at_once_are_refused(install: Install, release: Release, destination: Path) -> None:
    release.offer(TGZ, archive(RELEASE))
    other = claim(destination.parent / ".install")
    with pytest.raises(InstallFailed, match="under way"):
        install()
    other.release()


def test_a_disk_that_is_full_when_unpacking_does_not_cost_the_download(
    install: Install, release: Release, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.offer(TGZ, archive(RELEASE))
    (destination.parent / ".install" / "unpacking-killed").mkdir(parents=True)
    with monkeypatch.context() as full_disk:
        full_disk.setattr(tarfile.TarFile, "extractfile", _raise_disk_full)
        with pytest.raises(StorageFailed, match="No space left"):
            install()
    assert leftovers(destination) == [f"{release.sums[TGZ][:16]}-{TGZ}"]
    assert install().executable.exists()
    assert release.ranges == [None, f"bytes={len(release.files[TGZ])}-"]
    assert leftovers(destination) == []


def _raise_disk_full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("system", "machine", "names"),
    [
        ("Linux", "x86_64", (ZST, TGZ)),
        ("Linux", "aarch64", ("ollama-linux-arm64.tar.zst", "ollama-linux-arm64.tgz")),
        ("Darwin", "arm64", ("ollama-darwin.tgz",)),
        ("Darwin", "x86_64", ("ollama-darwin.tgz",)),
    ],
)
def test_each_machine_has_its_archives(system: str, machine: str, names: tuple[str, ...]) -> None:
    assert Platform(system, machine).archive_names() == names


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("FreeBSD", "amd64"), ("Linux", "riscv64")])
def test_a_machine_without_a_release_is_told_so(system: str, machine: str) -> None:
    with pytest.raises(InstallFailed, match=system):
        Platform(system, machine).archive_names()
