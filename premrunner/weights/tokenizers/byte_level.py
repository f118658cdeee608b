"""Byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM...) from ``tokenizer.json``."""

from collections.abc import Mapping
from typing import Any

from gguf import GGUFValueType

from premrunner.weights.errors import UnsupportedTokenizer
from premrunner.weights.metadata import Entry
from premrunner.weights.tokenizers.files import TokenizerFiles, vocabulary_map
from premrunner.weights.tokenizers.pre_tokenizer import recognise_pre_tokenizer
from premrunner.weights.tokenizers.vocabulary import Token, Vocabulary, added_token, padding


def byte_level_vocabulary(
    files: TokenizerFiles, vocabulary_size: int | None, pre_tokenizers: Mapping[str, str]
) -> Vocabulary | None:
    """Read the vocabulary, or give None where the folder's tokenizer is not byte-level BPE.

    Args:
        files: Of the folder.
        vocabulary_size: Rows of the embeddings; places past the tokenizer's are padded.
        pre_tokenizers: The family's own names for pre-tokenizers.

    Raises:
        WeightsInvalid: The tokenizer has more tokens than the embeddings have rows.
        UnsupportedTokenizer: It cuts text in a way that llama.cpp does not know.
    """
    model = files.tokenizer.get("model")
    if not isinstance(model, dict) or not _is_byte_level(files.tokenizer, model):
        return None
    vocabulary = vocabulary_map(model)
    texts = {number: text for text, number in vocabulary.items()}
    added = files.fitting_tokens(max(texts) + 1, vocabulary_size)
    count = max(max(texts), max(added, default=0)) + 1
    tokens = []
    for number in range(vocabulary_size or count):
        if number in added:
            tokens.append(added_token(added[number]["content"], added[number]))
        elif number in texts:
            tokens.append(Token(_encoded(texts[number])))
        else:
            tokens.append(padding(number))
    pre = recognise_pre_tokenizer(files.tokenizer)
    return Vocabulary(
        "gpt2",
        pre_tokenizers.get(pre, pre),
        tokens,
        merges=_merges(model),
        extra=_normalizer_entries(files.tokenizer.get("normalizer")),
    )


def _is_byte_level(tokenizer: dict[str, Any], model: dict[str, Any]) -> bool:
    if model.get("type") not in ("BPE", None) or model.get("byte_fallback"):
        return False
    return "ByteLevel" in str(tokenizer.get("pre_tokenizer")) or "ByteLevel" in str(tokenizer.get("decoder"))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _merges(model: dict[str, Any]) -> list[str]:
    """Give the merges as strings; newer files have pairs, whose spaces are escaped as the byte encoding would."""
    merges = model.get("merges")
    if not isinstance(merges, list) or not merges:
        raise UnsupportedTokenizer("tokenizer.json has no merges.", file_name="tokenizer.json")
    written = []
    for merge in merges:
        if isinstance(merge, str):
            written.append(merge)
        elif isinstance(merge, list) and len(merge) == 2 and all(isinstance(part, str) for part in merge):
            written.append(" ".join(part.replace(" ", chr(ord(" ") + 256)) for part in merge))
        else:
            raise UnsupportedTokenizer("A merge in tokenizer.json is no pair.", file_name="tokenizer.json")
    return written


def _normalizer_entries(normalizer: Any) -> tuple[Entry, ...]:
    if isinstance(normalizer, dict) and normalizer.get("type") == "Lowercase":
        return (Entry("tokenizer.ggml.normalizer.lowercase", GGUFValueType.BOOL, True),)
    return ()
