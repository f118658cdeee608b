"""Model files: safetensors, GGUF, tokenizers, LoRA adapters, quantization. Files in, files out.

A library of its own: imports only ``premrunner.errors``, numpy and the ``gguf`` package; ggml's quantizer is borrowed
from the engine's library where that is installed.
"""

from premrunner.weights.convert import Conversion, convert
from premrunner.weights.inspection import Inspection, inspect, locate
from premrunner.weights.output_type import OUTPUT_TYPE_NAMES
from premrunner.weights.progress import Progress

__all__ = ["OUTPUT_TYPE_NAMES", "Conversion", "Inspection", "Progress", "convert", "inspect", "locate"]
