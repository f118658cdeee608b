"""Names of models in addresses: they may hold slashes, and end before the one that old clients of Prem put behind."""

from flask import Flask
from werkzeug.routing import PathConverter


class ModelPath(PathConverter):
    """A model's name, as ``<model:…>`` in a route. SDKs send slashes as %2F, which WSGI decodes before routing."""

    regex = "[^/](?:.*?[^/])?"


def register_model_paths(app: Flask) -> None:
    """Let routes use it; before any of them is registered."""
    app.url_map.converters["model"] = ModelPath
