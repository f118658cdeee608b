"""Sockets: a keep-alive HTTP client that can be cut from outside, and a watch for clients that leave.

Knows nothing of engines, models or Flask; imports only ``premrunner.errors``. Works in native threads and, unchanged,
in gevent's greenlets.
"""
