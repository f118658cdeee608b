"""Rows and files: tables, the stores that read and write them, and every path below DATA_PATH.

May import ``errors``, ``records``, ``events`` and ``extensions``; raises domain errors and knows no HTTP.
"""
