"""What llama.cpp's tools made of the tiny models, recorded so that every test run compares with it.

``python -m tests.weights.recorded`` (from the project's folder, after ``make oracle``, and with
PREMRUNNER_LLAMA_QUANTIZE naming a llama-quantize) records anew.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

from .gguf_compare import keys_of, tensors_of
from .oracle import Oracle, oracle_python
from .quantized_models import QUANTIZED_MODELS, write_quantized_model
from .tiny_models import TINY_MODELS, write_tiny_model

CONVERTER_FILE = Path(__file__).with_name("data") / "converter.json"
QUANTIZER_FILE = Path(__file__).with_name("data") / "llama_quantize.json"

# llama.cpp's converter loses these tensors ("Unprocessed norms"): a generator that returns another.
CONVERTER_FAILS = ("stablelm-normed",)
# The oracle's llama.cpp refuses rows that are no multiple of 32; later ones store them in float16.
QUANTIZER_FAILS = () if "PREMRUNNER_LLAMA_QUANTIZE" in os.environ else ("very narrow",)
_LONG = 60


def shortened(path: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Give a file's keys and tensors as short texts: long values by their digest."""
    short = {}
    for name, (kinds, value) in keys_of(path, but=but).items():
        text = json.dumps(value)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        short[name] = f"{' '.join(kinds)} {text if len(text) <= _LONG else digest}"
    for name, (kind, shape, digest) in tensors_of(path).items():
        short[f"tensor {name}"] = f"{kind} {'x'.join(map(str, shape))} {digest[:16]}"
    return short


def oracle_type(kind: str, output_type: str) -> str:
    """Say what the converter is asked for: its ``auto`` turns float32 into float16, ours keeps it."""
    return "f32" if output_type == "auto" and TINY_MODELS[kind].dtype == "F32" else output_type


def record_converter(folder: Path) -> None:
    oracle = Oracle(oracle_python())
    recorded = {}
    for kind, model in TINY_MODELS.items():
        if kind in CONVERTER_FAILS:
            continue
        source = write_tiny_model(kind, folder / kind)
        for output_type in ("auto", "q8_0"):
            made = folder / f"{kind}.gguf"
            oracle.convert(source, made, oracle_type(kind, output_type), model.pre)
            recorded[f"{kind} {output_type}"] = shortened(made)
    oracle.close()
    CONVERTER_FILE.write_text(json.dumps(recorded, indent=0, sort_keys=True) + "\n")


def record_quantizer(folder: Path) -> None:
    oracle = Oracle(oracle_python())
    recorded = {}
    for kind in QUANTIZED_MODELS:
        source = write_quantized_model(kind, folder / "quantized" / kind)
        plain = oracle.convert(source, folder / "plain.gguf", "auto", QUANTIZED_MODELS[kind].pre)
        for output_type in QUANTIZED_MODELS[kind].output_types:
            made = quantize_with_llama_cpp(oracle, plain, folder / "quantized.gguf", output_type)
            recorded[f"{kind} {output_type}"] = shortened(made, but=("tokenizer.",))
    oracle.close()
    QUANTIZER_FILE.write_text(json.dumps(recorded, indent=0, sort_keys=True) + "\n")


def quantize_with_llama_cpp(oracle: Oracle, source: Path, destination: Path, output_type: str) -> Path:
    """Ask the program that PREMRUNNER_LLAMA_QUANTIZE names, else the oracle."""
    program = os.environ.get("PREMRUNNER_LLAMA_QUANTIZE")
    if program is None:
        return oracle.quantize(source, destination, output_type)
    subprocess.run([program, str(source), str(destination), output_type, "2"], check=True, capture_output=True)
    return destination


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        record_converter(Path(temporary))
        record_quantizer(Path(temporary))
