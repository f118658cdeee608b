"""SentencePiece's ``tokenizer.model``, read without the sentencepiece or protobuf packages.

The file is a protobuf message; only the fields that GGUF wants are looked at.
Source: sentencepiece_model.proto in google/sentencepiece.
"""

import struct
from collections.abc import Iterator

from gguf import TokenType

from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.json_file import read_json_object_if_there
from premrunner.weights.tokenizers.files import MAX_TOKENS, TokenizerFiles, token_number
from premrunner.weights.tokenizers.vocabulary import ADDED_SCORE, Token, Vocabulary, added_token, padding

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_PIECES = 1
_PIECE_TEXT, _PIECE_SCORE, _PIECE_KIND = 1, 2, 3

# What a piece calls itself, where it differs from what GGUF does: llama.cpp's converter leaves user-defined pieces
# as normal ones.
_KINDS = {
    2: TokenType.UNKNOWN,
    3: TokenType.CONTROL,
    5: TokenType.UNUSED,
    6: TokenType.BYTE,
}


def sentencepiece_vocabulary(
    files: TokenizerFiles, vocabulary_size: int | None, *, trusts_flag: bool = False
) -> Vocabulary | None:
    """Read the vocabulary, or give None where the folder has no ``tokenizer.model``.

    Args:
        files: Of the folder.
        vocabulary_size: Rows of the embeddings.
        trusts_flag: Whether an added token is a control token only if it says so (Phi-3).

    Raises:
        WeightsInvalid: The file is damaged.
    """
    content = files.sentencepiece
    if content is None:
        return None
    pieces = list(read_pieces(content))
    if not pieces:
        raise WeightsInvalid("tokenizer.model holds no tokens.", file_name="tokenizer.model")
    size = vocabulary_size or len(pieces)
    tokens = pieces[:size] + [padding(number) for number in range(len(pieces), size)]
    extra = read_json_object_if_there(files.folder / "added_tokens.json")
    for text, value in extra.items():
        number = token_number(value)
        if number < size:
            tokens[number] = Token(text.encode(), TokenType.USER_DEFINED, ADDED_SCORE)
    for number, attributes in files.configured_tokens.items():
        if number < size:
            tokens[number] = added_token(attributes["content"], attributes, trusts_flag=trusts_flag)
    for number, attributes in files.added_tokens.items():
        # transformers 5 keeps them in tokenizer.json alone, where llama.cpp's converter does not look (but for Phi-3).
        if number < size and (trusts_flag or tokens[number].kind == TokenType.UNUSED):
            tokens[number] = added_token(attributes["content"], attributes, trusts_flag=trusts_flag)
    return Vocabulary("llama", "default", tokens, has_scores=True)


def read_pieces(content: bytes) -> Iterator[Token]:
    """Read the pieces of a ``tokenizer.model`` in their order.

    Raises:
        WeightsInvalid: It is not one.
    """
    count = 0
    for number, value in _fields(memoryview(content)):
        if number == _MODEL_PIECES and isinstance(value, memoryview):
            count += 1
            if count > MAX_TOKENS:
                raise _damaged()
            yield _piece(value)


def _piece(message: memoryview) -> Token:
    text, score, kind = b"", 0.0, TokenType.NORMAL
    for number, value in _fields(message):
        if number == _PIECE_TEXT and isinstance(value, memoryview):
            text = bytes(value)
        elif number == _PIECE_SCORE and isinstance(value, memoryview) and len(value) == 4:
            score = struct.unpack("<f", value)[0]
        elif number == _PIECE_KIND and isinstance(value, int):
            kind = _KINDS.get(value, TokenType.NORMAL)
    return Token(text, kind, score)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over a message: the number of each field and its value, an integer or its raw bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(message, place)
        else:
            length = {_FIXED32: 4, _FIXED64: 8}.get(kind, -1)
        if length < 0 or place + length > len(message):
            raise _damaged()
        yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _damaged()


def _damaged() -> WeightsInvalid:
    return WeightsInvalid("tokenizer.model is damaged, or no SentencePiece model.", file_name="tokenizer.model")
