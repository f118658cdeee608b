"""What can go wrong, as one tree: a class for each decision that a caller can make.

::

    PremRunnerError
    ├── SettingsInvalid          every wrong setting at once; the program does not start
    ├── PortTaken                another program listens where we should
    ├── InvalidRequest           the caller's input is wrong; names the parameter
    │   ├── ContextLengthExceeded  the prompt is longer than the model can read
    │   ├── UploadTooLarge       more bytes than this server takes
    │   └── DigestMismatch       the bytes that came are not the ones that were meant; send them again
    ├── NotFound                 nothing has that id
    │   ├── ModelNotFound
    │   ├── TraceNotFound
    │   ├── KeyNotFound
    │   ├── ConversationNotFound
    │   ├── MessageNotFound
    │   ├── BaseUnknown
    │   └── UploadNotFound
    ├── Unauthorized             no token, or a wrong one
    ├── Forbidden                known, but not allowed (another site's form, say)
    ├── TooManyAttempts          slow down; says for how long
    │   ├── RequestLimitReached  an access key has asked too often in this minute
    │   └── TokenLimitReached    an access key has used up its day's tokens
    ├── Overloaded               every place is taken and the queue is full; says when to come back
    ├── Cancelled                the caller left or pressed stop
    ├── ServerEnding             we are being stopped or restarted; another try will work
    ├── UploadConflict           the upload is in another state than the caller thinks; look, then go on
    │   └── UploadIncomplete     chunks are missing; names them
    ├── UploadStalled            the bytes stopped coming
    ├── StorageFailed            disk full, read-only or damaged
    │   └── DiskFull             free space and go on
    ├── ImportConflict           the import is in another state than the caller thinks
    ├── ConversationConflict     an answer of the conversation is, or is not, being written
    ├── DownloadFailed           another server does not give a file; offline, most often
    ├── StarterUnavailable       the first model could not be fetched; offline, most often
    └── EngineError              the neighbour that runs models
        ├── EngineNotReady       not running, starting, or another program on its port; waiting helps
        ├── EngineRefused        it answered with an error status
        ├── EngineLost           it went away in the middle
        ├── EngineBroken         its answer makes no sense, or ended before its end
        ├── EngineOwned          another process already runs the engine of this data folder
        ├── EngineNotOurs        somebody else started it, so it is not ours to end
        └── InstallFailed        Ollama could not be fetched or put in place

Messages say what happened, to which thing, and what to do. None holds a secret or a path of the server.
"""

from collections.abc import Sequence


class PremRunnerError(Exception):
    """Anything PremRunner reports on purpose; its text is fit for a user's eyes."""

    @property
    def message(self) -> str:
        """The sentence that a user reads."""
        return str(self)


class SettingsInvalid(PremRunnerError):
    """Settings that cannot be used, all of them at once.

    Attributes:
        problems: One sentence a setting, each starting with the setting's name.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class PortTaken(PremRunnerError):
    """The address to listen on is not free."""


class InvalidRequest(PremRunnerError):
    """The caller's input is wrong and sending it again will not help.

    Attributes:
        param: The offending parameter, as the caller spelled it, if one can be named.
        code: OpenAI's short code for the fault, if it has one.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class ContextLengthExceeded(InvalidRequest):
    """The prompt is longer than the model's context."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="messages", code="context_length_exceeded")


class UploadTooLarge(InvalidRequest):
    """The upload has more bytes than MAX_UPLOAD_BYTES allows."""


class DigestMismatch(InvalidRequest):
    """What arrived has another digest than the caller gave; it does not count, the rest does."""


class NotFound(PremRunnerError):
    """Nothing here has that id."""


class ModelNotFound(NotFound):
    """No model answers to that name, alias or id.

    Attributes:
        model_name: What the caller asked for.
    """

    def __init__(self, model_name: str) -> None:
        super().__init__(f"The model '{model_name}' does not exist. GET /v1/models lists the ones that do.")
        self.model_name = model_name


class TraceNotFound(NotFound):
    """No trace has that id."""

    def __init__(self) -> None:
        super().__init__("Trace not found")


class PictureNotFound(NotFound):
    """The call carried no such picture, or one that is broken."""

    def __init__(self) -> None:
        super().__init__("The call carried no such picture.")


class KeyNotFound(NotFound):
    """No access key has that id or name."""

    def __init__(self) -> None:
        super().__init__("There is no such access key.")


class ConversationNotFound(NotFound):
    """No conversation has that id: it never had, or was deleted."""

    def __init__(self) -> None:
        super().__init__("There is no such conversation; it may have been deleted.")


class MessageNotFound(NotFound):
    """The conversation has no such message."""

    def __init__(self) -> None:
        super().__init__("The conversation has no such message.")


class BaseUnknown(NotFound):
    """No base is kept under that id."""

    def __init__(self) -> None:
        super().__init__("There is no such base. GET /v1/bases lists the ones that are kept.")


class UploadNotFound(NotFound):
    """No upload has that id: it never had, it expired or was given up."""

    def __init__(self) -> None:
        super().__init__("There is no such upload; it may have expired. Start a new one.")


class Unauthorized(PremRunnerError):
    """No token was given, or a wrong one."""


class Forbidden(PremRunnerError):
    """The caller is known, but may not do this."""


class TooManyAttempts(PremRunnerError):
    """The caller must slow down.

    Attributes:
        retry_after_seconds: How long to wait.
    """

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RequestLimitReached(TooManyAttempts):
    """An access key has sent as many requests as it may in a minute."""


class TokenLimitReached(TooManyAttempts):
    """An access key has used as many tokens as it may in a day."""


class Overloaded(PremRunnerError):
    """Every place is taken and the queue before it is full.

    Attributes:
        retry_after_seconds: When a place is likely to be free.
    """

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Cancelled(PremRunnerError):
    """The caller left, or asked to stop."""

    def __init__(self, message: str = "The request was cancelled.") -> None:
        super().__init__(message)


class UploadConflict(PremRunnerError):
    """The upload is not in the state that the caller takes it to be in; its status tells which."""


class UploadIncomplete(UploadConflict):
    """An upload cannot be completed while chunks are missing.

    Attributes:
        missing: Their indexes, ascending.
    """

    def __init__(self, message: str, missing: Sequence[int]) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class UploadStalled(PremRunnerError):
    """The client stopped sending in the middle, or sends too slowly to ever end."""


class ServerEnding(PremRunnerError):
    """The server is being stopped or restarted.

    Attributes:
        retry_after_seconds: About how long a restart takes.
    """

    def __init__(self) -> None:
        super().__init__("The server is being restarted. Send the request again.")
        self.retry_after_seconds = 5


class StorageFailed(PremRunnerError):
    """The disk or the database would not take it."""


class DiskFull(StorageFailed):
    """There is not enough space; what has arrived is kept."""


class ImportConflict(PremRunnerError):
    """The import is not in the state that the caller takes it to be in; its status tells which."""


class ConversationConflict(PremRunnerError):
    """The conversation is not in the state that the caller takes it to be in."""


class DownloadFailed(PremRunnerError):
    """A file could not be fetched from another server."""


class StarterUnavailable(PremRunnerError):
    """The starter model could not be fetched."""


class EngineError(PremRunnerError):
    """The engine (Ollama or the built-in one) could not do what was asked."""


class EngineNotReady(EngineError):
    """The engine does not answer yet, or something else answers in its place.

    Attributes:
        retry_after_seconds: When asking again makes sense.
    """

    def __init__(self, message: str, *, retry_after_seconds: int = 2) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EngineRefused(EngineError):
    """The engine answered with an error.

    Attributes:
        status: The engine's HTTP status; 0 when the error came inside a stream, whose status was 200 already.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class EngineLost(EngineError):
    """The connection to the engine ended in the middle of an answer."""


class EngineBroken(EngineError):
    """The engine's answer cannot be understood, or stopped before its end."""


class EngineOwned(EngineError):
    """Another process owns the engine of this data folder.

    Attributes:
        owner_pid: That process, if it could be read.
    """

    def __init__(self, owner_pid: int | None) -> None:
        named = f" (process {owner_pid})" if owner_pid else ""
        super().__init__(
            f"Another PremRunner{named} already runs the engine of this data folder. "
            "Stop it first, or set DATA_PATH to another folder."
        )
        self.owner_pid = owner_pid


class EngineNotOurs(EngineError):
    """PremRunner did not start this engine, and so does not end it."""


class InstallFailed(EngineError):
    """Ollama could not be fetched or put in place; what was there before is untouched."""
