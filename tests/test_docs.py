"""The documents tell the truth: settings, routes, fields, commands, dependencies."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from click.testing import CliRunner

from premrunner.cli import main
from premrunner.config import SETTINGS
from premrunner.web.wire.openai_request import PARAMETERS

ROOT = Path(__file__).parent.parent
DOCS = {path.name: path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]}

# What a browser asks for is described by its pages.
PAGES = {"ui", "static"}


def table_column(text: str, column: int = 1) -> set[str]:
    return set(
        re.findall(
            r"`([^`]+)`", "\n".join(line.split("|")[column] for line in text.splitlines() if line.startswith("| `"))
        )
    )


def test_every_setting_is_documented_and_no_other():
    documented = table_column(DOCS["configuration.md"].split("## The data folder")[0])
    assert documented == {setting.name for setting in SETTINGS}


def test_every_route_is_documented_in_its_views_own_words(app):
    routes = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "<id>", rule.rule)
        if rule.endpoint.split(".")[0] not in PAGES and not path.startswith("/api/v1/"):
            meaning = app.view_functions[rule.endpoint].__doc__.strip().splitlines()[0].replace("``", "`")
            routes |= {f"{method} {path}": meaning for method in rule.methods - {"HEAD", "OPTIONS"}}
    row = r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)` \| (.+) \|$"
    assert dict(re.findall(row, DOCS["api.md"], re.MULTILINE)) == routes


def test_openais_routes_answer_where_prems_sdk_looks_too(app):
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    for path in ("chat/completions", "completions", "embeddings", "models", "responses", "messages"):
        assert {f"/v1/{path}", f"/api/v1/{path}"} <= rules


def test_every_field_of_a_chat_is_documented_with_its_meaning():
    for parameter in PARAMETERS:
        assert f"| `{parameter.name}` | {parameter.meaning} |" in DOCS["api.md"]


def test_every_dependency_has_its_reason():
    wanted = requires("premrunner")
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)[0]
        assert re.search(rf"`{re.escape(name)}(\[[a-z]+\])?`", DOCS["dependencies.md"]), name


def commands(group=main, path=()):
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help(path):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert len(result.output.split("\n\n")[1].strip()) > 10


@pytest.mark.parametrize("name", list(DOCS))
def test_every_link_between_documents_leads_somewhere(name):
    folder = ROOT if (ROOT / name).exists() else ROOT / "docs"
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", DOCS[name]):
        if "://" not in target:
            assert (folder / target).exists(), target


def test_the_commands_that_the_documents_show_exist():
    known = {" ".join(path) for path in commands()}
    for text in DOCS.values():
        for shown in re.findall(r"`premrunner ([a-z]+(?: [a-z]+)?)", text):
            assert shown in known or shown.split()[0] in known, shown
    makefile = (ROOT / "Makefile").read_text()
    for text in DOCS.values():
        for target in re.findall(r"`make ([a-z]+)`", text):
            assert f"\n{target}:" in makefile, target
