"""The chat template: one, or several by name.

It is text here, never run: the engine renders it in a sandbox.
"""

from string import ascii_letters, digits
from typing import Any

from gguf import GGUFValueType, Keys

from premrunner.weights.json_file import read_json_object_if_there
from premrunner.weights.metadata import Entry
from premrunner.weights.tokenizers.files import MAX_TEMPLATE_BYTES, TokenizerFiles

_SAFE = ascii_letters + digits


def chat_template_entries(files: TokenizerFiles) -> list[Entry]:
    """Give the keys that hold the template, if there is one.

    tokenizer_config.json wins over ``chat_template.jinja``, that over ``chat_template.json``, as in llama.cpp's
    converter.
    """
    template = files.tokenizer_config.get("chat_template")
    if template is None:
        template = _own_file(files)
    if isinstance(template, str):
        return [_entry(Keys.Tokenizer.CHAT_TEMPLATE, template)]
    if isinstance(template, list):
        return _named(template)
    return []


def _own_file(files: TokenizerFiles) -> Any:
    template = files.template_file("chat_template.jinja")
    if template is None:
        return read_json_object_if_there(files.folder / "chat_template.json").get("chat_template")
    others = sorted((files.folder / "additional_chat_templates").glob("*.jinja"))
    if not others:
        return template
    named = [
        {"name": path.stem, "template": path.read_text("utf-8", "replace")}
        for path in others
        if path.stat().st_size <= MAX_TEMPLATE_BYTES
    ]
    return [{"name": "default", "template": template}, *named]


def _named(templates: list[Any]) -> list[Entry]:
    found: dict[str, str] = {}
    for choice in templates:
        name, template = (choice.get("name"), choice.get("template")) if isinstance(choice, dict) else (None, None)
        if isinstance(name, str) and isinstance(template, str):
            found["".join(letter if letter in _SAFE else "_" for letter in name)] = template
    default = found.pop("default", None)
    entries = [_entry(Keys.Tokenizer.CHAT_TEMPLATE_N.format(name=name), text) for name, text in found.items() if name]
    if found:
        entries.append(Entry(Keys.Tokenizer.CHAT_TEMPLATES, GGUFValueType.STRING, sorted(filter(None, found))))
    return [*entries, *([_entry(Keys.Tokenizer.CHAT_TEMPLATE, default)] if default is not None else [])]


def _entry(key: str, template: str) -> Entry:
    return Entry(key, GGUFValueType.STRING, template)
