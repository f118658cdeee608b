"""The house keeps its shape: imports point down the plan of docs/architecture.md and never up."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "premrunner"

# What each part may import of the others. The words (errors, records, …) are for everybody.
WORDS = {"", "config", "errors", "events", "records", "extensions", "logs", "metrics"}
ALLOWED = {
    "net": set(),
    "weights": set(),
    "archives": set(),
    "engine": {"net"},
    "storage": {"net"},
    "builtin": {"net", "weights"},
    "domain": {"net", "engine", "storage", "weights", "archives"},
    "web": {"net", "domain"},
}
EDGES = {"app", "wiring", "owned_engine", "cli", "serve", "worker", "worker_process", "doctor", "__main__"}

# Libraries that a part must live without.
FORBIDDEN = {
    "net": {"flask", "sqlalchemy", "requests"},
    "weights": {"flask", "sqlalchemy", "requests", "torch"},
    "engine": {"flask", "sqlalchemy"},
    "storage": {"requests"},
    "domain": {"flask", "sqlalchemy", "requests", "urllib3"},
    "web": {"sqlalchemy", "requests"},
}


def modules(part: str) -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def part_of(name: str) -> str | None:
    """Return the part of PremRunner that an import names: None for other packages, "" for the package itself."""
    if name.split(".")[0] != "premrunner":
        return None
    second = [*name.split("."), ""][1]
    exists = (PACKAGE / second).is_dir() or (PACKAGE / f"{second}.py").exists()
    return second if exists else ""


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_lies_below_it(part):
    for path in modules(part):
        for name in imports(path):
            target = part_of(name)
            if target is not None:
                assert target in WORDS | ALLOWED[part] | {part}, f"{path.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_lives_without_the_libraries_of_others(part):
    for path in modules(part):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & FORBIDDEN[part], f"{path.relative_to(PACKAGE)} imports {roots & FORBIDDEN[part]}"


def test_words_import_no_part():
    for word in WORDS - {""}:
        for path in [*PACKAGE.glob(f"{word}.py"), *modules(word)]:
            for name in imports(path):
                assert part_of(name) in {None, *WORDS}, f"{path.relative_to(PACKAGE)} imports {name}"


def test_every_module_has_its_place():
    top = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert top <= WORDS | EDGES
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert set(ALLOWED) <= folders <= set(ALLOWED) | WORDS | EDGES


def test_every_folder_states_its_law():
    for law in PACKAGE.rglob("*/__init__.py"):
        assert ast.get_docstring(ast.parse(law.read_text())), law


def test_no_module_is_called_after_nothing():
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "helpers", "common", "manager", "base", "misc"}
