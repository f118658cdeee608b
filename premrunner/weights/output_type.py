"""What a conversion can be asked to write, and llama.cpp's number for each."""

from dataclasses import dataclass

from gguf import GGMLQuantizationType, LlamaFileType

from premrunner.weights.errors import WeightsInvalid

Kind = GGMLQuantizationType


@dataclass(frozen=True)
class OutputType:
    """One kind of GGUF file.

    Attributes:
        name: As users write it: ``q4_k_m``.
        file_type: ``general.file_type`` of the file.
        kind: What most matrices are stored in.
        takes_more_bits: Whether some layers get a finer type, as the ``_m`` mixtures do.
    """

    name: str
    file_type: LlamaFileType
    kind: GGMLQuantizationType
    takes_more_bits: bool = False

    @property
    def is_quantized(self) -> bool:
        """Whether matrices are stored in blocks."""
        return self.kind not in (Kind.F32, Kind.F16, Kind.BF16)


OUTPUT_TYPES = {
    output.name: output
    for output in (
        OutputType("f32", LlamaFileType.ALL_F32, Kind.F32),
        OutputType("f16", LlamaFileType.MOSTLY_F16, Kind.F16),
        OutputType("bf16", LlamaFileType.MOSTLY_BF16, Kind.BF16),
        OutputType("q8_0", LlamaFileType.MOSTLY_Q8_0, Kind.Q8_0),
        OutputType("q6_k", LlamaFileType.MOSTLY_Q6_K, Kind.Q6_K),
        OutputType("q5_k_m", LlamaFileType.MOSTLY_Q5_K_M, Kind.Q5_K, takes_more_bits=True),
        OutputType("q4_k_m", LlamaFileType.MOSTLY_Q4_K_M, Kind.Q4_K, takes_more_bits=True),
        OutputType("q4_0", LlamaFileType.MOSTLY_Q4_0, Kind.Q4_0),
    )
}
OUTPUT_TYPE_NAMES = ("auto", *OUTPUT_TYPES)


def output_type_named(name: str) -> OutputType:
    """Give an output type by the name that users write, in any case.

    Raises:
        WeightsInvalid: There is none of that name.
    """
    try:
        return OUTPUT_TYPES[name.lower()]
    except KeyError:
        raise WeightsInvalid(f"{name!r} is no output type; there are: {', '.join(OUTPUT_TYPE_NAMES)}.") from None


def stored_output_type(dtypes_of_matrices: list[str]) -> OutputType:
    """Say what ``auto`` means: as stored.

    The first matrix in 16 bit decides, because training frameworks keep single tensors in float32; 8-bit floats
    become bfloat16, which holds them and their scales.
    """
    for dtype in dtypes_of_matrices:
        if dtype in ("BF16", "F16"):
            return OUTPUT_TYPES[dtype.lower()]
    has_float8 = any(dtype.startswith("F8") for dtype in dtypes_of_matrices)
    return OUTPUT_TYPES["bf16" if has_float8 else "f32"]
