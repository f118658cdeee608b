"""The engine's process: which one to use, how to start it, how it is, when to try again, and how to end it whole.

Used by the one process that owns the engine; everybody else reads what it publishes (``engine.state``).
"""
