"""SentencePiece in the clothes of ``tokenizer.json``: BPE that falls back to bytes, as Llama 2 and Gemma save it.

llama.cpp's own SentencePiece tokenizer joins the pair whose result has the best score, so each token's score is made
from the rank of the merge that makes it. llama.cpp's converter writes -1000 for every token here, which makes it join
from the left instead; that difference is on purpose.
"""

import re
from typing import Any

from gguf import GGUFValueType, Keys, TokenType

from premrunner.weights.metadata import Entry
from premrunner.weights.tokenizers.files import TokenizerFiles, vocabulary_map
from premrunner.weights.tokenizers.vocabulary import ADDED_SCORE, Token, Vocabulary, added_token, padding

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


def byte_fallback_vocabulary(files: TokenizerFiles, vocabulary_size: int | None) -> Vocabulary | None:
    """Read the vocabulary, or give None where the tokenizer is of another kind.

    Args:
        files: Of the folder.
        vocabulary_size: Rows of the embeddings.

    Raises:
        WeightsInvalid: The tokenizer has more tokens than the embeddings have rows.
    """
    model = files.tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type") not in ("BPE", None) or not model.get("byte_fallback"):
        return None
    vocabulary = vocabulary_map(model)
    texts = {number: text for text, number in vocabulary.items()}
    added = files.fitting_tokens(max(texts) + 1, vocabulary_size)
    count = max(max(texts), max(added, default=0)) + 1
    scores = _scores(model.get("merges"))
    tokens = [
        _token(number, texts.get(number), added.get(number), scores, model.get("unk_token"))
        for number in range(vocabulary_size or count)
    ]
    extra = () if _adds_space(files.tokenizer) else (Entry(Keys.Tokenizer.ADD_PREFIX, GGUFValueType.BOOL, False),)
    return Vocabulary("llama", "default", tokens, has_scores=True, extra=extra)


def _token(
    number: int, text: str | None, added: dict[str, Any] | None, scores: dict[str, float], unknown: Any
) -> Token:
    if added is not None:
        token = added_token(added["content"], added)
        return Token(token.text, TokenType.UNKNOWN, ADDED_SCORE) if added["content"] == unknown else token
    if text is None:
        return padding(number)
    kind = TokenType.BYTE if _BYTE.fullmatch(text) else TokenType.NORMAL
    return Token(text.encode("utf-8", "surrogatepass"), kind, scores.get(text, ADDED_SCORE - len(scores)))


def _scores(merges: Any) -> dict[str, float]:
    """Give minus the rank of the first merge that makes each token; what no merge makes comes last of all."""
    scores: dict[str, float] = {}
    for rank, merge in enumerate(merges if isinstance(merges, list) else []):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
            scores.setdefault("".join(pair), float(-rank))
    return scores


def _adds_space(tokenizer: dict[str, Any]) -> bool:
    """Say whether a text gets a space in front, by the normalizer of older files or the Metaspace of newer ones."""
    if "Prepend" in str(tokenizer.get("normalizer"))[:2000]:
        return True
    step = tokenizer.get("pre_tokenizer")
    return isinstance(step, dict) and step.get("type") == "Metaspace" and step.get("prepend_scheme") != "never"
