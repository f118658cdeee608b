"""Conversations of the chat page: their tree, the answers that are being written, their titles.

An answer belongs to the server and not to the page that asked: pages come and go, and follow it.
"""
