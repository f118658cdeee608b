"""From an upload to a model that has proven itself: the stages of one import, small functions, and their pipeline.

A stage takes the `ImportRun`, returns what it found as JSON, and knows nothing of rows, processes or other stages.
"""
