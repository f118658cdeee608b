"""PremRunner: from a fine-tuned model's files to a chat, an API and a trace of every call, on one's own machine.

Three edges (``web``, ``cli``, ``worker``) call one ``domain``, which uses ``engine``, ``storage`` and ``weights``;
``docs/architecture.md`` is the map.
"""


def __getattr__(name: str) -> str:
    """Give ``__version__``, looked up when it is first asked for: that takes a command as long as starting Python."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version

    return version("premrunner")
