"""The files of a folder that describe its tokenizer, each read once."""

from functools import cached_property
from pathlib import Path
from typing import Any

from premrunner.weights.errors import UnsupportedTokenizer, WeightsInvalid
from premrunner.weights.json_file import MAX_JSON_BYTES, read_json_object_if_there

# An id past this is a joke on whoever fills the gap below it: the largest real vocabulary has 262 144 tokens.
MAX_TOKENS = 2_000_000
MAX_TEMPLATE_BYTES = 1024 * 1024


class TokenizerFiles:
    """What a folder says about its tokenizer.

    Attributes:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def tokenizer(self) -> dict[str, Any]:
        """``tokenizer.json``, or empty."""
        return read_json_object_if_there(self.folder / "tokenizer.json", limit_bytes=MAX_JSON_BYTES)

    @cached_property
    def tokenizer_config(self) -> dict[str, Any]:
        """``tokenizer_config.json``, or empty."""
        return read_json_object_if_there(self.folder / "tokenizer_config.json", limit_bytes=MAX_JSON_BYTES)

    @cached_property
    def config(self) -> dict[str, Any]:
        """``config.json``, or empty."""
        return read_json_object_if_there(self.folder / "config.json")

    @cached_property
    def sentencepiece(self) -> bytes | None:
        """``tokenizer.model``, or None."""
        path = self.folder / "tokenizer.model"
        if not path.is_file():
            return None
        if path.stat().st_size > MAX_JSON_BYTES:
            raise WeightsInvalid("tokenizer.model is too large to be one.", file_name=path.name)
        return path.read_bytes()

    @property
    def are_there(self) -> bool:
        """Whether this folder has a tokenizer at all."""
        return (self.folder / "tokenizer.json").is_file() or (self.folder / "tokenizer.model").is_file()

    @cached_property
    def added_tokens(self) -> dict[int, dict[str, Any]]:
        """Tokens added to the vocabulary, by number: those of tokenizer.json, then the config's."""
        added: dict[int, dict[str, Any]] = {}
        listed = self.tokenizer.get("added_tokens")
        for token in listed if isinstance(listed, list) else []:
            if isinstance(token, dict):
                added[token_number(token.get("id"))] = _with_text(token)
        for number, token in self.configured_tokens.items():
            added.setdefault(number, token)
        return added

    @cached_property
    def configured_tokens(self) -> dict[int, dict[str, Any]]:
        """Those of tokenizer_config.json alone."""
        decoder = self.tokenizer_config.get("added_tokens_decoder")
        entries = decoder.items() if isinstance(decoder, dict) else []
        return {token_number(number): _with_text(token) for number, token in entries if isinstance(token, dict)}

    def fitting_tokens(self, base_count: int, vocabulary_size: int | None) -> dict[int, dict[str, Any]]:
        """Give the added tokens that the embeddings have a row for; a pad token past them is common, and never used.

        Args:
            base_count: Tokens of the vocabulary itself.
            vocabulary_size: Rows of the embeddings; None takes every token.

        Raises:
            WeightsInvalid: The vocabulary itself is larger than the embeddings.
        """
        if vocabulary_size is None:
            return self.added_tokens
        if base_count > vocabulary_size:
            raise WeightsInvalid(
                f"The tokenizer has {base_count} tokens and the model's embeddings only {vocabulary_size} rows. "
                "Is it another model's, or was model.resize_token_embeddings forgotten?",
                file_name="tokenizer.json",
            )
        return {number: token for number, token in self.added_tokens.items() if number < vocabulary_size}

    def template_file(self, name: str) -> str | None:
        """Give the text of a chat template's own file, or None where there is none."""
        path = self.folder / name
        if not path.is_file():
            return None
        if path.stat().st_size > MAX_TEMPLATE_BYTES:
            raise WeightsInvalid(f"{path.name} is too large for a chat template.", file_name=path.name)
        try:
            return path.read_text("utf-8")
        except UnicodeError as error:
            raise WeightsInvalid(f"{path.name} is not UTF-8 text.", file_name=path.name) from error


def token_number(value: Any) -> int:
    """Give a token's number, which JSON also keeps as a string.

    Raises:
        WeightsInvalid: It is none.
    """
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    if type(value) is not int or not 0 <= value < MAX_TOKENS:
        raise WeightsInvalid(f"{str(value)[:40]!r} cannot be the number of a token.", file_name="tokenizer.json")
    return value


def vocabulary_map(model: dict[str, Any]) -> dict[str, int]:
    """Give the ``vocab`` of a tokenizer.json's model, checked.

    Raises:
        UnsupportedTokenizer: It has none.
    """
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict) or not vocabulary:
        raise UnsupportedTokenizer("tokenizer.json holds no vocabulary.", file_name="tokenizer.json")
    for number in vocabulary.values():
        token_number(number)
    return vocabulary


def _with_text(token: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(token.get("content"), str):
        raise WeightsInvalid("An added token has no text.", file_name="tokenizer.json")
    return token
