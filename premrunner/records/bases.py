"""Bases: the weights that adapters are merged into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

BaseOrigin = Literal["upload", "download", "folder"]


@dataclass(frozen=True, slots=True)
class Base:
    """A folder of safetensors that is kept for adapters that come later.

    Attributes:
        id: Its key: the import's that brought it, or the name of the folder that somebody put there.
        name: What its owner calls it.
        names: What adapters may call it: hub ids, folders.
        origin: How it came here.
        size_bytes: Bytes of its files.
        sha256: Digest of each file by its name; empty for what somebody put there.
    """

    id: str
    name: str
    names: tuple[str, ...]
    origin: BaseOrigin
    size_bytes: int
    created_at: datetime
    sha256: Mapping[str, str] = field(default_factory=dict)
