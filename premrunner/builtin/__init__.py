"""The built-in engine: a process of its own that serves Ollama's HTTP API over llama.cpp.

May import ``errors``, ``net`` and ``weights``; nothing else of PremRunner, so that it could live without it.

``server`` owns the life of the process, ``app`` the HTTP surface, ``routes/`` one blueprint a concern. Behind them
stand the files (``blobs``, ``manifests``, ``creation``) and the running models (``runners``, ``runner`` and, in a child
process each, ``model_process``). ``options``, ``prompts`` and ``translate`` turn Ollama's words into llama.cpp's and
back.
"""
