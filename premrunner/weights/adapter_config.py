"""``adapter_config.json``: which kind of adapter this is, and how strongly each layer is changed."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from premrunner.weights.errors import UnsupportedAdapter, WeightsInvalid
from premrunner.weights.json_file import read_json_object

CONFIG_NAME = "adapter_config.json"

# Ways to start training that change the base as well: the adapter only fits that changed base, which is nowhere.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")

# Options under which the change of a weight is no longer scale x B x A, and why each cannot be merged.
_NOT_MERGEABLE = {
    "layer_replication": "which repeats layers of the base; save the merged model with PEFT and upload that.",
    "alora_invocation_tokens": "whose change depends on the prompt, so that no single set of weights has it.",
    "trainable_token_indices": "which is not merged here yet; save the merged model with PEFT and upload that.",
    "use_qalora": "which groups its inputs; save the merged model with PEFT and upload that.",
    "arrow_config": "which picks among adapters for each token, so that no single set of weights has it.",
    "velora_config": "which is not merged here; save the merged model with PEFT and upload that.",
}
# A pattern is a regular expression of a stranger: only what cannot run away is tried.
_MAX_PATTERN_CHARACTERS = 200
_DANGEROUS_PATTERN = re.compile(r"\)[*+{?]|[*+}][*+{?]|\\\d|\(\?")


@dataclass(frozen=True)
class AdapterConfig:
    """What PEFT wrote about an adapter.

    Attributes:
        base_model_name: Hub id, or a path on the machine that trained it; None where nobody wrote it.
        alpha: Strength, before it is divided by the rank.
        alpha_pattern: Other strengths for layers whose name ends so.
        uses_root_of_rank: Whether alpha is divided by the rank's square root (rsLoRA).
        ties_weights: Whether an adapter of the embeddings counts for the output matrix too.
        saved_modules: Modules that were trained whole.
    """

    base_model_name: str | None
    alpha: float
    alpha_pattern: Mapping[str, float]
    uses_root_of_rank: bool
    uses_dora: bool
    is_transposed: bool
    ties_weights: bool
    saved_modules: tuple[str, ...]

    def scale(self, module: str, rank: int) -> float:
        """Give what the product of a layer's two matrices is multiplied by.

        Args:
            module: Name of the layer.
            rank: Of its matrices, which also holds where a rank_pattern gave it another.
        """
        alpha = next((alpha for key, alpha in self.alpha_pattern.items() if _matches(key, module)), self.alpha)
        return alpha / math.sqrt(rank) if self.uses_root_of_rank else alpha / rank


def read_adapter_config(folder: Path) -> AdapterConfig:
    """Read a folder's adapter_config.json.

    Raises:
        UnsupportedAdapter: A kind that cannot be merged exactly.
        WeightsInvalid: The file is missing or makes no sense.
    """
    values = read_json_object(folder / CONFIG_NAME)
    _refuse_variants(values)
    name = values.get("base_model_name_or_path")
    patterns = values.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise _impossible("alpha_pattern", patterns)
    saved = values.get("modules_to_save") or []
    return AdapterConfig(
        base_model_name=name if isinstance(name, str) and name else None,
        alpha=_alpha("lora_alpha", values.get("lora_alpha", 8)),
        alpha_pattern={str(key): _alpha("alpha_pattern", value) for key, value in patterns.items()},
        uses_root_of_rank=bool(values.get("use_rslora")),
        uses_dora=bool(values.get("use_dora")),
        is_transposed=bool(values.get("fan_in_fan_out")),
        ties_weights=bool(values.get("ensure_weight_tying")),
        saved_modules=tuple(map(str, saved)) if isinstance(saved, list) else (),
    )


def _refuse_variants(values: Mapping[str, Any]) -> None:
    kind = values.get("peft_type", "LORA")
    if kind != "LORA":
        raise UnsupportedAdapter(
            str(kind)[:40], "which is not LoRA. Merge it with PEFT (`model.merge_and_unload()`) and upload the result."
        )
    start = values.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        raise UnsupportedAdapter(
            f"init_lora_weights={start[:40]!r}",
            "which changed the base while it was trained. Save it with "
            "`save_pretrained(..., path_initial_model_for_weight_conversion=...)`, or upload the merged model.",
        )
    for option, reason in _NOT_MERGEABLE.items():
        if values.get(option):
            raise UnsupportedAdapter(option, reason)


def _matches(key: str, module: str) -> bool:
    """Say whether a pattern means a layer, as PEFT's ``get_pattern_key`` does."""
    if module == key or module.endswith("." + key):
        return True
    if len(key) > _MAX_PATTERN_CHARACTERS or _DANGEROUS_PATTERN.search(key):
        raise UnsupportedAdapter(f"the alpha_pattern {key[:60]!r}", "which is too intricate to be tried safely.")
    try:
        return re.match(rf"(.*\.)?({key})$", module) is not None
    except re.error as error:
        raise _impossible("alpha_pattern", key) from error


def _alpha(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise _impossible(name, value)
    return float(value)


def _impossible(name: str, value: Any) -> WeightsInvalid:
    return WeightsInvalid(f"{CONFIG_NAME}: {name} cannot be {str(value)[:40]!r}.", file_name=CONFIG_NAME)
