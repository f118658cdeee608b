"""What is shipped with PremRunner: versions that fit, and licences that are known."""

import re
from importlib.metadata import Distribution, distribution

import pytest
from packaging.requirements import Requirement

# Words of licences that may be used with Apache-2.0 software; anything else is read by a person first.
FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|MPL|Mozilla|Zlib|ZPL|LGPL|Permission is hereby granted",
    re.IGNORECASE,
)
OTHERS_EXTRAS = {"postgresql", "redis", "studio"}


def needed(name: str, extras: set[str]) -> dict[str, Distribution]:
    """Return every installed package that another needs, and that they need in turn."""
    found: dict[str, Distribution] = {}
    wanted = [(name, extras)]
    while wanted:
        name, extras = wanted.pop()
        for line in distribution(name).requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
                continue
            if requirement.name not in found:
                found[requirement.name] = distribution(requirement.name)
                wanted.append((requirement.name, set(requirement.extras)))
    return found


SHIPPED = needed("premrunner", OTHERS_EXTRAS)


def licence_of(package: Distribution) -> str:
    classifiers = [text for text in package.metadata.get_all("Classifier") or () if text.startswith("License")]
    files = [file.read_text()[:200] for file in package.files or () if "LICENSE" in file.name]
    expression, text = package.metadata.get("License-Expression", ""), package.metadata.get("License", "")[:200]
    words = [expression, *classifiers, text, *files]
    return " ".join(word for word in words if word)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_licence_of_what_is_shipped_is_known_and_free(name):
    assert FREE.search(licence_of(SHIPPED[name])), licence_of(SHIPPED[name]) or "no licence is named"


def test_what_is_installed_is_not_older_than_what_was_tested():
    for line in distribution("premrunner").requires:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            installed = distribution(requirement.name).version
            assert requirement.specifier.contains(installed, prereleases=True), line


def test_what_reads_strangers_bytes_has_a_lower_bound():
    bounds = {
        requirement.name: str(requirement.specifier)
        for requirement in map(Requirement, distribution("premrunner").requires)
    }
    for name in (
        "flask",
        "werkzeug",
        "jinja2",
        "gunicorn",
        "gevent",
        "urllib3",
        "requests",
        "nh3",
        "markdown-it-py",
        "orjson",
        "pyyaml",
        "numpy",
    ):
        assert bounds[name].startswith(">="), name


def test_no_version_is_pinned_so_that_a_fix_can_come():
    for line in distribution("premrunner").requires:
        if 'extra == "oracle"' not in line.replace("'", '"'):
            assert "==" not in line.split(";")[0], line
