"""A vocabulary as GGUF keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gguf import GGUFValueType, Keys, TokenType

from premrunner.weights.metadata import Entry

# Scores that llama.cpp's converter gives to tokens that no tokenizer scored.
PADDING_SCORE = -10000.0
ADDED_SCORE = -1000.0


@dataclass
class Token:
    """One token.

    Attributes:
        text: UTF-8; may be any bytes where a tokenizer is damaged.
        score: Log probability, or minus the rank of the merge that makes it.
    """

    text: bytes
    kind: TokenType = TokenType.NORMAL
    score: float = 0.0


@dataclass(frozen=True)
class Vocabulary:
    """All tokens of a model.

    Attributes:
        model: llama.cpp's kind of tokenizer: ``gpt2`` (byte-level BPE), ``llama`` (SentencePiece) or ``t5`` (unigram).
        pre: Name of the pre-tokenizer.
        tokens: By their number, without a gap.
        merges: Pairs joined by a space, best first; only byte-level BPE has them.
        has_scores: Whether the scores mean anything.
        extra: Further keys.
    """

    model: str
    pre: str
    tokens: Sequence[Token]
    merges: Sequence[str] = ()
    has_scores: bool = False
    extra: Sequence[Entry] = field(default_factory=tuple)

    def entries(self) -> list[Entry]:
        """Give the keys of a GGUF file that describe it."""
        entries = [
            Entry(Keys.Tokenizer.MODEL, GGUFValueType.STRING, self.model),
            Entry(Keys.Tokenizer.PRE, GGUFValueType.STRING, self.pre),
            Entry(Keys.Tokenizer.LIST, GGUFValueType.STRING, [token.text for token in self.tokens]),
        ]
        if self.has_scores:
            scores = [token.score for token in self.tokens]
            entries.append(Entry(Keys.Tokenizer.SCORES, GGUFValueType.FLOAT32, scores))
        kinds = [int(token.kind) for token in self.tokens]
        entries.append(Entry(Keys.Tokenizer.TOKEN_TYPE, GGUFValueType.INT32, kinds))
        if self.merges:
            entries.append(Entry(Keys.Tokenizer.MERGES, GGUFValueType.STRING, list(self.merges)))
        return [*entries, *self.extra]


def padding(number: int) -> Token:
    """Give the token that fills a place of the embeddings that the tokenizer does not use."""
    return Token(f"[PAD{number}]".encode(), TokenType.UNUSED, PADDING_SCORE)


def added_token(text: str, attributes: Mapping[str, object], *, trusts_flag: bool = False) -> Token:
    """Give a token that training or the model's makers added to the vocabulary.

    Args:
        text: As the tokenizer has it.
        attributes: Its ``added_tokens`` entry.
        trusts_flag: Whether ``special`` alone decides; else a control token is also known by its looks, because some
            models forget the flag.
    """
    if attributes.get("special") or (not trusts_flag and looks_special(text)):
        return Token(text.encode(), TokenType.CONTROL, ADDED_SCORE)
    plain = text if trusts_flag else text.replace("\u2581", " ")
    return Token(plain.encode(), TokenType.USER_DEFINED, ADDED_SCORE)


def looks_special(text: str) -> bool:
    """Say whether a token must be a control token (``does_token_look_special`` in conversion/base.py)."""
    return (
        text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
        or (text.startswith("<|") and text.endswith("|>"))
        or (text.startswith("<\uff5c") and text.endswith("\uff5c>"))
        or (text.startswith("<unused") and text.endswith(">"))
    )
