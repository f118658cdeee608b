"""General facts for people: name, size, licence, base, tags. From README.md, config.json and the folder's name.

The heuristics are the gguf package's (``gguf.Metadata``); a model card is anybody's text, so a broken one is left out
and breaks nothing.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import gguf
import yaml  # type: ignore[import-untyped]  # Comes with gguf, which reads model cards with it.
from gguf import GGUFValueType, Keys

from premrunner.weights.gguf_writer import TensorInfo
from premrunner.weights.metadata import Entry

logger = logging.getLogger(__name__)

MAX_CARD_BYTES = 1024 * 1024
_BROKEN_CARD = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    yaml.YAMLError,
)

# Names in generation_config.json, and those of gguf.Metadata's fields.
_SAMPLING = {
    "sequence": "sampling_sequence",
    "top_k": "sampling_top_k",
    "top_p": "sampling_top_p",
    "min_p": "sampling_min_p",
    "xtc_probability": "sampling_xtc_probability",
    "xtc_threshold": "sampling_xtc_threshold",
    "temperature": "sampling_temp",
    "penalty_last_n": "sampling_penalty_last_n",
    "penalty_repeat": "sampling_penalty_repeat",
    "mirostat": "sampling_mirostat",
    "mirostat_tau": "sampling_mirostat_tau",
    "mirostat_eta": "sampling_mirostat_eta",
}


def general_entries(folder: Path, name: str | None, architecture: str, tensors: Sequence[TensorInfo]) -> list[Entry]:
    """Give the ``general.*`` keys, the architecture first.

    Args:
        folder: The model's.
        name: What to call it; None: by its folder.
        architecture: GGUF's name of the family.
        tensors: Counted for the size label (``8x7B``).
    """
    recorder = _recorder(architecture, tensors)
    recorder.add_type(gguf.GGUFType.MODEL)
    head = _recorded(recorder)
    try:
        _load(folder, name, recorder).set_gguf_meta_model(recorder)
        entries = _recorded(recorder)
        # Packed here once, so that a value of a wrong type is found while it can still be left out.
        gguf_ready = [entry for entry in entries if _is_sound(entry)]
    except _BROKEN_CARD as error:
        logger.warning("The model card could not be read and is left out: %s", error)
        gguf_ready = [*head, Entry(Keys.General.NAME, GGUFValueType.STRING, name or folder.name)]
    return gguf_ready


def _load(folder: Path, name: str | None, recorder: gguf.GGUFWriter) -> gguf.Metadata:
    total, shared, expert, expert_count = recorder.get_total_parameter_count()
    card_path = folder / "README.md"
    has_card = card_path.is_file() and card_path.stat().st_size <= MAX_CARD_BYTES
    card = gguf.Metadata.load_model_card(folder) if has_card else {}
    config = gguf.Metadata.load_hf_parameters(folder)
    called = Path((name or folder.name).replace("/", "-") or "model")
    facts = gguf.Metadata.apply_metadata_heuristic(gguf.Metadata(), card, config, called, total)
    for source, field in _SAMPLING.items():
        value = gguf.Metadata.load_generation_config(folder).get(source)
        if value is not None:
            setattr(facts, field, value)
    facts.name = name or facts.name or folder.name
    if facts.size_label is None and total > 0:
        facts.size_label = gguf.size_label(total, shared, expert, expert_count)
    return facts


def _recorder(architecture: str, tensors: Sequence[TensorInfo]) -> gguf.GGUFWriter:
    """Give the official writer, used only to collect keys and count parameters."""
    recorder = gguf.GGUFWriter(path=None, arch=architecture)
    for tensor in tensors:
        recorder.tensors[0][tensor.name] = gguf.gguf_writer.TensorInfo(
            shape=tensor.shape, dtype=tensor.kind, nbytes=tensor.size_bytes
        )
    return recorder


def _recorded(recorder: gguf.GGUFWriter) -> list[Entry]:
    entries = []
    for key, recorded in recorder.kv_data[0].items():
        kind, value = recorded.type, recorded.value
        if isinstance(value, (list, tuple)):
            kind, value = GGUFValueType.get_type(value[0]) if value else GGUFValueType.STRING, list(value)
        entries.append(Entry(key, kind, value))
    return entries


def _is_sound(entry: Entry) -> bool:
    values = entry.value if isinstance(entry.value, list) else [entry.value]
    if entry.kind == GGUFValueType.STRING:
        return all(isinstance(value, str) for value in values)
    return all(isinstance(value, int | float) for value in values)
