"""Small made-up tokenizers with the structure of real ones."""

import json
import struct
from pathlib import Path

GPT2_EXPRESSION = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
WORDS = ("th", "the", "an", "and", "in", "ing", "er", "on", "re", "at")
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def byte_characters() -> list[str]:
    """Give the characters that stand for the 256 bytes in byte-level BPE (GPT-2's ``bytes_to_unicode``)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]


def byte_level(pre_tokenizer: dict | None = None, *, ignore_merges: bool = False) -> dict:
    """Give a tokenizer.json of 266 tokens and, after them, three special ones and one that users added."""
    vocabulary = {character: place for place, character in enumerate(byte_characters())}
    merges = []
    for word in WORDS:
        left = max((word[:cut] for cut in range(1, len(word)) if word[:cut] in vocabulary), key=len)
        merges.append([left, word[len(left) :]])
        vocabulary.setdefault(word, len(vocabulary))
    added = [_added(len(vocabulary) + place, text, special=True) for place, text in enumerate(SPECIAL)]
    added.append(_added(len(vocabulary) + len(SPECIAL), "<our_tool>", special=False))
    merges = [pair for pair in merges if pair[0] in vocabulary and pair[1] in vocabulary]
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer
        or {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "unk_token": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": ignore_merges,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def split(expression: str) -> dict:
    """Give the pre-tokenizer that most newer models have: an expression, then bytes."""
    return {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    }


def byte_fallback() -> dict:
    """Give a tokenizer.json as Llama 2 saves it: SentencePiece's BPE with bytes for what is unknown."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    vocabulary |= {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for piece in ("\u2581", *"abcdefghijklmnopqrst"):
        vocabulary[piece] = len(vocabulary)
    merges = []
    for left, right in (
        ("\u2581", "t"),
        ("h", "e"),
        ("\u2581t", "he"),
        ("i", "n"),
        ("\u2581", "a"),
        ("in", "g"),
        ("e", "r"),
    ):
        merges.append([left, right])
        vocabulary[left + right] = len(vocabulary)
    added = [_added(number, text, special=True) for text, number in list(vocabulary.items())[:3]]
    added.append(_added(len(vocabulary), "<|end|>", special=True))
    decoders = [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    normalizers = [
        {"type": "Prepend", "prepend": "\u2581"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    ]
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def unigram() -> dict:
    """Give a tokenizer.json of SentencePiece's unigram kind."""
    pieces = [
        ["<unk>", 0.0],
        ["<s>", 0.0],
        ["</s>", 0.0],
        *([piece, -2.0 - place] for place, piece in enumerate(WORDS)),
    ]
    return {
        "version": "1.0",
        "added_tokens": [_added(place, pieces[place][0], special=True) for place in range(3)],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "AAAA"}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "post_processor": None,
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False},
    }


def sentencepiece_model() -> bytes:
    """Give a tokenizer.model: unknown, two controls, the bytes, and some words with scores."""
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    pieces += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    pieces += [(word, -float(place), 1) for place, word in enumerate(("\u2581the", *WORDS, "\u2581", *"abcdefgh"))]
    pieces.append(("<custom>", 0.0, 4))
    body = b"".join(_message(1, _piece(*piece)) for piece in pieces)
    trainer = _message(2, _integer(3, 2) + _integer(35, 1) + _integer(40, 0) + _integer(41, 1) + _integer(42, 2))
    return body + trainer + _message(3, _integer(3, 1) + _integer(4, 0) + _integer(5, 1))


def write_byte_level(folder: Path, tokenizer: dict | None = None, **config: object) -> None:
    """Write tokenizer.json and tokenizer_config.json."""
    tokenizer = tokenizer or byte_level()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[1],
        "eos_token": SPECIAL[2],
        "pad_token": SPECIAL[0],
        "chat_template": "{% for message in messages %}{{ message.content }}{% endfor %}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | config))


def write_sentencepiece(folder: Path, **config: object) -> None:
    """Write tokenizer.model and tokenizer_config.json, with two added tokens past its end."""
    (folder / "tokenizer.model").write_bytes(sentencepiece_model())
    added = {
        str(number): {"content": text, "special": special, "normalized": False, "lstrip": False, "rstrip": False}
        for number, text, special in ((0, "<unk>", True), (1, "<s>", True), (2, "</s>", True), (285, "<|user|>", False))
    }
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": added,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | config))


def _added(number: int, text: str, *, special: bool) -> dict:
    return {
        "id": number,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def _piece(text: str, score: float, kind: int) -> bytes:
    return _message(1, text.encode()) + b"\x15" + struct.pack("<f", score) + (_integer(3, kind) if kind != 1 else b"")


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
