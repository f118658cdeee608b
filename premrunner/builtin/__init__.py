"""The built-in engine: a process of its own that serves Ollama's HTTP API over llama.cpp.

May import ``errors``, ``net`` and ``weights``; nothing else of PremRunner, so that it could live without it.
"""
