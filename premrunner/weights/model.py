"""A model's folder, opened and understood; nothing but headers and text files is read."""

from dataclasses import dataclass
from pathlib import Path

from premrunner.weights.architectures import family_of
from premrunner.weights.architectures.family import Family
from premrunner.weights.checkpoint import Checkpoint, open_checkpoint, refuse_quantized
from premrunner.weights.config import Config, read_config
from premrunner.weights.places import NO_PLACES, Places

# Text files that shape the result, and so belong to its lineage.
_TEXT_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "README.md",
    "adapter_config.json",
)


@dataclass(frozen=True)
class Model:
    """A folder in Hugging Face's layout.

    Attributes:
        config: Completed with what the family assumes.
        checkpoint: Where each tensor lies.
    """

    folder: Path
    family: Family
    config: Config
    checkpoint: Checkpoint


def open_model(folder: Path, places: Places = NO_PLACES) -> Model:
    """Open a folder and identify its model.

    Args:
        folder: The model's.
        places: Where the bytes of files are that have none of their own.

    Raises:
        UnsupportedArchitecture: Nobody knows it; said before anything else is looked at.
        WeightsInvalid: A file is missing, damaged or of another kind.
    """
    config = read_config(folder)
    family = family_of(config.architecture)
    checkpoint = open_checkpoint(folder, places)
    refuse_quantized(checkpoint, config.values)
    return Model(folder, family, family.complete(config), checkpoint)


def text_files(folder: Path) -> list[Path]:
    """List the files of a folder, besides the weights, that shape what is made of it."""
    return [folder / name for name in _TEXT_FILES if (folder / name).is_file()]
