"""``premrunner convert``: the library from a terminal, with a progress bar.

What takes long to load is loaded while the weights are hashed already.
"""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from premrunner.errors import PremRunnerError
from premrunner.weights.checkpoint import probable_sources
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.progress import Progress
from premrunner.weights.source_digests import SourceDigests

if TYPE_CHECKING:
    from premrunner.weights.convert import Conversion

# How long a thread that loads a library may keep Python's lock from those that hash; a tenth of what Python allows.
_LOCK_SECONDS = 0.0005
_BAR_CHARACTERS = 30
_LABELS = {"copying": "Copying", "converting": "llama.cpp converts", "checking": "Checking", "writing": "Writing "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.add_argument("folder", type=Path, help="the model: config.json, *.safetensors and its tokenizer")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter to merge in; FOLDER, or a GGUF file, is its base")
    parser.add_argument(
        "--quantize",
        default="auto",
        metavar="TYPE",
        type=str.lower,
        help="f32, f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m or q4_0; default: auto, as the weights are stored",
    )
    parser.add_argument("--name", help="what the model is called inside the file; default: by its card or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the GGUF file to write")


def run(arguments: argparse.Namespace) -> int:
    """Convert, and give the exit status."""
    show = _show_progress if sys.stderr.isatty() else None
    try:
        with SourceDigests(OpenFiles()) as digests:
            digests.begin(probable_sources(arguments.folder))
            from premrunner.weights.convert import convert

            conversion = convert(
                arguments.folder,
                arguments.output,
                adapter=arguments.adapter,
                output_type=arguments.quantize,
                name=arguments.name,
                digests=digests,
                progress=show,
            )
    except PremRunnerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_summary(conversion))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in a process of its own, whose threads it tunes."""
    sys.setswitchinterval(_LOCK_SECONDS)
    gc.disable()  # What a conversion leaves behind has no cycles; to look for them takes a twentieth of its time.
    # Several pieces are merged at once already; BLAS threads on top of that would only wait for each other. It reads
    # this when numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="premrunner convert", description="Convert safetensors to one GGUF file.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def _show_progress(progress: Progress) -> None:
    share = progress.done_bytes / max(1, progress.total_bytes)
    bar = "#" * round(share * _BAR_CHARACTERS)
    end = "\n" if progress.done_bytes >= progress.total_bytes else ""
    sys.stderr.write(f"\r{_LABELS[progress.stage]} [{bar:<{_BAR_CHARACTERS}}] {share:4.0%}{end}")
    sys.stderr.flush()


def _summary(conversion: "Conversion") -> str:
    return (
        f"{conversion.path}\n"
        f"  {conversion.architecture}, {conversion.parameter_count / 1e6:.0f} M parameters, {conversion.output_type}\n"
        f"  {conversion.size_bytes / 1e6:.1f} MB in {conversion.seconds:.1f} s\n"
        f"  sha256 {conversion.sha256}\n"
    )
