"""The HTTP edge: blueprints, parsing, shaping, pages. A view is parse, one service call, shape.

May import the shared words, ``domain`` and ``net``; errors travel to ``errors.py``, the one place that knows statuses.
"""
