"""Everything about a conversion that can be decided before a value is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from gguf import GGML_QUANT_VERSION, GGMLQuantizationType, GGUFValueType

from premrunner.weights.adapter import Adapter
from premrunner.weights.architectures.family import Family
from premrunner.weights.config import Config
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.gguf_base import GGUFBase, gguf_kinds, gguf_metadata, merge_into_gguf
from premrunner.weights.gguf_writer import TensorInfo
from premrunner.weights.metadata import Entry, Metadata
from premrunner.weights.model import Model
from premrunner.weights.model_card import general_entries
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.output_type import OutputType, output_type_named, stored_output_type
from premrunner.weights.quantization_plan import is_70b, plan_types
from premrunner.weights.shape_check import check_shapes
from premrunner.weights.source import NamedRows
from premrunner.weights.tensor_plan import PlannedTensor, plan_tensors
from premrunner.weights.tokenizers import Tokenizer, read_tokenizer


@dataclass(frozen=True)
class Plan:
    """What will be written.

    Attributes:
        architecture: GGUF's name of the family.
        output_type: What users call the mixture of types: ``q4_k_m``.
        tensors: In the order of the file.
        kinds: What each is stored as.
        metadata: All keys but those of the lineage.
        tokenizer: What is known of it; None where a GGUF base brings it along.
    """

    architecture: str
    output_type: str
    tensors: Sequence[PlannedTensor]
    kinds: Mapping[str, GGMLQuantizationType]
    metadata: Metadata
    tokenizer: Tokenizer | None = None

    @property
    def infos(self) -> list[TensorInfo]:
        """What the file's header says about the tensors."""
        return [TensorInfo(tensor.name, tensor.shape, self.kinds[tensor.name]) for tensor in self.tensors]

    @property
    def parameter_count(self) -> int:
        """Number of weights."""
        return sum(prod(tensor.shape) for tensor in self.tensors)


def plan_conversion(
    model: Model,
    tensors: Sequence[NamedRows],
    *,
    output_type: str = "auto",
    tokenizer_folder: Path | None = None,
    name: str | None = None,
) -> Plan:
    """Decide what a file will hold.

    Args:
        model: Opened.
        tensors: Its tensors, merged with an adapter where there is one.
        output_type: One of ``OUTPUT_TYPE_NAMES``.
        tokenizer_folder: Where the tokenizer is, if not beside the model.
        name: What the model is called; None: by its folder.

    Raises:
        WeightsInvalid: Something does not fit.
    """
    family, config = model.family, model.config
    _adopt_embedding_rows(config, tensors)
    tokenizer = read_tokenizer(tokenizer_folder or model.folder, family, config.find_integer("vocab_size"))
    planned = plan_tensors(tensors, family, config, tokenizer.token_count)
    check_shapes(planned, family, config)
    matrices = [tensor.stored_dtype for tensor in planned if len(tensor.shape) > 1]
    output = stored_output_type(matrices) if output_type == "auto" else output_type_named(output_type)
    kinds = _kinds(planned, output, family, config)
    infos = [TensorInfo(tensor.name, tensor.shape, kinds[tensor.name]) for tensor in planned]
    metadata = Metadata(general_entries(model.folder, name, family.architecture, infos))
    metadata.extend(family.entries(config))
    metadata.extend(tokenizer.entries)
    metadata.extend(family.tokens(config))
    metadata.extend(last_entries(output))
    return Plan(family.architecture, output.name, planned, kinds, metadata, tokenizer)


def plan_gguf_merge(
    base: GGUFBase, adapter: Adapter, files: OpenFiles, *, output_type: str = "auto", name: str | None = None
) -> Plan:
    """Decide what a file will hold that is made of a GGUF base and an adapter.

    Args:
        base: Opened.
        adapter: Opened.
        files: To read both through.
        output_type: ``auto`` keeps the types that the base has.
        name: What the model is called; None: as the base.

    Raises:
        WeightsInvalid: Something does not fit.
    """
    output = None if output_type == "auto" else output_type_named(output_type)
    tensors = merge_into_gguf(base, adapter, files)
    metadata = gguf_metadata(base, name)
    if output:
        metadata.extend(last_entries(output))
    metadata.add("general.quantization_version", GGUFValueType.UINT32, GGML_QUANT_VERSION)
    if metadata.get("general.file_type") is None:
        raise WeightsInvalid(f"{base.file.path.name} does not say what it is quantized as; choose an output type.")
    kinds = gguf_kinds(base, tensors, output)
    return Plan(base.family.architecture, output.name if output else "as the base", tensors, kinds, metadata)


def last_entries(output: OutputType) -> list[Entry]:
    """Give the two keys that must stand last."""
    return [
        Entry("general.quantization_version", GGUFValueType.UINT32, GGML_QUANT_VERSION),
        Entry("general.file_type", GGUFValueType.UINT32, int(output.file_type)),
    ]


def _adopt_embedding_rows(config: Config, tensors: Sequence[NamedRows]) -> None:
    """Take the vocabulary's size from the embeddings that an adapter brought along in another size."""
    for tensor in tensors:
        if tensor.name.endswith("embed_tokens.weight") and tensor.is_replaced and tensor.shape:
            config.values["vocab_size"] = tensor.shape[0]


def _kinds(
    planned: Sequence[PlannedTensor], output: OutputType, family: Family, config: Config
) -> dict[str, GGMLQuantizationType]:
    heads = {"head_count": config.head_count, "head_count_kv": config.key_value_head_count}
    return plan_types(
        planned,
        output,
        layer_count=config.layer_count,
        expert_count=config.find_integer("num_local_experts", "num_experts") or 0,
        is_70b=is_70b(family.architecture, config.layer_count, heads),
    )
