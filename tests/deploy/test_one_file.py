"""`make dist`: one file that is copied to a server and run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.conftest import TOKEN, find_free_port
from tests.live.processes import children_of, wait_until_gone

ROOT = Path(__file__).parent.parent.parent
SERVE_SECONDS = 120


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, alone in a folder; one that was made of today's sources before is taken."""
    made = ROOT / "dist" / "premrunner"
    newest = max(path.stat().st_mtime for path in [ROOT / "pyproject.toml", *(ROOT / "premrunner").rglob("*.py")])
    if not made.exists() or made.stat().st_mtime < newest:
        subprocess.run(["make", "dist", f"VENV={Path(sys.prefix)}"], cwd=ROOT, check=True, capture_output=True)
    copied = tmp_path_factory.mktemp("server") / "premrunner"
    shutil.copy(made, copied)
    return copied


def bare_environment(folder: Path) -> dict[str, str]:
    """An account that has nothing but this Python."""
    return {
        "PATH": f"{Path(sys.base_prefix)}/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "AUTH_TOKEN": TOKEN,
        "PREMRUNNER_ENGINE": "builtin",
        "PREMRUNNER_STARTER": "none",
    }


def test_the_file_serves_from_an_empty_folder_and_ends_whole(one_file):
    port, folder = find_free_port(), one_file.parent
    environment = bare_environment(folder) | {"PORT": str(port)}
    process = subprocess.Popen([one_file, "serve"], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        said = ""
        while "is running" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        session, url = requests.Session(), f"http://127.0.0.1:{port}"
        session.mount(url, requests.adapters.HTTPAdapter(max_retries=requests.adapters.Retry(20, backoff_factor=0.1)))
        page = session.get(f"{url}/login?token={TOKEN}", timeout=SERVE_SECONDS)
        assert page.status_code == 200
        assert "<main" in page.text
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert session.get(f"{url}/v1/models", headers=headers, timeout=60).json()["data"] == []
        assert session.get(f"{url}/v1/traces", headers=headers, timeout=60).json()["total"] == 0
        assert "premrunner_engine_state" in session.get(f"{url}/metrics", headers=headers, timeout=60).text
        family = [process.pid, *children_of(process.pid)]
        assert len(family) >= 4
    finally:
        process.terminate()
        process.communicate(timeout=30)
    wait_until_gone(family)
    assert sorted(path.name for path in folder.iterdir()) == [".shiv", "instance", "premrunner"]


def test_the_file_has_every_command(one_file):
    done = subprocess.run(
        [one_file, "--help"], env=bare_environment(one_file.parent), capture_output=True, text=True, check=True
    )
    for command in ("serve", "worker", "upload", "keys", "token"):
        assert command in done.stdout
