"""What every engine must do: Ollama's HTTP contract, as recorded from real Ollama 0.33.

Runs against the built-in engine, or unchanged against a real Ollama: ``PREMRUNNER_TEST_OLLAMA=127.0.0.1:11434 pytest
tests/contract``.
"""
