"""`premrunner studio`: the database in a browser, for its owner alone."""

import os
import re
import subprocess
import sys
import time

import requests
from click.testing import CliRunner

from premrunner.cli import main
from tests.conftest import find_free_port

START_SECONDS = 60


def test_the_studio_shows_the_database_to_whoever_has_its_link_and_changes_nothing(app, settings):
    port = find_free_port()
    environment = os.environ | {"DATA_PATH": str(settings.data_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "premrunner", "studio", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while not (link := re.search(r"http://127\.0\.0\.1:\d+/-/auth-token\?token=\w+", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(url)
        assert requests.get(f"{url}/premrunner/traces", timeout=30).status_code == 403
        owner = requests.Session()
        assert owner.get(link[0], timeout=30).status_code == 200
        assert owner.get(f"{url}/premrunner/traces.json", timeout=30).json()["table"] == "traces"
        query = {"sql": "DELETE FROM alembic_version"}
        assert owner.get(f"{url}/premrunner.json", params=query, timeout=30).status_code == 400
        assert requests.Session().get(link[0], timeout=30).status_code == 403
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_until_it_answers(url):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return requests.get(url, timeout=5)
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_without_a_database_it_says_what_to_do(tmp_path):
    done = CliRunner().invoke(main, ["studio"], env={"DATA_PATH": str(tmp_path)})
    assert done.exit_code == 1
    assert "premrunner serve" in done.output


def test_a_postgresql_is_not_its_business(tmp_path):
    url = "postgresql://someone:a-secret@127.0.0.1/db"
    done = CliRunner().invoke(main, ["studio"], env={"DATA_PATH": str(tmp_path), "DATABASE_URL": url})
    assert done.exit_code == 2
    assert "psql" in done.output
    assert "a-secret" not in done.output
