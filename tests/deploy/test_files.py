"""Units, Dockerfile and compose file: checked by the programs that read them, where they are installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from premrunner.config import SETTINGS

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
# systemd's scale from 0 (nothing is reachable) to 10; units without any protection have 9.6.
EXPOSURE_MOST = 2.5
NAMES = {setting.name for setting in SETTINGS} | {"PREMRUNNER_SUPERVISOR_PID", "PATH", "PYTHONUNBUFFERED"}


@pytest.fixture
def systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed.")
    return program


@pytest.fixture
def units(tmp_path) -> list[Path]:
    """The units, with a program that is there in place of ours."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(re.sub(r"/opt/premrunner/\.venv/bin/\w+", "/bin/true", unit.read_text()))
    return sorted(tmp_path.iterdir())


def test_systemd_understands_every_line_of_the_units(systemd_analyze, units):
    assert len(units) == 3
    done = subprocess.run([systemd_analyze, "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "premrunner" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_sandbox_of_each_unit_is_tight(systemd_analyze, unit):
    command = [systemd_analyze, "security", "--offline=true", "--no-pager", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"exposure level for .*: ([\d.]+)", said)[1]) <= EXPOSURE_MOST


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_a_unit_starts_exists(unit):
    for program, words in re.findall(
        r"^ExecStart(?:Pre)?=/opt/premrunner/\.venv/bin/(\w+) (.*)$", unit.read_text(), re.M
    ):
        assert program in ("premrunner", "gunicorn")
        for word in words.split():
            if word.startswith("/opt/premrunner/"):
                assert (ROOT / word.removeprefix("/opt/premrunner/")).exists()


def test_the_compose_file_is_one_and_sets_what_exists():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    site, engine = compose["services"]["premrunner"], compose["services"]["ollama"]
    assert (DEPLOY / site["build"]["context"] / site["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert set(site["environment"]) <= NAMES
    assert site["environment"]["OLLAMA_HOST"].split(":")[0] in compose["services"]
    named = {volume.split(":")[0] for service in (site, engine) for volume in service["volumes"]}
    assert named == set(compose["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in site["ports"])


def test_every_word_of_the_compose_file_is_compose():
    text = (DEPLOY / "compose.yaml").read_text()
    PyCompose.from_yaml(text).validate()
    with pytest.raises(ValueError, match="restart"):
        PyCompose.from_yaml(text.replace("restart: unless-stopped", "restart: sometimes", 1))


def test_the_dockerfile_copies_what_exists_and_ends_as_a_user():
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    words = [step[0] for step in steps]
    assert set(words) <= {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    sent = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for word, rest in steps
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)
    [user] = [rest for word, rest in steps if word == "USER"]
    assert f"useradd --uid {user} " in text
    assert words.index("USER") < words.index("CMD")
    environment = next(rest for word, rest in steps if word == "ENV")
    assert {pair.split("=")[0] for pair in environment.split()} <= NAMES


def test_hadolint_has_nothing_to_say():
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_dockerfile_copies_is_enough_to_build(tmp_path):
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            place = tmp_path / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place)
            else:
                shutil.copy(ROOT / source, place)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    assert len(list((tmp_path / "dist").glob("premrunner-*.whl"))) == 1
