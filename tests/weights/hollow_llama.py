"""A Llama of 15 GB with a real tokenizer, whose weights are a hole in the disk."""

import json
import shutil
from collections.abc import Iterator
from math import prod
from pathlib import Path

WIDTH, INNER, LAYERS, HEADS, KEY_VALUE_HEADS = 4096, 14336, 33, 32, 8


def write_hollow_llama(tokenizer_folder: Path, folder: Path) -> Path:
    """Write it, with the tokenizer and the rest of the config of another model."""
    folder.mkdir()
    for path in tokenizer_folder.glob("tokenizer*"):
        shutil.copy(path, folder)
    config = json.loads((tokenizer_folder / "config.json").read_text())
    config |= {
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_VALUE_HEADS,
        "head_dim": WIDTH // HEADS,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(config))
    header, place = {}, 0
    for name, shape in _shapes(config["vocab_size"]):
        size = 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    encoded = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        file.truncate(8 + len(encoded) + place)
    return folder


def _shapes(token_count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    keys = WIDTH // HEADS * KEY_VALUE_HEADS
    yield from (("model.embed_tokens.weight", (token_count, WIDTH)), ("lm_head.weight", (token_count, WIDTH)))
    yield "model.norm.weight", (WIDTH,)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{prefix}.{norm}.weight", (WIDTH,)
        for part, rows in (("q", WIDTH), ("k", keys), ("v", keys), ("o", WIDTH)):
            yield f"{prefix}.self_attn.{part}_proj.weight", (rows, WIDTH)
        for part, shape in (("gate", (INNER, WIDTH)), ("up", (INNER, WIDTH)), ("down", (WIDTH, INNER))):
            yield f"{prefix}.mlp.{part}_proj.weight", shape
