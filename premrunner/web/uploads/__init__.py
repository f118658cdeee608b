"""Uploads over HTTP: raw chunks, the original's forms, and tus; bodies go to the disk without passing through memory.

Reading a body belongs here; where its bytes go belongs to ``domain`` and ``storage``.
"""
