"""A folder of weights among the files: the model's, or an adapter's with or without its base beside it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.material import SourceFile
from premrunner.domain.imports.run import ImportRun
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FOLDER
from premrunner.weights.inspection import Inspection, inspect
from premrunner.weights.json_file import MAX_JSON_BYTES
from premrunner.weights.places import Place, Places
from premrunner.weights.tokenizers.chat_template import chat_template_entries
from premrunner.weights.tokenizers.files import TokenizerFiles

_CHECKPOINT = re.compile(r"(^|/)checkpoint-\d+(/|$)")
_TEMPLATE_KEY = "tokenizer.chat_template"
LONGEST_TEMPLATE = 20_000


@dataclass(frozen=True)
class ModelFolder:
    """Files of one folder, by their own names.

    Attributes:
        name: The folder, as its owner knows it.
        is_adapter: Whether it holds an adapter.
    """

    name: str
    files: Sequence[SourceFile]
    is_adapter: bool


def find_folders(files: Sequence[SourceFile]) -> Sequence[ModelFolder]:
    """Return the model's folder, or the adapter's and behind it its base's if that is there.

    Raises:
        ImportRefused: None is one, or there are several models.
    """
    found = [folder for folder in _folders(files) if folder is not None]
    # A trainer's output holds the end result, and below it what it was on the way.
    final = [folder for folder in found if not _CHECKPOINT.search(folder.name)] or found
    adapters = [folder for folder in final if folder.is_adapter]
    models = [folder for folder in final if not folder.is_adapter]
    if len(adapters) > 1 or len(models) > 1:
        names = ", ".join(repr(folder.name[:60] or ".") for folder in (adapters if len(adapters) > 1 else models)[:5])
        raise ImportRefused(f"It holds several models, in the folders {names}.", "Upload one at a time.")
    if not adapters and not models:
        raise ImportRefused(
            "There are weights, and no config.json (or adapter_config.json) beside them to say of which model.",
            "Upload the whole folder that save_pretrained wrote.",
        )
    return [*adapters, *models]


def lay_out(run: ImportRun, folders: Sequence[ModelFolder]) -> list[Path]:
    """Lay files out as folders: links to those that were unpacked, and places of weights that lie in an archive.

    Text files are read by their names, so those are copied out of it.

    Raises:
        DiskFull: There is no room for the text files.
    """
    target = run.folder("identify")
    run.require_space(sum(file.size_bytes for folder in folders for file in folder.files if _is_copied(file)), "It")
    laid_out = []
    for number, folder in enumerate(folders):
        place = target / str(number)
        with disk_errors():
            place.mkdir(mode=PRIVATE_FOLDER, parents=True)
            for file in folder.files:
                _lay_out(run, file, place / file.file_name)
        laid_out.append(place)
    return laid_out


def places_of(folders: Sequence[ModelFolder], laid_out: Sequence[Path]) -> dict[Path, Place]:
    """Return where the weights lie that were left in their archive."""
    return {
        path / file.file_name: Place(file.path, file.offset_bytes, file.size_bytes)
        for folder, path in zip(folders, laid_out, strict=True)
        for file in folder.files
        if _is_in_archive(file)
    }


def inspect_folders(laid_out: Sequence[Path], places: Places) -> dict[str, Any]:
    """Return what is known of a model, or of an adapter and behind it its base.

    Raises:
        WeightsInvalid: It cannot be used; says why.
    """
    inspections = [inspect(folder, places) for folder in laid_out]
    return _findings(inspections[0], laid_out)


def _folders(files: Sequence[SourceFile]) -> list[ModelFolder | None]:
    by_folder: dict[str, list[SourceFile]] = {}
    for file in files:
        by_folder.setdefault(file.folder, []).append(file)
    return [_model_folder(name, inside) for name, inside in sorted(by_folder.items())]


def _model_folder(name: str, files: Sequence[SourceFile]) -> ModelFolder | None:
    names = {file.file_name for file in files}
    weights = {name for name in names if name.endswith(".safetensors")}
    if "adapter_config.json" in names and not any(not name.startswith("adapter_") for name in weights):
        # Some trainers leave the base's config beside the adapter; it would make the folder look like a model.
        return ModelFolder(name, [file for file in files if file.file_name != "config.json"], is_adapter=True)
    if "config.json" in names and weights:
        return ModelFolder(name, files, is_adapter=False)
    return None


def _lay_out(run: ImportRun, file: SourceFile, target: Path) -> None:
    if file.is_whole:
        os.link(file.path, target)
    elif _is_copied(file):
        with target.open("xb") as copy:
            for piece in file.pieces():
                run.watch.check()
                copy.write(piece)


def _is_in_archive(file: SourceFile) -> bool:
    return not file.is_whole and file.file_name.endswith(".safetensors")


def _is_copied(file: SourceFile) -> bool:
    """Tell whether a file of an archive may be one of the texts that a model is described by."""
    return not file.is_whole and not _is_in_archive(file) and file.size_bytes <= MAX_JSON_BYTES


def _findings(inspection: Inspection, laid_out: Sequence[Path]) -> dict[str, Any]:
    return {
        "kind": inspection.kind,
        "architecture": inspection.architecture,
        "parameterCount": inspection.parameter_count,
        "quantization": inspection.stored_as,
        "contextLength": inspection.context_length,
        "chatTemplate": _template(laid_out[0]),
        "sizeBytes": inspection.size_bytes,
        "baseModelName": inspection.base_model_name,
        "hasBase": len(laid_out) > 1,
        "rank": inspection.rank,
        "converter": inspection.converter,
    }


def _template(folder: Path) -> str:
    for entry in chat_template_entries(TokenizerFiles(folder)):
        if entry.key == _TEMPLATE_KEY:
            return str(entry.value)[:LONGEST_TEMPLATE]
    return ""
