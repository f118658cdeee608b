"""Which tokens begin, end and pad a text, and whether they are added by themselves.

Follows ``SpecialVocab`` of llama.cpp's gguf-py (gguf/vocab.py), which looks into the post-processor of tokenizer.json,
into tokenizer_config.json and at last into config.json.
"""

from typing import Any

from gguf import GGUFValueType, Keys

from premrunner.weights.metadata import Entry
from premrunner.weights.tokenizers.files import TokenizerFiles

_ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_ID_KEYS = {
    "bos": Keys.Tokenizer.BOS_ID,
    "eos": Keys.Tokenizer.EOS_ID,
    "unk": Keys.Tokenizer.UNK_ID,
    "sep": Keys.Tokenizer.SEP_ID,
    "pad": Keys.Tokenizer.PAD_ID,
    "mask": Keys.Tokenizer.MASK_ID,
    "eot": Keys.Tokenizer.EOT_ID,
    "eom": Keys.Tokenizer.EOM_ID,
}
_ADD_KEYS = {"bos": Keys.Tokenizer.ADD_BOS, "eos": Keys.Tokenizer.ADD_EOS, "sep": Keys.Tokenizer.ADD_SEP}


def special_token_entries(files: TokenizerFiles, token_count: int) -> list[Entry]:
    """Give the keys about special tokens, without those that point past the vocabulary."""
    found = _SpecialTokens(files)
    found.read()
    numbers = [
        Entry(_ID_KEYS[role], GGUFValueType.UINT32, number)
        for role, number in found.numbers.items()
        if role in _ID_KEYS and number < token_count
    ]
    added = [
        Entry(_ADD_KEYS[role], GGUFValueType.BOOL, is_added)
        for role, is_added in found.is_added.items()
        if role in _ADD_KEYS
    ]
    return [*numbers, *added]


class _SpecialTokens:
    """What was found so far; the first find of a role counts."""

    def __init__(self, files: TokenizerFiles) -> None:
        self._files = files
        self._roles = list(_ROLES)
        self._configured = dict(files.tokenizer_config)
        self.numbers: dict[str, int] = {}
        self.is_added: dict[str, bool] = {}

    def read(self) -> None:
        if self._files.tokenizer:
            self._read_processors()
        if self._files.tokenizer_config:
            self._read_tokenizer_config()
        text_config = self._files.config.get("text_config")
        for role in self._roles:
            number = self._files.config.get(f"{role}_token_id")
            if number is None and isinstance(text_config, dict):
                number = text_config.get(f"{role}_token_id")
            self._set(role, number)

    def _set(self, role: str, number: Any) -> None:
        if type(number) is int and number >= 0:
            self.numbers.setdefault(role, number)

    def _text(self, role: str) -> str | None:
        """Give the text of a role as tokenizer_config.json has it, bare or in an object."""
        value = self._configured.get(f"{role}_token")
        value = value.get("content") if isinstance(value, dict) else value
        return value if isinstance(value, str) and value else None

    def _read_processors(self) -> None:
        for role, stand_in in (("bos", "cls"), ("eos", "sep")):
            if not self._text(role) and self._text(stand_in):
                self._configured[f"{role}_token"] = self._text(stand_in)
        processor = self._files.tokenizer.get("post_processor")
        if not isinstance(processor, dict):
            return
        inner = processor.get("processors")
        for part in inner if isinstance(inner, list) else [processor]:
            if isinstance(part, dict) and part.get("type") == "TemplateProcessing":
                self._read_template(part.get("single"))
            elif isinstance(part, dict) and part.get("type") == "RobertaProcessing":
                self.is_added.update(bos=True, eos=True, sep=True)

    def _read_template(self, single: Any) -> None:
        """Tell from the template of one text whether something stands before and behind it."""
        if not isinstance(single, list) or len(single) < 2:
            return
        has_config = bool(self._files.tokenizer_config)
        if first := _special(single[0]):
            if has_config and not self._text("bos"):
                self._configured["bos_token"] = first
            self.is_added["bos"] = not has_config or first in (self._text("bos"), self._text("cls"))
        if last := _special(single[-1]):
            if has_config and last != self._text("eos"):
                spare = next(role for role in ("eot", "eom", "") if role not in self._roles)
                if spare:
                    self._roles.append(spare)
                    self._configured[f"{spare}_token"] = self._text("eos")
                self._configured["eos_token"] = last
            self.is_added["eos"] = True

    def _read_tokenizer_config(self) -> None:
        # Only tokenizer.json gives a text its number, as in llama.cpp's converter; else config.json has the numbers.
        added = self._files.added_tokens if self._files.tokenizer else {}
        texts = {token["content"]: number for number, token in reversed(added.items())}
        for role in self._roles:
            is_added = self._configured.get(f"add_{role}_token")
            if isinstance(is_added, bool):
                self.is_added[role] = is_added
            if text := self._text(role):
                self._set(role, texts.get(text))


def _special(part: Any) -> str | None:
    token = part.get("SpecialToken") if isinstance(part, dict) else None
    text = token.get("id") if isinstance(token, dict) else None
    return text if isinstance(text, str) and text else None
