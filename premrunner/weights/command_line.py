"""``premrunner convert``: the library from a terminal, with a progress bar."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from premrunner.errors import PremRunnerError
from premrunner.weights.convert import Conversion, convert
from premrunner.weights.output_type import OUTPUT_TYPE_NAMES
from premrunner.weights.progress import Progress

_BAR_CHARACTERS = 30
_LABELS = {"copying": "Copying", "converting": "llama.cpp converts", "checking": "Checking", "writing": "Writing "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser."""
    parser.add_argument("folder", type=Path, help="the model: config.json, *.safetensors and its tokenizer")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter to merge in; FOLDER, or a GGUF file, is its base")
    parser.add_argument(
        "--quantize",
        default="auto",
        choices=OUTPUT_TYPE_NAMES,
        type=str.lower,
        help="default: as the weights are stored",
    )
    parser.add_argument("--name", help="what the model is called inside the file; default: by its card or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the GGUF file to write")


def run(arguments: argparse.Namespace) -> int:
    """Convert, and give the exit status."""
    show = _show_progress if sys.stderr.isatty() else None
    try:
        conversion = convert(
            arguments.folder,
            arguments.output,
            adapter=arguments.adapter,
            output_type=arguments.quantize,
            name=arguments.name,
            progress=show,
        )
    except PremRunnerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_summary(conversion))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m premrunner.weights``."""
    parser = argparse.ArgumentParser(prog="premrunner convert", description="Convert safetensors to one GGUF file.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def _show_progress(progress: Progress) -> None:
    share = progress.done_bytes / max(1, progress.total_bytes)
    bar = "#" * round(share * _BAR_CHARACTERS)
    end = "\n" if progress.done_bytes >= progress.total_bytes else ""
    sys.stderr.write(f"\r{_LABELS[progress.stage]} [{bar:<{_BAR_CHARACTERS}}] {share:4.0%}{end}")
    sys.stderr.flush()


def _summary(conversion: Conversion) -> str:
    return (
        f"{conversion.path}\n"
        f"  {conversion.architecture}, {conversion.parameter_count / 1e6:.0f} M parameters, {conversion.output_type}\n"
        f"  {conversion.size_bytes / 1e6:.1f} MB in {conversion.seconds:.1f} s\n"
        f"  sha256 {conversion.sha256}\n"
    )
