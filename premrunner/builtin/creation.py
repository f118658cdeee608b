"""``/api/create``: a model out of uploaded GGUFs, or out of another model with other defaults."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from premrunner.builtin.blobs import parse_digest
from premrunner.builtin.body import Body
from premrunner.builtin.describe import capabilities, details
from premrunner.builtin.gguf_header import read_header
from premrunner.builtin.library import Library
from premrunner.builtin.manifests import Manifest, timestamp
from premrunner.builtin.names import ModelName
from premrunner.builtin.refusals import Refusal, blob_missing, model_missing
from premrunner.builtin.templates import CHATML, check_template, is_chatml_with_default_system
from premrunner.weights.gguf_header import GgufHeader

Status = dict[str, Any]

_NO_LONGER = {
    "adapters": "LoRA adapters are no longer supported: merge the adapter into its base and send one GGUF",
    "quantize": "quantization is not supported: quantize the GGUF before sending it",
    "quantization": "quantization is not supported: quantize the GGUF before sending it",
    "draft_files": "draft models are not supported",
}


@dataclass(frozen=True)
class Recipe:
    """A checked create request.

    Attributes:
        name: Of the new model.
        base: Name of the model to start from, None when files are given.
        files: Relative path to ``sha256:<hex>``.
        template: Jinja template or "", which keeps the inherited one; likewise the others.
    """

    name: ModelName
    base: ModelName | None
    files: Mapping[str, str]
    template: str
    system: str
    parameters: dict[str, Any]
    messages: list[dict[str, Any]]
    license: list[str]


def read_recipe(body: Body) -> Recipe:
    """Check everything that can be checked without touching a file.

    Raises:
        Refusal: As Ollama would, with a real status.
    """
    name = ModelName.parse(body.model())
    for field, message in _NO_LONGER.items():
        if body.get(field):
            raise Refusal(message)
    base, files = body.text("from"), body.mapping("files")
    for path, digest in files.items():
        _check_file(path, digest)
    if not base and body.get("files") is None:
        raise Refusal("neither 'from' or 'files' was specified")
    if template := body.text("template"):
        check_template(template)
    return Recipe(
        name=name,
        base=ModelName.parse(base) if base else None,
        files={} if base else files,
        template=template,
        system=body.text("system"),
        parameters=body.mapping("parameters"),
        messages=body.objects("messages"),
        license=_license(body.get("license")),
    )


def create(library: Library, recipe: Recipe) -> Generator[Status, None, None]:
    """Make a model and yield the statuses on the way.

    Raises:
        Refusal: The base or a blob is missing, or a file is not what it should be.
    """
    if recipe.base is not None:
        base = library.manifests.find(recipe.base)
        if base is None:
            raise model_missing(str(recipe.base))
        yield from (_status(f"using existing layer sha256:{digest}") for digest in sorted(base.blob_digests))
    else:
        base = yield from _from_files(library, recipe)
    manifest = _with_changes(library, base, recipe)
    yield _status("writing manifest")
    library.put(manifest)
    yield _status("success")


def _from_files(library: Library, recipe: Recipe) -> Generator[Status, None, Manifest]:
    _check_kinds(library, recipe.files)
    yield _status("parsing GGUF")
    model_digest, projector_digest = _model_and_projector(library, recipe.files)
    digests = [digest for digest in (model_digest, projector_digest) if digest]
    yield from (_status(f"using existing layer sha256:{digest}") for digest in digests)
    header = library.header(model_digest)
    template = ""
    if is_chatml_with_default_system(header.text("tokenizer.chat_template")):
        yield _status("using autodetected template chatml")
        template = CHATML
    return Manifest(
        name=str(recipe.name),
        modified_at=timestamp(),
        model_digest=model_digest,
        projector_digest=projector_digest,
        size_bytes=sum(library.blobs.path(digest).stat().st_size for digest in digests),
        template=template,
        system="",
        parameters={},
        messages=[],
        license=[],
        details=details(header),
    )


def _model_and_projector(library: Library, files: Mapping[str, str]) -> tuple[str, str]:
    """Return the hex digests of the one model and of its projector ("" if there is none), told by their content."""
    found: dict[bool, str] = {}
    for path, digest in files.items():
        hex_digest = parse_digest(digest).lower()
        header = _header(library, hex_digest)
        if header.is_adapter:
            raise Refusal(_NO_LONGER["adapters"])
        if header.number("split.count") > 1:
            raise Refusal(
                f'split GGUF "{path}" is not supported: merge its parts first (llama-gguf-split --merge)', 500
            )
        if header.is_projector in found:
            raise Refusal("exactly one model GGUF, and at most one projector beside it, can be imported")
        found[header.is_projector] = hex_digest
    if False not in found:
        raise Refusal("the files hold a projector but no model to go with it")
    return found[False], found.get(True, "")


def _with_changes(library: Library, base: Manifest, recipe: Recipe) -> Manifest:
    """Return the base under the new name, with what the request changes; empty values keep what is there."""
    changed = replace(
        base,
        name=str(recipe.name),
        modified_at=timestamp(),
        template=recipe.template or base.template,
        system=recipe.system or base.system,
        parameters={**base.parameters, **recipe.parameters},
        messages=recipe.messages or base.messages,
        license=recipe.license or base.license,
    )
    if recipe.base is not None:
        changed = replace(changed, details={**base.details, "parent_model": str(recipe.base)})
    header = library.header(base.model_digest)
    template = library.template(changed)
    return replace(changed, capabilities=capabilities(header, template, has_projector=bool(base.projector_digest)))


def _check_file(path: str, digest: object) -> None:
    elements = path.split("/")
    if any(element in {"", ".", ".."} for element in elements):
        raise Refusal("file path must be relative")
    if not isinstance(digest, str) or not digest:
        raise Refusal("invalid digest format")


def _check_kinds(library: Library, files: Mapping[str, str]) -> None:
    """Refuse what is no GGUF by its name, unless its first bytes say otherwise."""
    if any(path.endswith(".safetensors") for path in files):
        raise Refusal("converting safetensors is not supported: send a GGUF")
    if not files or not any(path.endswith(".gguf") or _has_magic(library, digest) for path, digest in files.items()):
        raise Refusal("unknown type")


def _has_magic(library: Library, digest: str) -> bool:
    try:
        with library.blobs.path(parse_digest(digest).lower()).open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def _header(library: Library, hex_digest: str) -> GgufHeader:
    try:
        return read_header(library.blobs.path(hex_digest))
    except FileNotFoundError as error:
        raise blob_missing(hex_digest) from error


def _license(wanted: object) -> list[str]:
    if wanted is None:
        return []
    texts = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refusal("json: cannot unmarshal license: a string or a list of strings is expected", 500)
    return texts


def _status(text: str) -> Status:
    return {"status": text}
