"""The pre-tokenizers of real models, as their tokenizer.json files define them."""

from .tiny_tokenizers import byte_level, split

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
LLAMA3 = (
    f"{_CONTRACTIONS}|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|\\p{{N}}{{1,3}}| ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*{_SPACES}"
)
QWEN2 = f"{_CONTRACTIONS}|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|\\p{{N}}| ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*{_SPACES}"
TEKKEN = (
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
    "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" + _SPACES
)
GPT4O = (
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" + _SPACES
)
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_DIGITS = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTES]}


def tokenizer_with(pre: str) -> dict:
    """Give a tiny tokenizer that cuts text as the models of that pre-tokenizer do."""
    if pre == "gpt-2":
        return byte_level()
    if pre in ("smollm", "refact"):
        return byte_level(_DIGITS)
    if pre == "command-r":
        return byte_level(_DIGITS) | {"normalizer": {"type": "NFC"}}
    if pre == "qwen2":
        return byte_level(split(QWEN2)) | {"normalizer": {"type": "NFC"}}
    expression = {"llama-bpe": LLAMA3, "dbrx": LLAMA3, "stablelm2": QWEN2, "tekken": TEKKEN, "gpt-4o": GPT4O}[pre]
    return byte_level(split(expression), ignore_merges=pre == "llama-bpe")
