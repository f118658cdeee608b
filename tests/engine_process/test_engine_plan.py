from dataclasses import replace
from pathlib import Path

import pytest

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineStatus
from premrunner.engine.supervision.locations import InstalledOllama, find_ollama
from premrunner.engine.supervision.plan import (
    EngineWish,
    Plan,
    Report,
    Situation,
    StartBuiltin,
    StartOllama,
    Use,
    decide,
)
from premrunner.engine.supervision.probe import BUILTIN_ENGINE_NAME, Probe

STOPPED = Probe(EngineStatus.STOPPED, detail="Nothing answers.")
STARTING = Probe(EngineStatus.STARTING, detail="No answer yet.")
WRONG = Probe(EngineStatus.WRONG_PROGRAM, detail="Another program.")
OLLAMA = Probe(EngineStatus.RUNNING, "0.34.1")
BUILTIN = Probe(EngineStatus.RUNNING, "0.1.0", BUILTIN_ENGINE_NAME)
INSTALLED = InstalledOllama(Path("/usr/bin/ollama"), is_own=False)

AUTO = EngineWish()
ONLY_OLLAMA = EngineWish(mode="ollama")
ONLY_BUILTIN = EngineWish(mode="builtin")
REMOTE = EngineWish(EngineAddress("gpu.example", 11434), is_explicit=True)

START_OLLAMA = StartOllama(INSTALLED.executable, is_own=False)


def situation(found: Probe, *, seconds: float = 0.0, was_used: bool = False, installed: bool = False) -> Situation:
    return Situation(found, seconds, was_used, INSTALLED if installed else None)


@pytest.mark.parametrize(
    ("wish", "known", "plan"),
    [
        (AUTO, situation(OLLAMA), Use()),
        (AUTO, situation(OLLAMA, installed=True), Use()),
        (AUTO, situation(STOPPED, installed=True), START_OLLAMA),
        (AUTO, situation(STOPPED), StartBuiltin()),
        (AUTO, situation(WRONG), StartBuiltin()),
        (AUTO, situation(WRONG, installed=True), StartBuiltin()),
        (AUTO, situation(STARTING, seconds=41), StartBuiltin()),
        (AUTO, situation(BUILTIN), StartBuiltin()),
        (replace(AUTO, is_explicit=True), situation(BUILTIN), Use()),
        (ONLY_OLLAMA, situation(OLLAMA), Use()),
        (ONLY_OLLAMA, situation(STOPPED, installed=True), START_OLLAMA),
        (ONLY_BUILTIN, situation(OLLAMA, installed=True), StartBuiltin()),
        (replace(REMOTE, mode="builtin"), situation(STOPPED), StartBuiltin()),
        (REMOTE, situation(OLLAMA), Use()),
        (REMOTE, situation(BUILTIN), Use()),
        (AUTO, situation(STOPPED, seconds=7, was_used=True, installed=True), START_OLLAMA),
    ],
)
def test_the_engine_is_chosen(wish: EngineWish, known: Situation, plan: Plan) -> None:
    assert decide(wish, known) == plan


@pytest.mark.parametrize(
    ("wish", "known", "state"),
    [
        (AUTO, situation(STARTING), EngineStatus.STARTING),
        (ONLY_OLLAMA, situation(WRONG, installed=True), EngineStatus.WRONG_PROGRAM),
        (ONLY_OLLAMA, situation(STOPPED), EngineStatus.NOT_INSTALLED),
        (ONLY_OLLAMA, situation(STARTING, seconds=41, installed=True), EngineStatus.WRONG_PROGRAM),
        (replace(AUTO, has_builtin=False), situation(STOPPED), EngineStatus.NOT_INSTALLED),
        (REMOTE, situation(STOPPED, installed=True), EngineStatus.STOPPED),
        (REMOTE, situation(STARTING, seconds=1000), EngineStatus.STARTING),
        (replace(REMOTE, mode="ollama"), situation(WRONG), EngineStatus.WRONG_PROGRAM),
        (AUTO, situation(STOPPED, seconds=1, was_used=True, installed=True), EngineStatus.STOPPED),
        (AUTO, situation(STOPPED, seconds=1000, was_used=True), EngineStatus.STOPPED),
    ],
)
def test_what_cannot_be_helped_is_reported(wish: EngineWish, known: Situation, state: EngineStatus) -> None:
    plan = decide(wish, known)
    assert isinstance(plan, Report)
    assert plan.state is state
    assert plan.why


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("linux", "usr/local/bin/ollama"),
        ("linux", "usr/bin/ollama"),
        ("linux", "snap/bin/ollama"),
        ("darwin", "Applications/Ollama.app/Contents/Resources/ollama"),
        ("darwin", "opt/homebrew/bin/ollama"),
    ],
)
def test_ollama_is_found_where_its_installers_put_it(system: str, place: str, tmp_path: Path) -> None:
    executable = program(tmp_path / place)
    found = find_ollama(tmp_path / "own", search_path="", root=tmp_path, system=system)
    assert found == InstalledOllama(executable, is_own=False)


@pytest.mark.parametrize("name", ["bin/ollama", "ollama"])
def test_our_own_copy_comes_first(name: str, tmp_path: Path) -> None:
    own = program(tmp_path / "own" / name)
    program(tmp_path / "path" / "ollama")
    found = find_ollama(tmp_path / "own", search_path=str(tmp_path / "path"), root=tmp_path)
    assert found == InstalledOllama(own, is_own=True)


def test_the_search_path_comes_before_the_fixed_places(tmp_path: Path) -> None:
    program(tmp_path / "usr/bin/ollama")
    on_path = program(tmp_path / "path" / "ollama")
    found = find_ollama(tmp_path / "own", search_path=str(tmp_path / "path"), root=tmp_path, system="linux")
    assert found == InstalledOllama(on_path, is_own=False)


def test_what_may_not_be_run_or_leads_nowhere_is_no_ollama(tmp_path: Path) -> None:
    program(tmp_path / "usr/local/bin/ollama", mode=0o644)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ollama").symlink_to("nowhere")
    assert find_ollama(tmp_path / "own", search_path="", root=tmp_path, system="linux") is None
