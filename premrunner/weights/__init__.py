"""Model files: safetensors, GGUF, tokenizers, LoRA adapters, quantization. Files in, files out.

A library of its own: imports only ``premrunner.errors``, numpy and the ``gguf`` package; ggml's quantizer is borrowed
from the engine's library where that is installed. ``inspection.inspect`` and ``convert.convert`` are the way in.
"""
