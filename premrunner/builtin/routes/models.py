"""What models there are, what they are, and which are loaded."""

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from premrunner.builtin import creation, describe
from premrunner.builtin.body import Body
from premrunner.builtin.gguf_header import read_header
from premrunner.builtin.manifests import Manifest, timestamp
from premrunner.builtin.modelfile import modelfile, parameter_lines
from premrunner.builtin.names import ModelName
from premrunner.builtin.refusals import Refusal, model_missing
from premrunner.builtin.routes.streaming import answer_stream
from premrunner.builtin.runners import Loaded
from premrunner.builtin.services import services

bp = Blueprint("models", __name__)

# The release of Ollama whose answers these are; clients switch features on by it.
CONTRACT_VERSION = "0.33.0"
# How Ollama shows a model that stays for ever: in about three hundred years.
_FOREVER = timedelta(days=106751)
_EVERYTHING = 2**62


@bp.get("/")
def root() -> Response:
    """Say who this is, in Ollama's words."""
    return Response("Ollama is running", content_type="text/plain; charset=utf-8")


@bp.get("/api/version")
def version() -> dict[str, str]:
    """Name the contract's version, and this engine so that it can be told from a real Ollama."""
    return {"version": CONTRACT_VERSION, "engine": "premrunner-builtin"}


@bp.get("/api/tags")
def tags() -> dict[str, Any]:
    """List the models, newest first."""
    return {"models": [_listed(manifest) for manifest in services().library.manifests.all()]}


@bp.get("/api/ps")
def running() -> dict[str, Any]:
    """List the loaded models; one that is loaded twice, for text and for vectors, is one entry of their size."""
    shown: dict[str, dict[str, Any]] = {}
    for loaded in services().runners.ready():
        model = _running(loaded)
        if model and (other := shown.setdefault(model["name"], model)) is not model:
            other["size"] += model["size"]
    return {"models": list(shown.values())}


@bp.post("/api/show")
def show() -> dict[str, Any]:
    """Tell everything about one model."""
    body = Body.of(request)
    if not body.model():
        raise Refusal("model is required")
    manifest = services().find(body.model())
    if manifest is None:
        raise model_missing(str(ModelName.parse(body.model())))
    return _shown(manifest, is_verbose=body.flag("verbose"))


@bp.post("/api/create")
def create() -> Response:
    """Make a model of uploaded GGUFs or of another model."""
    body = Body.of(request)
    recipe = creation.read_recipe(body)
    library = services().library
    return answer_stream(creation.create(library, recipe), is_streamed=body.flag("stream", default=True))


@bp.post("/api/copy")
def copy() -> Response:
    """Give a model a second name."""
    body = Body.of(request)
    source = _parsed(body.text("source"), "source")
    destination = _parsed(body.text("destination"), "destination")
    library = services().library
    manifest = library.manifests.find(source)
    if manifest is None:
        raise Refusal(f'model "{body.text("source")}" not found', HTTPStatus.NOT_FOUND)
    if source.key != destination.key:
        library.put(replace(manifest, name=str(destination), modified_at=timestamp()))
    return Response(status=200)


@bp.delete("/api/delete")
def delete() -> Response:
    """Unload a model and delete it."""
    wanted = Body.of(request).model()
    if not wanted:
        raise Refusal("model is required")
    name = _parsed(wanted, "name")
    manifest = services().library.manifests.find(name)
    if manifest is None:
        raise model_missing(wanted)
    services().runners.unload(lambda plan: plan.model_name == manifest.name)
    services().library.delete(name, manifest)
    return Response(status=200)


@bp.post("/api/pull")
def pull() -> Response:
    """Refuse: this engine has no registry."""
    ModelName.parse(Body.of(request).model())
    raise Refusal(
        "the built-in engine cannot pull models: upload a GGUF, or install Ollama", HTTPStatus.NOT_IMPLEMENTED
    )


def _parsed(text: str, what: str) -> ModelName:
    try:
        return ModelName.parse(text)
    except Refusal as refusal:
        raise Refusal(f'{what} "{text}" is invalid') from refusal


def _listed(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "model": manifest.name,
        "modified_at": manifest.modified_at,
        "size": manifest.size_bytes,
        "digest": manifest.digest,
        "details": manifest.details,
        "capabilities": manifest.capabilities,
    }


def _running(loaded: Loaded) -> dict[str, Any] | None:
    manifest = services().find(loaded.plan.model_name)
    if manifest is None:  # Deleted while it was answering.
        return None
    settings = loaded.plan.settings
    header = services().library.header(manifest.model_digest)
    cache_bytes = header.cache_bytes_a_token * settings.context_tokens * settings.slots
    seconds = loaded.expires_in_seconds
    stays = _FOREVER if math.isinf(seconds) else timedelta(seconds=seconds)
    return {
        "name": manifest.name,
        "model": manifest.name,
        "size": manifest.size_bytes + cache_bytes,
        "digest": manifest.digest,
        "details": manifest.details,
        "expires_at": timestamp(datetime.now(timezone.utc) + stays),
        "size_vram": 0,
        "context_length": settings.context_tokens,
    }


def _shown(manifest: Manifest, *, is_verbose: bool) -> dict[str, Any]:
    library = services().library
    header = library.header(manifest.model_digest)
    if is_verbose:
        header = read_header(library.blobs.path(manifest.model_digest), longest_kept_array=_EVERYTHING)
    template = library.template(manifest)
    shown: dict[str, Any] = {
        "modelfile": modelfile(manifest, template),
        "parameters": parameter_lines(manifest.parameters),
        "template": template,
        "system": manifest.system,
        "license": "\n".join(manifest.license),
        "messages": manifest.messages,
        "details": manifest.details,
        "model_info": describe.model_info(header),
        "tensors": describe.tensors(header),
        "capabilities": manifest.capabilities,
        "modified_at": manifest.modified_at,
    }
    if manifest.projector_digest:
        shown["projector_info"] = describe.model_info(library.header(manifest.projector_digest))
    return {key: value for key, value in shown.items() if value not in ("", [])}
