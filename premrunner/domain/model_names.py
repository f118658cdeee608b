"""The names of models in the engine: the original's slug, legal everywhere, and never another model's."""

import re
import unicodedata
from collections.abc import Collection

# Ollama's limit for one part of a name (types/model/name.go).
LONGEST_ALIAS = 80
_NOT_SLUG = re.compile(r"[^a-z0-9]")
_FIRST = re.compile(r"^[^a-z0-9]+")
# Names become folders, and Windows keeps these for devices.
_DEVICES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$")


def slug(name: str) -> str:
    """Return the original's alias of a name: lower case, and a dash for all but letters and digits."""
    return _NOT_SLUG.sub("-", name.lower())


def legal_alias(name: str, model_id: str) -> str:
    """Return the alias of a name: its slug wherever that is legal, because the original's page computes it itself.

    Args:
        name: What its owner calls the model.
        model_id: Gives an alias to names without any letter or digit of ASCII.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    for text in (name, plain):
        alias = _FIRST.sub("", slug(text))[:LONGEST_ALIAS]
        if alias.strip("-"):
            return f"{alias}-model" if _DEVICES.match(alias) else alias
    return f"model-{model_id[-8:]}"


def free_alias(wanted: str, taken: Collection[str]) -> str:
    """Return the alias, with a number behind it if another model has it.

    Args:
        wanted: A legal alias.
        taken: Names in lower case, with or without the engine's ``:latest``.
    """
    names = {name.lower().removesuffix(":latest") for name in taken}
    if wanted not in names:
        return wanted
    number = 2
    while (alias := f"{wanted[: LONGEST_ALIAS - len(str(number)) - 1]}-{number}") in names:
        number += 1
    return alias
