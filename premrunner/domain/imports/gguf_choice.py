"""Which of the GGUF files that were uploaded make the model: one, its split parts, and a projector if there is one."""

from collections.abc import Sequence
from dataclasses import dataclass

from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.material import SourceFile
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.gguf_header import MAGIC, GgufHeader
from premrunner.weights.gguf_parser import read_header


@dataclass(frozen=True)
class GgufFile:
    """A GGUF with its header, seen to be whole."""

    file: SourceFile
    header: GgufHeader


@dataclass(frozen=True)
class GgufChoice:
    """What makes the model.

    Attributes:
        parts: The model's one file, or its split parts in order.
        projector: What lets it see or hear; None for a text model.
    """

    parts: Sequence[GgufFile]
    projector: GgufFile | None


def is_gguf(file: SourceFile) -> bool:
    """Tell whether a file is a GGUF, by its content."""
    return file.head(4) == MAGIC


def open_gguf(file: SourceFile) -> GgufFile:
    """Check a GGUF's header and tensor table against the file.

    Raises:
        ImportRefused: It is broken.
    """
    try:
        header = read_header(file.path, offset_bytes=file.offset_bytes, size_bytes=file.size_bytes)
    except WeightsInvalid as error:
        raise ImportRefused(
            f"{file.file_name} is a broken GGUF: {error.message}.",
            "It was probably not copied to its end. Compare its size with the original, and upload it again.",
        ) from error
    if not header.tensors:
        raise ImportRefused(f"{file.file_name} is a GGUF without weights: it holds only a vocabulary.")
    if header.architecture == "unknown":
        raise ImportRefused(f"{file.file_name} does not say which architecture it is (general.architecture).")
    return GgufFile(file, header)


def choose(files: Sequence[GgufFile]) -> GgufChoice:
    """Return what makes the model.

    Raises:
        ImportRefused: There is no model among them, more than one, or one with parts missing.
    """
    adapters = [found for found in files if found.header.is_adapter]
    projectors = [found for found in files if found.header.is_projector]
    models = [found for found in files if not found.header.is_adapter and not found.header.is_projector]
    if adapters:
        raise ImportRefused(
            f"{adapters[0].file.file_name} is a LoRA adapter in GGUF, which engines no longer take.",
            "Upload the adapter as PEFT saved it: adapter_config.json and adapter_model.safetensors.",
        )
    if not models:
        raise ImportRefused(
            f"{projectors[0].file.file_name} is a projector, which only lets a model see or hear.",
            "Upload it together with its model.",
        )
    if len(projectors) > 1:
        raise ImportRefused(f"There are {len(projectors)} projectors: {_named(projectors)}.", "Upload only one.")
    return GgufChoice(_parts(models), projectors[0] if projectors else None)


def _parts(models: Sequence[GgufFile]) -> Sequence[GgufFile]:
    count = max(found.header.number("split.count") for found in models)
    if count <= 1:
        if len(models) > 1:
            raise ImportRefused(f"There are {len(models)} models: {_named(models)}.", "Upload one at a time.")
        return models
    if any(found.header.number("split.count") != count for found in models):
        raise ImportRefused(f"There are parts of several models: {_named(models)}.", "Upload one at a time.")
    by_number = {found.header.number("split.no"): found for found in models}
    missing = [number + 1 for number in range(min(count, 10_000)) if number not in by_number]
    if missing:
        raise ImportRefused(
            f"The model has {count} parts, and number {', '.join(map(str, missing[:5]))} is missing.",
            "Upload all of them together.",
        )
    if len(models) > count:
        raise ImportRefused(f"A part of the model is there twice: {_named(models)}.", "Upload each once.")
    return [by_number[number] for number in range(count)]


def _named(files: Sequence[GgufFile]) -> str:
    names = sorted(found.file.file_name[:80] for found in files)
    return ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")
