r"""Which of llama.cpp's pre-tokenizers cuts text as a tokenizer.json does.

llama.cpp's converter encodes one long text and looks the hash of the result up in a table, so a single added token
makes a known tokenizer unknown. Here the definition itself is compared: the regular expressions and steps that a
tokenizer.json lists. Source of the names and expressions: ``llm_tokenizer_bpe`` in llama.cpp's src/llama-vocab.cpp.
"""

from typing import Any

from premrunner.weights.errors import CONVERTER_EXTRA, UnsupportedTokenizer

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = r"[^\r\n\p{L}\p{N}]?"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
QWEN2 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
QWEN35 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + _SPACES
TEKKEN = f"{_CASED}{_UPPER}*{_LOWER}+|{_CASED}{_UPPER}+{_LOWER}*" + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + _SPACES
GPT4O = (
    f"{_CASED}{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|{_CASED}{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    + _SPACES
)
SEED_CODER = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+" + _SPACES
DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
    + _SPACES
)
_CJK = "[一-龥\u3040-ゟ゠-ヿ]+"  # noqa: RUF001
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"  # noqa: RUF001

DIGIT, DIGITS = "digit", "digits"

# The steps of a tokenizer.json, byte encoding left out, and llama.cpp's name. Behind a second name stands what
# decides between two that cut alike: whether whole words skip the merges.
_NAMES: dict[tuple[str, ...], str] = {
    (GPT2,): "gpt-2",
    (DIGIT, GPT2): "smollm",
    (LLAMA3,): "llama-bpe",
    (QWEN2,): "qwen2",
    (QWEN35,): "qwen35",
    (TEKKEN,): "tekken",
    (GPT4O,): "gpt-4o",
    (SEED_CODER,): "seed-coder",
    (r"\p{N}{1,3}", _CJK, DEEPSEEK3): "deepseek-v3",
    (r"\p{N}{1,3}", LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}+")): "minicpm5",
    ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", DIGIT): "deepseek-coder",
    ("punctuation", GPT2, DIGITS, "[0-9][0-9][0-9]"): "falcon",
    ("punctuation", GPT2, "[0-9][0-9][0-9]"): "falcon",
    (BLOOM,): "bloom",
    (BLOOM, r"\p{N}"): "viking",
    (BLOOM, DIGIT): "viking",
}


def recognise_pre_tokenizer(tokenizer: dict[str, Any]) -> str:
    """Give llama.cpp's name for the way in which a tokenizer.json cuts text before merging.

    Raises:
        UnsupportedTokenizer: llama.cpp has no such way.
    """
    steps = tuple(_steps(tokenizer.get("pre_tokenizer"), depth=0))
    name = _NAMES.get(steps)
    if name is None:
        shown = "; ".join(steps)[:300] or "none"
        raise UnsupportedTokenizer(
            f"The tokenizer cuts text in a way that llama.cpp is not known to have ({shown}). "
            f"llama.cpp's own converter may know it: {CONVERTER_EXTRA}.",
            file_name="tokenizer.json",
        )
    ignores_merges = bool(_model(tokenizer).get("ignore_merges"))
    if name == "llama-bpe" and not ignores_merges:
        return "dbrx"  # Cuts alike; Llama 3's also takes whole words from the vocabulary before it merges.
    if name == "smollm" and _has_normalizer(tokenizer, "NFC"):
        return "command-r"
    return name


def _model(tokenizer: dict[str, Any]) -> dict[str, Any]:
    model = tokenizer.get("model")
    return model if isinstance(model, dict) else {}


def _has_normalizer(tokenizer: dict[str, Any], kind: str) -> bool:
    normalizer = tokenizer.get("normalizer")
    return isinstance(normalizer, dict) and normalizer.get("type") == kind


def _steps(step: Any, depth: int) -> list[str]:
    """Flatten a pre-tokenizer into the expressions and kinds of its steps."""
    if not isinstance(step, dict) or depth > 8:
        return []
    kind = step.get("type")
    if kind == "Sequence":
        inner = step.get("pretokenizers")
        return [found for part in (inner if isinstance(inner, list) else []) for found in _steps(part, depth + 1)]
    if kind == "ByteLevel":
        return [GPT2] if step.get("use_regex", True) else []
    if kind == "Digits":
        return [DIGIT if step.get("individual_digits") else DIGITS]
    if kind == "Split":
        pattern = step.get("pattern")
        found = pattern.get("Regex", pattern.get("String")) if isinstance(pattern, dict) else None
        return [_canonical(str(found))] if not step.get("invert") or step.get("behavior") == "Removed" else ["inverted"]
    return [str(kind).lower()]


def _canonical(expression: str) -> str:
    """Undo the ways in which one expression is written differently by several exporters."""
    for spelled in ("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?i:[sdmt]|ll|ve|re)"):
        expression = expression.replace(spelled, _CONTRACTIONS)
    spelled_out = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    return expression.replace(spelled_out, _CONTRACTIONS).replace("'" + _CONTRACTIONS, _CONTRACTIONS)
