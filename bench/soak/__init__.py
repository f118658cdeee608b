"""Half an hour of everything at once, while things break: ``make soak``.

The load's own ledger decides at the end, not the server's word.
"""
