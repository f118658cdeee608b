"""Ollama: its HTTP API from the client's side, and the process that serves it.

May import ``errors``, ``records`` and ``net``; never SQL, Flask or anything above.
"""
