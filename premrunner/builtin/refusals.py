"""The one way a call fails on purpose: a status and the sentence Ollama would answer with."""

from http import HTTPStatus

from premrunner.errors import PremRunnerError

# Ollama's own sentences, two spaces included: clients match on them.
QUEUE_FULL = "server busy, please try again.  maximum pending requests exceeded"
MODEL_CRASHED = "an error was encountered while running the model: unexpected EOF"


class Refusal(PremRunnerError):
    """A call that ends here, with the answer that real Ollama would give.

    Attributes:
        status: HTTP status, lost when the error comes inside a stream.
    """

    def __init__(self, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = int(status)


def blob_missing(hex_digest: str) -> Refusal:
    """Return the refusal for a file that was not uploaded, or is gone."""
    return Refusal(f"open blobs/sha256-{hex_digest}: no such file or directory", HTTPStatus.INTERNAL_SERVER_ERROR)


def model_missing(model_name: str) -> Refusal:
    """Return the refusal for a name that no model has; the name stands as the caller spelled it."""
    return Refusal(f"model '{model_name}' not found", HTTPStatus.NOT_FOUND)
