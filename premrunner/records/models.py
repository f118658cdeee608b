"""Models: the engine's, ours, and those in memory; and the messages of the simple chat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from premrunner.records.asking import Json


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A model that the engine has.

    Attributes:
        name: The engine's name with its tag.
        size_bytes: Bytes on disk.
        digest: Hex digest of its manifest.
        modified_at: Time of its last change as the engine writes it (RFC 3339).
        details: ``family``, ``parameter_size``, ``quantization_level``, ``context_length`` where known.
        capabilities: ``completion``, ``vision``, ``thinking`` and the like; None where lists do not tell (before
            Ollama 0.30).
    """

    name: str
    size_bytes: int = 0
    digest: str = ""
    modified_at: str = ""
    details: Mapping[str, Json] = field(default_factory=dict)
    capabilities: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in the engine's memory.

    Attributes:
        name: The engine's name with its tag.
        size_bytes: Memory it takes.
        expires_at: When it will be unloaded (RFC 3339).
        context_length: Tokens of context it was loaded with.
    """

    name: str
    size_bytes: int = 0
    expires_at: str = ""
    context_length: int = 0


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that PremRunner brought in.

    Attributes:
        id: Its key.
        name: The name its owner gave it.
        alias: Its name in the engine, and the one to call it by.
        size_bytes: Bytes of its file.
        is_downloaded: Whether the engine has it and it has answered (the original's ``downloaded``).
        options: What its owner wants of it: ``system``, ``template``, ``parameters``.
        findings: What its files were seen to be.
        proof: How it answered when it was new.
    """

    id: str
    name: str
    alias: str
    size_bytes: int
    is_downloaded: bool
    created_at: datetime
    options: Mapping[str, Json] = field(default_factory=dict)
    findings: Mapping[str, Json] = field(default_factory=dict)
    proof: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One message of the original's simple chat history."""

    id: str
    content: str
    role: str
    model: str
    created_at: datetime
