"""Unigram in ``tokenizer.json``: SentencePiece's other algorithm, which llama.cpp calls ``t5``."""

import base64
import binascii
import re
from typing import Any

from gguf import GGUFValueType, Keys, TokenType

from premrunner.weights.errors import UnsupportedTokenizer
from premrunner.weights.metadata import Entry
from premrunner.weights.tokenizers.files import MAX_TOKENS, TokenizerFiles
from premrunner.weights.tokenizers.vocabulary import Token, Vocabulary, added_token, padding

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


def unigram_vocabulary(files: TokenizerFiles, vocabulary_size: int | None) -> Vocabulary | None:
    """Read the vocabulary, or give None where the tokenizer is of another kind.

    Args:
        files: Of the folder.
        vocabulary_size: Rows of the embeddings.

    Raises:
        WeightsInvalid: The tokenizer has more tokens than the embeddings have rows.
        UnsupportedTokenizer: A piece is no piece.
    """
    model = files.tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type") != "Unigram":
        return None
    pieces = model.get("vocab")
    if not isinstance(pieces, list) or not 0 < len(pieces) <= MAX_TOKENS:
        raise UnsupportedTokenizer("tokenizer.json holds no pieces.", file_name="tokenizer.json")
    added = files.fitting_tokens(len(pieces), vocabulary_size)
    count = max(len(pieces), max(added, default=-1) + 1)
    tokens = [padding(number) for number in range(vocabulary_size or count)]
    for number, piece in enumerate(pieces):
        tokens[number] = _token(piece, is_unknown=number == model.get("unk_id"))
    for number, attributes in added.items():
        if tokens[number].kind != TokenType.UNKNOWN:
            score = tokens[number].score if number < len(pieces) else 0.0
            tokens[number] = added_token(attributes["content"], attributes)
            tokens[number].score = score
    return Vocabulary("t5", "default", tokens, has_scores=True, extra=_normalizer_entries(files.tokenizer))


def _token(piece: Any, *, is_unknown: bool) -> Token:
    if not isinstance(piece, list) or len(piece) != 2 or not isinstance(piece[0], str):
        raise UnsupportedTokenizer("A piece of tokenizer.json is none.", file_name="tokenizer.json")
    if type(piece[1]) not in (int, float):
        raise UnsupportedTokenizer("A piece of tokenizer.json has no score.", file_name="tokenizer.json")
    kind = TokenType.UNKNOWN if is_unknown else TokenType.BYTE if _BYTE.fullmatch(piece[0]) else TokenType.NORMAL
    return Token(piece[0].encode("utf-8", "surrogatepass"), kind, float(piece[1]))


def _normalizer_entries(tokenizer: dict[str, Any]) -> list[Entry]:
    step = tokenizer.get("pre_tokenizer")
    steps = [step, *step.get("pretokenizers", [])] if isinstance(step, dict) else []
    adds_space = any(
        isinstance(part, dict) and part.get("type") == "Metaspace" and part.get("prepend_scheme") != "never"
        for part in steps
    )
    normalizer = tokenizer.get("normalizer")
    entries = [
        Entry(Keys.Tokenizer.ADD_PREFIX, GGUFValueType.BOOL, adds_space),
        Entry(Keys.Tokenizer.REMOVE_EXTRA_WS, GGUFValueType.BOOL, " {2,}" in str(normalizer)[-400:]),
    ]
    if charsmap := _find_charsmap(normalizer):
        try:
            values = list(base64.b64decode(charsmap, validate=True))
        except (binascii.Error, ValueError) as error:
            raise UnsupportedTokenizer("The normalizer of tokenizer.json is damaged.") from error
        entries.append(Entry(Keys.Tokenizer.PRECOMPILED_CHARSMAP, GGUFValueType.UINT8, values))
    return entries


def _find_charsmap(normalizer: Any) -> str | None:
    if not isinstance(normalizer, dict):
        return None
    inner = normalizer.get("normalizers")
    for part in [normalizer, *(inner if isinstance(inner, list) else [])]:
        charsmap = part.get("precompiled_charsmap") if isinstance(part, dict) else None
        if isinstance(charsmap, str):
            return charsmap
    return None
