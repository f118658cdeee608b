"""Put an official Ollama release into the data folder: fetched, verified, unpacked, switched to in one step.

Runs only when a person asks for it, never by itself.
"""
