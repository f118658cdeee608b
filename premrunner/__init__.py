"""PremRunner: from a fine-tuned model's files to a chat, an API and a trace of every call, on one's own machine.

Three edges (``web``, ``cli``, ``worker``) call one ``domain``, which uses ``engine``, ``storage`` and ``weights``;
``docs/architecture.md`` is the map.
"""

__version__ = "0.1.0"
