"""Sixth stage: the engine gets the bytes it does not have yet, and makes a model of them."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from premrunner.domain.catalog import tagged
from premrunner.domain.imports.chat_templates import is_go_template, known_template
from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.gguf_choice import open_gguf
from premrunner.domain.imports.gguf_stream import Body, GgufStream, laid_out
from premrunner.domain.imports.material import SourceFile, from_json
from premrunner.domain.imports.run import ImportRun
from premrunner.domain.model_names import free_alias, legal_alias
from premrunner.engine.local_store import local_blobs
from premrunner.engine.state import EngineState
from premrunner.net.http import Cancellation
from premrunner.storage.blob_files import link_blob
from premrunner.weights.gguf_layout import is_in_order

# From here on Ollama runs a model's own Jinja template.
_JINJA_SINCE = (0, 30)


@dataclass(frozen=True)
class EngineTaste:
    """What the engine at hand can be given.

    Attributes:
        is_builtin: Whether it is ours, which takes GGUF as it is and Jinja templates.
        takes_jinja: Whether it runs a GGUF's own template.
    """

    is_builtin: bool
    takes_jinja: bool


def taste_of(state: EngineState) -> EngineTaste:
    """Return what an engine can be given."""
    is_builtin = state.engine == "builtin"
    match = re.match(r"(\d+)\.(\d+)", state.version or "")
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    return EngineTaste(is_builtin, is_builtin or version == (0, 0) or version >= _JINJA_SINCE)


def create(run: ImportRun) -> dict[str, Any]:
    """Make the model in the engine, under an alias that is nobody else's.

    Raises:
        EngineError: The engine is not there, or would not; says why.
        DiskFull: Its copy would not fit.
    """
    run.report.begin("create", "Giving the model to the engine.")
    taste = taste_of(run.tools.link.state())
    stream, projector = _stream(run, taste), _projector(run)
    files = {f"{run.record.id}.gguf": hand_over(run, stream)}
    if projector is not None:
        files["mmproj.gguf"] = hand_over(run, GgufStream([projector], None))
    alias = _alias(run)
    run.note("create", alias=alias, digests=list(files.values()))
    run.report.say("The engine makes the model.")
    create_model(run, alias, files, taste)
    findings = {**known(run), "sha256": next(iter(files.values()))}
    run.tools.models.change(run.id, findings=findings, alias=alias)
    run.report.finish(f"The engine has it as {alias}.")
    return {"alias": alias, "digests": list(files.values()), "files": files}


def create_model(run: ImportRun, alias: str, files: Mapping[str, str], taste: EngineTaste) -> None:
    """Have the engine make the model of its blobs, with what the owner wants."""
    cancellation = Cancellation()
    defaults = engine_defaults(run.options.template, run.options.parameters, str(known(run).get("chatTemplate")), taste)
    with run.watch.stopping(cancellation.cancel):
        run.tools.engine.create(
            alias,
            files={name: f"sha256:{digest}" for name, digest in files.items()},
            system=run.options.system or None,
            cancellation=cancellation,
            **defaults,
        )


def engine_defaults(
    template: str, parameters: Mapping[str, Any], own_template: str, taste: EngineTaste
) -> dict[str, Any]:
    """Return the template and the parameters as this engine takes them.

    Args:
        template: What the owner wants; empty for the model's own.
        parameters: What the owner wants.
        own_template: The model's.
        taste: The engine's.

    Raises:
        ImportRefused: This engine cannot be given that template.
    """
    wanted = dict(parameters)
    if taste.is_builtin or is_go_template(template):
        return {"template": template or None, "parameters": wanted or None}
    if taste.takes_jinja:  # It stands in the GGUF, where the engine finds it.
        return {"template": None, "parameters": wanted or None}
    equivalent = known_template(template or own_template)
    if equivalent is None:
        if template:
            raise ImportRefused(
                "This Ollama takes no Jinja templates, and no equivalent of this one is known.",
                "Update Ollama to 0.30 or later, or give the template in Ollama's own language.",
            )
        return {"template": None, "parameters": wanted or None}
    wanted.setdefault("stop", list(equivalent.stops))
    return {"template": equivalent.go, "parameters": wanted}


def known(run: ImportRun) -> Mapping[str, Any]:
    """Return what is known of the model by now."""
    converted: Mapping[str, Any] = run.results["convert"].get("findings") or run.results["identify"]["findings"]
    return converted


def _stream(run: ImportRun, taste: EngineTaste) -> GgufStream:
    """Return the model's bytes: as they are wherever the engine takes them so."""
    kept = run.results["convert"].get("parts") or run.results["identify"]["parts"]
    parts = from_json(kept, run.tools.paths.root)
    template = "" if taste.is_builtin or is_go_template(run.options.template) else run.options.template
    return stream_of(parts, taste, template)


def stream_of(parts: Sequence[SourceFile], taste: EngineTaste, template: str = "") -> GgufStream:
    """Return a GGUF's bytes as an engine takes them.

    Args:
        parts: Its files.
        taste: The engine's.
        template: Put into the file in place of its own; empty leaves that.
    """
    opened = [open_gguf(part) for part in parts]
    if len(parts) == 1 and not template and (taste.is_builtin or is_in_order(opened[0].header)):
        return GgufStream(parts, None)
    return laid_out(opened, template)


def _projector(run: ImportRun) -> SourceFile | None:
    kept = run.results["identify"].get("projector") or []
    return from_json(kept, run.tools.paths.root)[0] if kept else None


def hand_over(run: ImportRun, stream: GgufStream, stage: str = "create") -> str:
    """Bring bytes into the engine's store, by a link where it is ours, and return their digest.

    Args:
        run: The import.
        stream: The bytes.
        stage: Notes the digest before a byte is there, so that it is taken back after a crash.
    """
    digest, cancellation = _digest(run, stream), Cancellation()
    with run.watch.stopping(cancellation.cancel):
        if run.tools.engine.has_blob(digest, cancellation=cancellation):
            return digest
    run.note(stage, digests=[*run.results.get(stage, {}).get("digests", []), digest])
    state = run.tools.link.state()
    blobs = local_blobs(state, run.tools.paths.builtin_store, run.tools.paths.root)
    is_file = stream.layout is None and stream.parts[0].is_whole
    total = stream.size_bytes

    def advance(done: int) -> None:
        run.watch.check()
        run.report.advance(done, total)

    if blobs and is_file and link_blob(blobs, digest, stream.parts[0].path, advance):
        return digest
    run.require_space(total, "The engine's copy")
    with run.watch.stopping(cancellation.cancel):
        body = Body(stream.pieces(), advance)
        run.tools.engine.push_blob(digest, body, total, cancellation=cancellation)
    return digest


def _digest(run: ImportRun, stream: GgufStream) -> str:
    if stream.layout is None and stream.parts[0].sha256:
        return stream.parts[0].sha256
    run.report.say("Computing the digest.")
    digest, done = hashlib.sha256(), 0
    for piece in stream.pieces():
        run.watch.check()
        digest.update(piece)
        done += len(piece)
        run.report.advance(done, stream.size_bytes)
    return digest.hexdigest()


def _alias(run: ImportRun) -> str:
    """Return the alias under which the model is made; chosen anew if a model of the engine's own has it."""
    if alias := run.results.get("create", {}).get("alias"):
        return str(alias)  # Ours, from before a crash.
    engine_names = {tagged(model.name) for model in run.tools.engine.models()}
    record = run.tools.models.find(run.id)
    if record is not None and tagged(record.alias) not in engine_names:
        return record.alias

    def choose(taken: set[str]) -> str:
        return free_alias(legal_alias(run.record.name, run.id), taken | engine_names)

    return run.tools.models.reserve(run.id, run.record.name, choose).alias
