"""The families of models that can be converted, each a description in a file of its own.

Imports only what describes them; reads no file and no tensor.
"""

from premrunner.weights.architectures.family import Family
from premrunner.weights.architectures.gemma import GEMMA, GEMMA2, GEMMA3
from premrunner.weights.architectures.gpt2 import GPT2
from premrunner.weights.architectures.granite import GRANITE
from premrunner.weights.architectures.llama import LLAMA, MISTRAL
from premrunner.weights.architectures.mixtral import MIXTRAL
from premrunner.weights.architectures.olmo2 import OLMO2
from premrunner.weights.architectures.phi3 import PHI3
from premrunner.weights.architectures.qwen import QWEN2, QWEN2_MOE, QWEN3, QWEN3_MOE
from premrunner.weights.architectures.smollm3 import SMOLLM3
from premrunner.weights.architectures.stablelm import STABLELM
from premrunner.weights.errors import UnsupportedArchitecture

FAMILIES = (
    LLAMA,
    MISTRAL,
    MIXTRAL,
    QWEN2,
    QWEN2_MOE,
    QWEN3,
    QWEN3_MOE,
    GEMMA,
    GEMMA2,
    GEMMA3,
    PHI3,
    SMOLLM3,
    OLMO2,
    GRANITE,
    STABLELM,
    GPT2,
)
_BY_NAME = {name: family for family in FAMILIES for name in family.names}
KNOWN_ARCHITECTURES = tuple(sorted(_BY_NAME))


def family_of(architecture: str) -> Family:
    """Give the family of an architecture, as config.json names it.

    Raises:
        UnsupportedArchitecture: Nobody knows it.
    """
    if architecture not in _BY_NAME:
        raise UnsupportedArchitecture(architecture, KNOWN_ARCHITECTURES)
    return _BY_NAME[architecture]
