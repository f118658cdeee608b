"""Third stage: what is it? Told by content, never by a name alone; what was found is kept and shown."""

from collections.abc import Sequence
from typing import Any

from premrunner.domain.imports.chat_templates import known_template, rendered_prompt
from premrunner.domain.imports.gguf_choice import GgufChoice, choose, is_gguf, open_gguf
from premrunner.domain.imports.impostors import refuse_impostors, refuse_without_weights
from premrunner.domain.imports.material import SourceFile, from_json, places_to_json, to_json
from premrunner.domain.imports.memory_estimate import MemoryEstimate, memory_warning
from premrunner.domain.imports.model_folder import find_folders, inspect_folders, lay_out, places_of
from premrunner.domain.imports.run import ImportRun

# What both engines load a model with when nobody says otherwise.
DEFAULT_CONTEXT = 4096


def identify(run: ImportRun) -> dict[str, Any]:
    """Return the files that make the model, and what is known of it.

    Raises:
        ImportRefused: It is no model, several, or a kind that cannot be used.
        WeightsInvalid: It is one, and broken.
    """
    run.report.begin("identify", "Looking what it is.")
    files = from_json(run.results["unpack"]["files"], run.tools.paths.root)
    refuse_impostors(files)
    found = [file for file in files if is_gguf(file)]
    result = _identify_gguf(run, found) if found else _identify_folder(run, files)
    findings = result["findings"]
    findings["uploadSha256"] = run.upload.sha256
    findings["warnings"] = warnings_of(run, findings)
    run.tools.models.change(run.id, findings=findings, size=findings["sizeBytes"])
    run.report.finish(_sentence(findings))
    return result


def _identify_gguf(run: ImportRun, files: Sequence[SourceFile]) -> dict[str, Any]:
    choice = choose([open_gguf(file) for file in files])
    root = run.tools.paths.root
    return {
        "parts": to_json([part.file for part in choice.parts], root),
        "projector": to_json([choice.projector.file], root) if choice.projector else [],
        "findings": gguf_findings(choice),
    }


def gguf_findings(choice: GgufChoice) -> dict[str, Any]:
    """Return what is known of a model that is a GGUF."""
    first = choice.parts[0].header
    files = [*choice.parts, *([choice.projector] if choice.projector else [])]
    return {
        "kind": "gguf",
        "version": first.version,
        "architecture": first.architecture,
        "parameterCount": sum(part.header.parameter_count for part in choice.parts),
        "quantization": first.quantization,
        "contextLength": first.number(".context_length"),
        "chatTemplate": first.text("tokenizer.chat_template"),
        "cacheBytesAToken": first.cache_bytes_a_token,
        "sizeBytes": sum(found.file.size_bytes for found in files),
        "partCount": len(choice.parts),
        "hasProjector": choice.projector is not None,
        "isEmbedding": f"{first.architecture}.pooling_type" in first.metadata,
    }


def _identify_folder(run: ImportRun, files: Sequence[SourceFile]) -> dict[str, Any]:
    if not any(file.name.lower().endswith(".safetensors") for file in files):
        refuse_without_weights(files)
    folders = find_folders(files)
    laid_out = lay_out(run, folders)
    places, root = places_of(folders, laid_out), run.tools.paths.root
    return {
        "folders": [str(folder.relative_to(root)) for folder in laid_out],
        "places": places_to_json(places, root),
        "findings": inspect_folders(laid_out, places),
    }


def warnings_of(run: ImportRun, findings: dict[str, Any]) -> list[str]:
    """Return what its owner should know before the model is used; adds the figures behind it to the findings."""
    context = _context(run, findings)
    estimate = MemoryEstimate(findings["sizeBytes"], findings.get("cacheBytesAToken", 0) * context, context)
    findings["memoryBytes"] = estimate.total_bytes
    warnings = [memory_warning(estimate), *_template_warnings(run, findings)]
    return [warning for warning in warnings if warning]


def _context(run: ImportRun, findings: dict[str, Any]) -> int:
    wanted = run.options.parameters.get("num_ctx") or DEFAULT_CONTEXT
    return min(int(wanted), findings.get("contextLength") or int(wanted))


def _template_warnings(run: ImportRun, findings: dict[str, Any]) -> list[str]:
    if findings.get("isEmbedding") or findings["kind"] == "adapter":
        return []
    template = run.options.template or findings.get("chatTemplate", "")
    if not template:
        return [
            "It has no chat template: chats are framed in the engine's default way, which it may never have seen. "
            "Set a template if its answers make no sense."
        ]
    known = known_template(template)
    findings["templateName"] = known.name if known else ""
    findings["renderedPrompt"] = rendered_prompt(template, run.watch.stopping)
    run.watch.check()
    if known is None:
        return ["Its chat template is of no known kind; the rendered prompt shows what the model will read."]
    return []


def _sentence(findings: dict[str, Any]) -> str:
    """Return what was found, in one line."""
    count = findings.get("parameterCount")
    parts = [
        {"gguf": "GGUF", "model": "Safetensors", "adapter": "LoRA adapter"}[findings["kind"]],
        findings.get("architecture") or "",
        f"{count / 1e6:.0f} million parameters" if count else "",
        findings.get("quantization") or "",
        f"trained on {findings['baseModelName']}" if findings.get("baseModelName") else "",
        f"to be converted by {findings['converter']}'s own converter" if findings.get("converter") else "",
    ]
    return ", ".join(part for part in parts if part) + "."
