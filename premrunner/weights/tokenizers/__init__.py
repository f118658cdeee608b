"""From a folder's tokenizer files to the keys of a GGUF file. Reads text files; never a tensor, never runs a template.

Imports only what describes a vocabulary.
"""

from dataclasses import dataclass
from pathlib import Path

from gguf import GGUFValueType, Keys

from premrunner.weights.architectures.family import Family
from premrunner.weights.errors import CONVERTER_EXTRA, UnsupportedTokenizer, WeightsInvalid
from premrunner.weights.metadata import Entry
from premrunner.weights.tokenizers.byte_fallback import byte_fallback_vocabulary
from premrunner.weights.tokenizers.byte_level import byte_level_vocabulary
from premrunner.weights.tokenizers.chat_template import chat_template_entries
from premrunner.weights.tokenizers.files import TokenizerFiles
from premrunner.weights.tokenizers.sentencepiece import sentencepiece_vocabulary
from premrunner.weights.tokenizers.special_tokens import special_token_entries
from premrunner.weights.tokenizers.unigram import unigram_vocabulary
from premrunner.weights.tokenizers.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tokenizer:
    """All that GGUF says about a tokenizer.

    Attributes:
        kind: llama.cpp's kind: ``gpt2``, ``llama`` or ``t5``.
        pre: Name of the pre-tokenizer.
        has_chat_template: Whether the model knows how to write a conversation.
    """

    kind: str
    pre: str
    token_count: int
    has_chat_template: bool
    entries: tuple[Entry, ...]


def read_tokenizer(folder: Path, family: Family, vocabulary_size: int | None) -> Tokenizer:
    """Read a folder's tokenizer.

    Args:
        folder: With tokenizer.json or tokenizer.model.
        family: Which kinds it may be.
        vocabulary_size: Rows of the embeddings.

    Raises:
        UnsupportedTokenizer: There is none, or one that llama.cpp would not understand.
        WeightsInvalid: A file is damaged, or does not fit the embeddings.
    """
    files = TokenizerFiles(folder)
    vocabulary = _read_vocabulary(files, family, vocabulary_size)
    template = chat_template_entries(files)
    entries = [
        *_space_entries(files, family),
        *vocabulary.entries(),
        *special_token_entries(files, len(vocabulary.tokens)),
        *template,
    ]
    if family.space_prefix == "never":
        entries.append(Entry(Keys.Tokenizer.ADD_PREFIX, GGUFValueType.BOOL, False))
    has_template = any(entry.key == Keys.Tokenizer.CHAT_TEMPLATE for entry in template)
    return Tokenizer(vocabulary.model, vocabulary.pre, len(vocabulary.tokens), has_template, tuple(entries))


def _read_vocabulary(files: TokenizerFiles, family: Family, size: int | None) -> Vocabulary:
    for kind in family.vocabularies:
        vocabulary = None
        if kind == "byte_level":
            vocabulary = byte_level_vocabulary(files, size, family.pre_tokenizers)
        elif kind == "sentencepiece" and not _is_gpt2_class(files):
            vocabulary = sentencepiece_vocabulary(files, size, trusts_flag=family.architecture == "phi3")
        elif kind == "byte_fallback":
            vocabulary = byte_fallback_vocabulary(files, size)
        elif kind == "unigram":
            vocabulary = unigram_vocabulary(files, size)
        if vocabulary is not None:
            return vocabulary
    if not files.are_there:
        raise WeightsInvalid(
            "There is no tokenizer beside the weights: tokenizer.json or tokenizer.model must be uploaded too "
            "(`tokenizer.save_pretrained(folder)`)."
        )
    model = files.tokenizer.get("model")
    kind = str(model.get("type"))[:40] if isinstance(model, dict) else "unknown"
    raise UnsupportedTokenizer(
        f"{family.names[0]} with a tokenizer of type {kind} is not known here. "
        f"llama.cpp's own converter may know it: {CONVERTER_EXTRA}.",
        file_name="tokenizer.json",
    )


def _is_gpt2_class(files: TokenizerFiles) -> bool:
    """Say whether the config overrules a tokenizer.model that lies beside (Phi-4's does)."""
    return files.tokenizer_config.get("tokenizer_class") == "GPT2Tokenizer"


def _space_entries(files: TokenizerFiles, family: Family) -> list[Entry]:
    adds_space = files.tokenizer_config.get("add_prefix_space")
    if family.space_prefix == "as_configured" and isinstance(adds_space, bool):
        return [Entry(Keys.Tokenizer.ADD_PREFIX, GGUFValueType.BOOL, adds_space)]
    return []
