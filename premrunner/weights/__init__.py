"""Model files: safetensors, GGUF, tokenizers, LoRA adapters, quantization. Files in, files out.

A library of its own: imports only ``premrunner.errors``, numpy and the ``gguf`` package.
"""
