"""A GGUF file written anew: quantized, with its last keys where Ollama wants them. For what llama.cpp converted."""

from premrunner.weights.gguf_file import GGUFFile, GGUFRows
from premrunner.weights.metadata import Metadata
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.output_type import OUTPUT_TYPES, Kind, OutputType
from premrunner.weights.plan import Plan, last_entries
from premrunner.weights.quantization_plan import is_70b, plan_types
from premrunner.weights.tensor_plan import PlannedTensor


def plan_rewrite(file: GGUFFile, files: OpenFiles, *, output_type: str, name: str | None) -> Plan:
    """Decide what a file will hold that is made of another GGUF file in 16 or 32 bit.

    Args:
        file: Opened.
        files: To read it through.
        output_type: ``auto`` keeps every type.
        name: What the model is called; None: as in the file.
    """
    output = OUTPUT_TYPES.get(output_type)
    tensors = []
    for tensor in file.tensors.values():
        rows = GGUFRows(file.path, tensor, files)
        tensors.append(PlannedTensor(tensor.name, tensor.shape, rows, rows.dtype))
    kinds = {name: tensor.kind for name, tensor in file.tensors.items()}
    if output and output.is_quantized:
        planned = _planned(file, tensors, output)
        # What llama.cpp's converter left in float32 it knows to be delicate.
        kinds = {name: kind if kind == Kind.F32 else planned[name] for name, kind in kinds.items()}
    metadata = Metadata(file.metadata.entries())
    if name:
        metadata.add_string("general.name", name)
    if output:
        metadata.extend(last_entries(output))
    return Plan(file.architecture, output.name if output else "auto", tensors, kinds, metadata)


def _planned(file: GGUFFile, tensors: list[PlannedTensor], output: OutputType) -> dict[str, Kind]:
    heads = file.number("attention.head_count") or 1
    counts = {"head_count": heads, "head_count_kv": file.number("attention.head_count_kv") or heads}
    layers = file.number("block_count") or 1
    return plan_types(
        tensors,
        output,
        layer_count=layers,
        expert_count=file.number("expert_count") or 0,
        is_70b=is_70b(file.architecture, layers, counts),
    )
