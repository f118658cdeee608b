"""What can be wrong with somebody's weights, as a tree below ``premrunner.errors.InvalidRequest``.

::

    InvalidRequest
    └── WeightsInvalid             a file is damaged, missing, or says what cannot be; names the file
        ├── NotWeights             it is something else: a Git-LFS pointer, a web page, a pickle, a GGUF
        ├── ShardsIncomplete       the shards and their index do not fit
        ├── QuantizedCheckpoint    GPTQ, AWQ, bitsandbytes and the like: weights that were already squeezed
        ├── ValuesNotFinite        NaN or infinity among the weights
        ├── UnsupportedArchitecture
        ├── UnsupportedTokenizer
        ├── UnsupportedAdapter     a LoRA variant that cannot be merged exactly
        ├── BaseNotFound           an adapter without the model it was trained on
        ├── BaseMismatch           that model is not the one the adapter was trained on
        └── BaseUnusable           that model is damaged, or quantized for another program
"""

from collections.abc import Sequence

from premrunner.errors import InvalidRequest

CONVERTER_EXTRA = "pip install premrunner[llama-cpp-convert]"


class WeightsInvalid(InvalidRequest):
    """A model's file is damaged, missing, or says what cannot be.

    Attributes:
        file_name: The file at fault, by its name alone, if one can be named.
    """

    def __init__(self, message: str, *, file_name: str | None = None) -> None:
        super().__init__(message, param="files", code="weights_invalid")
        self.file_name = file_name


class NotWeights(WeightsInvalid):
    """The file has the name of weights and is something else."""


class ShardsIncomplete(WeightsInvalid):
    """Shards are missing, surplus, or do not hold what their index says.

    Attributes:
        missing: Names of files or tensors that should be there.
        surplus: Names of files or tensors that should not.
    """

    def __init__(self, message: str, *, missing: Sequence[str] = (), surplus: Sequence[str] = ()) -> None:
        super().__init__(message, file_name=next(iter([*missing, *surplus]), None))
        self.missing = tuple(missing)
        self.surplus = tuple(surplus)


class QuantizedCheckpoint(WeightsInvalid):
    """The weights were already quantized for another program.

    Attributes:
        method: What they were quantized with, as the checkpoint calls it.
    """

    def __init__(self, method: str) -> None:
        super().__init__(
            f"These weights are already quantized with {method}, which cannot be turned into GGUF without a loss. "
            "Upload the model as it was before quantization (bfloat16 or float16 safetensors), or a GGUF file.",
            file_name="config.json",
        )
        self.method = method


class ValuesNotFinite(WeightsInvalid):
    """Training went wrong: some weights are NaN or infinite.

    Attributes:
        counts: Number of such values for each tensor that has any.
    """

    def __init__(self, counts: dict[str, int], *, file_name: str | None = None) -> None:
        name, count = next(iter(counts.items()))
        others = f", and {len(counts) - 1} more tensors have some" if len(counts) > 1 else ""
        super().__init__(
            f"{count} values of {name} are NaN or infinite{others}. The model cannot answer with them: "
            "take an earlier checkpoint, or train again with a lower learning rate or in bfloat16.",
            file_name=file_name,
        )
        self.counts = counts


class UnsupportedArchitecture(WeightsInvalid):
    """Nobody here knows this kind of model.

    Attributes:
        architecture: What ``config.json`` calls it.
        known: The architectures that can be converted.
    """

    def __init__(self, architecture: str, known: Sequence[str]) -> None:
        super().__init__(
            f"The architecture {architecture} is not known. Known are: {', '.join(known)}. "
            f"For others, without an adapter, install llama.cpp's own converter ({CONVERTER_EXTRA}), "
            "or upload a GGUF file.",
            file_name="config.json",
        )
        self.architecture = architecture
        self.known = tuple(known)


class UnsupportedTokenizer(WeightsInvalid):
    """The tokenizer has no counterpart in GGUF that would split text the same way."""


class UnsupportedAdapter(WeightsInvalid):
    """The adapter is of a kind that cannot be merged exactly.

    Attributes:
        variant: The kind, as PEFT calls it.
    """

    def __init__(self, variant: str, reason: str) -> None:
        super().__init__(f"The adapter uses {variant}, {reason}", file_name="adapter_config.json")
        self.variant = variant


class BaseNotFound(WeightsInvalid):
    """The model that an adapter was trained on is not here.

    Attributes:
        base_model_name: How the adapter names it.
    """

    def __init__(self, base_model_name: str) -> None:
        super().__init__(
            f"This adapter was trained on {base_model_name}, which is not here. "
            "Upload that model first and keep it as a base, or choose another base.",
            file_name="adapter_config.json",
        )
        self.base_model_name = base_model_name


class BaseMismatch(WeightsInvalid):
    """The base does not have what the adapter changes.

    Attributes:
        tensor_name: The first tensor that does not fit.
    """

    def __init__(self, tensor_name: str, reason: str) -> None:
        super().__init__(f"This is not the base that the adapter was trained on: {tensor_name} {reason}.")
        self.tensor_name = tensor_name


class BaseUnusable(WeightsInvalid):
    """What goes by the base's name is damaged, or of a kind that nothing can be merged into.

    Attributes:
        base_name: What it goes by.
    """

    def __init__(self, base_name: str, reason: str) -> None:
        super().__init__(f"The base {base_name} cannot be used: {reason}")
        self.base_name = base_name
