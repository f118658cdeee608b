"""A folder of weights among the files: the model's, or an adapter's with or without its base beside it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.material import SourceFile
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FOLDER
from premrunner.weights.inspection import Inspection, inspect
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


def inspect_folder(folders: Sequence[ModelFolder], target: Path, root: Path) -> dict[str, Any]:
    """Lay the files out as a folder and return what is known of it, and where it is.

    Raises:
        WeightsInvalid: It cannot be used; says why.
    """
    places = []
    for number, folder in enumerate(folders):
        place = target / str(number)
        with disk_errors():
            _lay_out(folder, place)
        places.append(place)
    inspection = inspect(places[0])
    if len(folders) > 1:
        inspect(places[1])
    findings = _findings(inspection, places)
    return {"folders": [str(place.relative_to(root)) for place in places], "findings": findings}


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


def _lay_out(folder: ModelFolder, place: Path) -> None:
    place.mkdir(mode=PRIVATE_FOLDER, parents=True)
    for file in folder.files:
        target = place / file.file_name
        if file.is_whole:
            os.link(file.path, target)
        else:
            with target.open("xb") as copy:
                for piece in file.pieces():
                    copy.write(piece)


def _findings(inspection: Inspection, places: Sequence[Path]) -> dict[str, Any]:
    return {
        "kind": inspection.kind,
        "architecture": inspection.architecture,
        "parameterCount": inspection.parameter_count,
        "quantization": inspection.stored_as,
        "contextLength": inspection.context_length,
        "chatTemplate": _template(places[0]),
        "sizeBytes": inspection.size_bytes,
        "baseModelName": inspection.base_model_name,
        "hasBase": len(places) > 1,
        "rank": inspection.rank,
    }


def _template(folder: Path) -> str:
    for entry in chat_template_entries(TokenizerFiles(folder)):
        if entry.key == _TEMPLATE_KEY:
            return str(entry.value)[:LONGEST_TEMPLATE]
    return ""
