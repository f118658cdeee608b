"""Why an import fails, and what its owner can do about it."""

from premrunner.archives.errors import ArchiveRefused
from premrunner.errors import (
    DiskFull,
    DownloadFailed,
    EngineError,
    InvalidRequest,
    ModelNotFound,
    PremRunnerError,
    StorageFailed,
    UploadNotFound,
)
from premrunner.weights.errors import BaseMismatch, BaseNotFound, BaseUnusable, UnsupportedArchitecture, WeightsInvalid


class ImportRefused(InvalidRequest):
    """The files cannot become a model, now and later.

    Attributes:
        hint: What to do instead.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, param="files", code="import_refused")
        self.hint = hint


class NotProven(PremRunnerError):
    """The model was created, and does not answer as a model should.

    Attributes:
        hint: What to try.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


# The first that fits counts.
_HINTS: tuple[tuple[type[PremRunnerError], str], ...] = (
    (ArchiveRefused, "Pack the model's folder again with an ordinary ZIP program, or drop the folder itself."),
    (BaseNotFound, "Put the base's folder into the same ZIP, or upload the base first, and try again."),
    (BaseMismatch, "Choose the base that the adapter was trained on and try again."),
    (BaseUnusable, "Bring the base again, as it was before any quantization, or choose another."),
    (UnsupportedArchitecture, "Convert it to GGUF where it was trained, and upload that file."),
    (WeightsInvalid, "Export the model again with save_pretrained(folder), and upload that folder."),
    (InvalidRequest, "Upload another file."),
    (DownloadFailed, "Try again: what has arrived is kept. Or upload the base first."),
    (DiskFull, "Free some space and try again."),
    (UploadNotFound, "Upload it again."),
    (StorageFailed, "Look at the disk of the server and try again."),
    (ModelNotFound, "Try again."),
    (EngineError, "Look at the engine's state and try again; its log is on the server in DATA_PATH/logs."),
)
_MENDABLE = (BaseNotFound, BaseMismatch, BaseUnusable, ModelNotFound)


def hint_for(error: PremRunnerError) -> str:
    """Return what to do about a failure."""
    own = getattr(error, "hint", "")
    return own or next((hint for kind, hint in _HINTS if isinstance(error, kind)), "Try again.")


def can_retry(error: BaseException) -> bool:
    """Tell whether another try may succeed with the same bytes."""
    if isinstance(error, _MENDABLE):
        return True
    return not isinstance(error, InvalidRequest | UploadNotFound)
