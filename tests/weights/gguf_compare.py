"""Compare two GGUF files by their keys and the bytes of their tensors."""

import hashlib
from pathlib import Path

import gguf

# Ours alone (the lineage), and what only says how a file is laid out.
_OURS = ("premrunner.", "GGUF.")


def keys_of(path: Path, *, but: tuple[str, ...] = ()) -> dict[str, tuple[list[str], object]]:
    """Give each key's types and value, without those whose name starts as given."""
    fields = gguf.GGUFReader(path).fields
    return {
        name: ([kind.name for kind in field.types], field.contents())
        for name, field in fields.items()
        if not name.startswith((*_OURS, *but))
    }


def tensors_of(path: Path) -> dict[str, tuple[str, tuple[int, ...], str]]:
    """Give each tensor's type, shape and the SHA-256 of its bytes."""
    return {
        tensor.name: (
            tensor.tensor_type.name,
            tuple(tensor.shape.tolist()),
            hashlib.sha256(tensor.data.tobytes()).hexdigest(),
        )
        for tensor in gguf.GGUFReader(path).tensors
    }


def differences(ours: dict, theirs: dict) -> dict[str, tuple[object, object]]:
    """Give what is not the same in two dictionaries, shortened so that a failure can be read."""
    return {
        name: (str(ours.get(name))[:300], str(theirs.get(name))[:300])
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    }
