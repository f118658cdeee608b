"""What is this folder? Answered in milliseconds from headers and text files, before anything is done with it."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from gguf import LlamaFileType

from premrunner.weights import foreign_converter
from premrunner.weights.adapter import Adapter, is_adapter, open_adapter
from premrunner.weights.adapter_config import CONFIG_NAME
from premrunner.weights.architectures.standard import CONTEXT_LENGTH
from premrunner.weights.checkpoint import open_checkpoint, refuse_quantized
from premrunner.weights.config import read_config
from premrunner.weights.errors import NotWeights
from premrunner.weights.gguf_file import GGUFFile, read_gguf
from premrunner.weights.model import open_model
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.output_type import stored_output_type
from premrunner.weights.places import NO_PLACES, Places
from premrunner.weights.plan import plan_conversion
from premrunner.weights.source import checkpoint_tensors
from premrunner.weights.tokenizers.chat_template import chat_template_entries
from premrunner.weights.tokenizers.files import TokenizerFiles

# A ZIP often holds a folder in a folder; deeper than this nobody puts a model.
_MAX_DEPTH = 3


@dataclass(frozen=True)
class Inspection:
    """What a folder or a file holds, if it can be used.

    Attributes:
        kind: A model's safetensors, a LoRA adapter, or a finished GGUF file.
        path: The folder that holds the files, or the GGUF file.
        architecture: As config.json or GGUF names it; None for an adapter.
        stored_as: ``bf16``, ``q4_k_m``...
        base_model_name: What an adapter calls its base.
        rank: An adapter's, the largest if they differ.
        converter: Who converts it, if not PremRunner itself.
    """

    kind: Literal["model", "adapter", "gguf"]
    path: Path
    size_bytes: int
    architecture: str | None = None
    parameter_count: int | None = None
    stored_as: str | None = None
    context_length: int | None = None
    has_chat_template: bool = False
    base_model_name: str | None = None
    rank: int | None = None
    converter: str | None = None


def inspect(path: Path, places: Places = NO_PLACES) -> Inspection:
    """Say what a folder or file is, and that nothing about it prevents a conversion.

    Everything but the values is checked: NaN and infinity are found by ``convert``, which reads every value before it
    writes the first byte.

    Args:
        path: A GGUF file; or a folder with a model, an adapter or one GGUF file, at its root or in a folder inside.
        places: Where the bytes of files are that have none of their own.

    Raises:
        UnsupportedArchitecture: Nobody knows the architecture; said before anything else. Where llama.cpp's own
            converter is installed, that will see.
        WeightsInvalid: The subclass says why it cannot be used.
    """
    path = locate(path)
    if path.is_file():
        return _inspect_gguf(read_gguf(path))
    if is_adapter(path):
        return _inspect_adapter(open_adapter(path, places))
    try:
        return _inspect_model(path, places)
    except foreign_converter.NEEDING_IT:
        if not foreign_converter.is_installed():
            raise
        return _inspect_unknown(path, places)


def locate(path: Path) -> Path:
    """Find the model in what was unpacked: the folder itself or one inside, or a GGUF file.

    Raises:
        NotWeights: There is none.
    """
    if path.is_file():
        return path
    folders = [path]
    for _ in range(_MAX_DEPTH):
        for folder in folders:
            if (folder / "config.json").is_file() or (folder / CONFIG_NAME).is_file():
                return folder
            if len(files := sorted(folder.glob("*.gguf"))) == 1:
                return files[0]
        folders = sorted(inner for folder in folders for inner in folder.iterdir() if inner.is_dir())[:100]
    raise NotWeights(
        "There is no model here: a model needs config.json beside its *.safetensors, an adapter needs "
        "adapter_config.json, and a GGUF model is one .gguf file."
    )


def _inspect_model(folder: Path, places: Places) -> Inspection:
    model = open_model(folder, places)
    files = OpenFiles(places)
    plan = plan_conversion(model, checkpoint_tensors(model.checkpoint, model.config.values, files))
    return Inspection(
        "model",
        folder,
        model.checkpoint.size_bytes,
        architecture=model.config.architecture,
        parameter_count=plan.parameter_count,
        stored_as=plan.output_type,
        context_length=plan.metadata.get(f"{plan.architecture}.context_length"),
        has_chat_template=bool(plan.tokenizer and plan.tokenizer.has_chat_template),
    )


def _inspect_unknown(folder: Path, places: Places) -> Inspection:
    config, checkpoint = read_config(folder), open_checkpoint(folder, places)
    refuse_quantized(checkpoint, config.values)
    tensors = checkpoint.tensors.values()
    return Inspection(
        "model",
        folder,
        checkpoint.size_bytes,
        architecture=config.architecture,
        parameter_count=sum(prod(tensor.shape) for tensor in tensors),
        stored_as=stored_output_type([tensor.dtype for tensor in tensors if len(tensor.shape) > 1]).name,
        context_length=config.find_integer(*CONTEXT_LENGTH.names),
        has_chat_template=bool(chat_template_entries(TokenizerFiles(folder))),
        converter=foreign_converter.NAME,
    )


def _inspect_adapter(adapter: Adapter) -> Inspection:
    return Inspection(
        "adapter",
        adapter.folder,
        sum(tensor.size_bytes for tensor in adapter.tensors),
        stored_as=next((tensor.dtype.lower() for tensor in adapter.tensors), None),
        base_model_name=adapter.config.base_model_name,
        rank=max((change.rank for change in adapter.changes.values()), default=None),
    )


def _inspect_gguf(file: GGUFFile) -> Inspection:
    number = file.metadata.get("general.file_type")
    names = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_").lower() for kind in LlamaFileType}
    return Inspection(
        "gguf",
        file.path,
        file.path.stat().st_size,
        architecture=file.architecture,
        parameter_count=sum(tensor.value_count for tensor in file.tensors.values()),
        stored_as=names.get(number) if isinstance(number, int) else None,
        context_length=file.number("context_length"),
        has_chat_template=isinstance(file.metadata.get("tokenizer.chat_template"), str),
    )
