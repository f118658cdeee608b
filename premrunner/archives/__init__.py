"""ZIP and tar archives of strangers: every name, size and link is checked before a byte is believed.

A library of its own: imports only ``premrunner.errors``. Memory stays constant whatever an archive claims.
"""
