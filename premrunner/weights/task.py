"""One conversion, opened and planned: the model, its adapter and what will be made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from premrunner.weights import foreign_converter
from premrunner.weights.adapter import Adapter, is_adapter, open_adapter
from premrunner.weights.checkpoint import open_checkpoint
from premrunner.weights.errors import BaseNotFound, WeightsInvalid
from premrunner.weights.gguf_base import merge_into_gguf, open_gguf_base
from premrunner.weights.gguf_file import read_gguf
from premrunner.weights.gguf_rewrite import plan_rewrite
from premrunner.weights.lora import merge_adapter
from premrunner.weights.model import Model, open_model, text_files
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.output_type import output_type_named
from premrunner.weights.plan import Plan, plan_conversion, plan_gguf_merge
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.source import NamedRows, checkpoint_tensors
from premrunner.weights.tokenizers.files import TokenizerFiles


@dataclass(frozen=True)
class Source:
    """One folder that goes into a conversion.

    Attributes:
        role: ``model``, ``base`` or ``adapter``.
        paths: Its files, weights first.
        tensors: What lies in the weights.
    """

    role: str
    paths: Sequence[Path]
    tensors: Sequence[StoredTensor]


@dataclass(frozen=True)
class Task:
    """A conversion that only needs to be carried out.

    Attributes:
        base_model_name: What the adapter calls its base.
        options: What was asked for, besides the output type.
    """

    plan: Plan
    sources: Sequence[Source]
    base_model_name: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[Path]:
        """Every file that goes into it."""
        return [path for source in self.sources for path in source.paths]


def open_task(
    folder: Path, adapter_folder: Path | None, files: OpenFiles, *, output_type: str, name: str | None
) -> Task:
    """Open what a conversion needs and plan it; only headers and text files are read.

    Raises:
        WeightsInvalid: Something is missing, damaged or does not fit.
    """
    adapter = open_adapter(adapter_folder, files.places) if adapter_folder else None
    if folder.is_file():
        return _open_gguf_task(folder, adapter, files, output_type=output_type, name=name)
    if is_adapter(folder):
        raise BaseNotFound(
            open_adapter(folder, files.places).config.base_model_name or "a model that its config does not name"
        )
    model = open_model(folder, files.places)
    tensors = _tensors(model, adapter, files)
    plan = plan_conversion(
        model,
        tensors,
        output_type=output_type,
        tokenizer_folder=_tokenizer_folder(model, adapter),
        name=name,
    )
    sources = [
        _source(
            model.folder, model.checkpoint.files, list(model.checkpoint.tensors.values()), has_adapter=bool(adapter)
        )
    ]
    if adapter:
        sources.append(_adapter_source(adapter))
    return Task(plan, sources, adapter.config.base_model_name if adapter else None, _options(name))


def open_rewrite_task(folder: Path, made: Path, files: OpenFiles, *, output_type: str, name: str | None) -> Task:
    """Plan to write anew what llama.cpp's converter made of a folder.

    Raises:
        WeightsInvalid: What it made is no GGUF file, or the output type is none.
    """
    if output_type != "auto":
        output_type_named(output_type)
    plan = plan_rewrite(read_gguf(made), files, output_type=output_type, name=name)
    checkpoint = open_checkpoint(folder, files.places)
    source = _source(folder, checkpoint.files, list(checkpoint.tensors.values()), has_adapter=False)
    return Task(plan, [source], options={"converter": foreign_converter.NAME, **_options(name)})


def _options(name: str | None) -> dict[str, str]:
    return {"name": name} if name else {}


def open_merge(base: Path, adapter: Adapter, files: OpenFiles) -> None:
    """Open a base and lay an adapter over it, to see whether they fit; reads headers only.

    Raises:
        BaseMismatch: They do not.
        WeightsInvalid: The base is damaged.
    """
    if base.is_file():
        merge_into_gguf(open_gguf_base(read_gguf(base)), adapter, files)
    else:
        _tensors(open_model(base, files.places), adapter, files)


def _tensors(model: Model, adapter: Adapter | None, files: OpenFiles) -> list[NamedRows]:
    tensors = checkpoint_tensors(model.checkpoint, model.config.values, files)
    if adapter is None:
        return tensors
    return merge_adapter(tensors, adapter, model.family, files, is_tied=model.config.is_tied)


def _open_gguf_task(
    path: Path, adapter: Adapter | None, files: OpenFiles, *, output_type: str, name: str | None
) -> Task:
    if adapter is None:
        raise WeightsInvalid(f"{path.name} is a file; a model to convert is a folder.", file_name=path.name)
    plan = plan_gguf_merge(open_gguf_base(read_gguf(path)), adapter, files, output_type=output_type, name=name)
    sources = [Source("base", [path], []), _adapter_source(adapter)]
    return Task(plan, sources, adapter.config.base_model_name, _options(name))


def _adapter_source(adapter: Adapter) -> Source:
    return Source("adapter", [*adapter.files, *text_files(adapter.folder)], list(adapter.tensors))


def _source(folder: Path, weights: Sequence[Path], tensors: Sequence[StoredTensor], *, has_adapter: bool) -> Source:
    return Source("base" if has_adapter else "model", [*weights, *text_files(folder)], tensors)


def _tokenizer_folder(model: Model, adapter: Adapter | None) -> Path:
    """Prefer the adapter's tokenizer: training may have added tokens or a chat template."""
    if adapter and TokenizerFiles(adapter.folder).are_there:
        return adapter.folder
    return model.folder
