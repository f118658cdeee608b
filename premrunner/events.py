"""An import and what it tells on its way: rows that every process may read, so no page depends on who did the work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

ImportStatus = Literal["queued", "importing", "ready", "failed", "cancelled"]

# In order; a retry goes on at the first that has no result.
STAGES = ("check", "unpack", "identify", "base", "convert", "create", "prove")

ENDED: tuple[ImportStatus, ...] = ("ready", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What its owner wants of a model, at import or later.

    Attributes:
        system: Default system prompt; empty for none.
        template: Chat template in place of the model's own; empty keeps that.
        parameters: The engine's default options, ``num_ctx`` and ``stop`` among them.
        output_type: What weights are converted to; ``auto`` keeps the type they are stored in.
        base: Id or name of an adapter's base, a kept one or a model; empty finds it by the adapter's own word.
        keep_as_base: Whether the weights stay here as a base for adapters that come later.
    """

    system: str = ""
    template: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    output_type: str = "auto"
    base: str = ""
    keep_as_base: bool = False


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One upload on its way to a model; its id is also the upload's and the model's.

    Attributes:
        name: What its owner calls the model.
        stage: The one at work, or that failed; empty before the first.
        results: What each finished stage found, as JSON values.
        error: Why it failed; empty otherwise.
        hint: What to do about it.
        can_retry: Whether another try may succeed without another upload.
        is_cancel_wanted: Somebody asked to stop; whoever does the work looks for it.
        queued_at: When it was last put into the queue.
    """

    id: str
    name: str
    status: ImportStatus
    stage: str
    options: ImportOptions
    results: Mapping[str, Any]
    error: str
    hint: str
    can_retry: bool
    is_cancel_wanted: bool
    created_at: datetime
    queued_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImportEvent:
    """One step of an import.

    Attributes:
        number: Rises with each event of any import; 0 before it is kept.
        percent: Of the stage.
        done_bytes: Of the stage; 0 where it moves none.
        bytes_per_second: Lately; None where nobody can tell.
        seconds_left: Of the stage.
        message: A sentence for its owner.
    """

    import_id: str
    status: ImportStatus
    stage: str
    percent: int
    message: str
    created_at: datetime
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    number: int = 0
