"""A GGUF's header for the engine: what is wrong with a file is said with Ollama's status."""

from pathlib import Path

from premrunner.builtin.refusals import Refusal
from premrunner.weights import gguf_parser
from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.gguf_header import GgufHeader
from premrunner.weights.gguf_parser import SHORT_ARRAY


def read_header(path: Path, *, longest_kept_array: int = SHORT_ARRAY) -> GgufHeader:
    """Read and check the header of a GGUF, and that every tensor lies inside the file.

    Raises:
        Refusal: Not a GGUF (400), or one that is broken (500), in Ollama's words.
        OSError: The file cannot be read.
    """
    try:
        return gguf_parser.read_header(path, longest_kept_array=longest_kept_array)
    except NotWeights as error:
        raise Refusal(error.message) from error
    except WeightsInvalid as error:
        raise Refusal(error.message, 500) from error
