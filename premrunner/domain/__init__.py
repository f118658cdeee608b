"""What PremRunner does: chats, traces, the catalogue of models, uploads and imports.

May import the shared words and the neighbours ``engine``, ``storage`` and ``weights``; never Flask, SQLAlchemy or an
HTTP library.
"""
