"""Fifth stage: weights become one GGUF. The one place that calls `premrunner.weights`' converter."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from premrunner.domain.imports.gguf_choice import GgufChoice, open_gguf
from premrunner.domain.imports.identify import gguf_findings, warnings_of
from premrunner.domain.imports.keep_base import keep_base
from premrunner.domain.imports.material import SourceFile, places_from_json, to_json
from premrunner.domain.imports.run import ImportRun
from premrunner.errors import Cancelled
from premrunner.weights.convert import Conversion
from premrunner.weights.convert import convert as convert_weights
from premrunner.weights.places import Places, place_of, weights_in
from premrunner.weights.progress import Progress

# F32 from what is stored in 16 bit; every other type is smaller.
_LARGEST_GROWTH = 2
GGUF_BASE_WARNING = (
    "It was merged into a GGUF, the only base that is here: what its quantization lost stays lost. "
    "Import the base's safetensors, kept as a base, and this adapter again, for better answers."
)
NOT_KEPT_WARNING = "It was not kept as a base: adapters are only merged into architectures that are known here."


def convert(run: ImportRun) -> dict[str, Any]:
    """Return the finished GGUF's file; nothing for what is one already.

    Raises:
        WeightsInvalid: The weights cannot be converted; says why.
        StorageFailed: The disk would not take the file.
    """
    found = run.results["identify"]
    findings = found["findings"]
    if findings["kind"] == "gguf":
        return {}
    run.report.begin("convert", "Checking the weights.")
    root = run.tools.paths.root
    folder, base = root / found["folders"][0], run.results["base"].get("base")
    source = Path(base) if base else folder
    made = _converted(run, source, "convert", adapter=folder if base else None)
    file = _file_of(made)
    whole = gguf_findings(GgufChoice([open_gguf(file)], None))
    merged = {**findings, **whole, "storedAs": findings["quantization"]}
    # Only now is it known what the whole model needs, and with which template it talks.
    warnings = warnings_of(run, merged)
    merged |= {"kind": findings["kind"], "warnings": warnings, "lineage": _lineage(made, run.results["base"])}
    if run.results["base"].get("isGguf"):
        warnings.append(GGUF_BASE_WARNING)
    if run.options.keep_as_base and findings.get("converter"):
        warnings.append(NOT_KEPT_WARNING)
    elif run.options.keep_as_base and not source.is_file():
        merged["keptBase"] = keep_base(run, source, _places(run), made.lineage.sources).id
    run.tools.models.change(run.id, findings=merged, size=made.size_bytes)
    run.report.finish(f"Converted: {made.output_type}.")
    return {"parts": to_json([file], root), "findings": merged}


def convert_base(run: ImportRun, source: Path) -> SourceFile:
    """Return an adapter's base as a GGUF of the same type, without the adapter.

    Raises:
        DiskFull: There is no room for it beside the model.
        StorageFailed: The disk would not take the file.
    """
    return _file_of(_converted(run, source, "prove", adapter=None))


def _converted(run: ImportRun, source: Path, stage: str, *, adapter: Path | None) -> Conversion:
    places = _places(run)
    run.require_space(_output_bytes(run, source, places), "Converting")
    try:
        return convert_weights(
            source,
            run.folder(stage) / "model.gguf",
            adapter=adapter,
            output_type=run.options.output_type,
            name=run.record.name,
            places=places,
            progress=_teller(run),
            is_cancelled=lambda: run.watch.is_stopped,
        )
    except Cancelled:
        run.watch.check()
        raise


def _file_of(made: Conversion) -> SourceFile:
    return SourceFile("model.gguf", made.path, 0, made.size_bytes, made.sha256)


def _places(run: ImportRun) -> Places:
    return places_from_json(run.results["identify"].get("places", {}), run.tools.paths.root)


def _lineage(made: Conversion, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the model was made from, as its page shows it."""
    lineage = made.lineage
    return {
        "sources": [asdict(source) for source in lineage.sources],
        "base": base.get("name") or lineage.base_model_name,
        "options": dict(lineage.options),
        "version": lineage.version,
    }


def _output_bytes(run: ImportRun, source: Path, places: Places) -> int:
    weights = [source] if source.is_file() else weights_in(source, "*.safetensors", places)
    stored = sum(place_of(path, places).size_bytes for path in weights)
    made = stored * _LARGEST_GROWTH if run.options.output_type == "f32" else stored
    if not run.results["identify"]["findings"].get("converter"):
        return made
    # llama.cpp's converter knows no places, and what it makes is written anew.
    return 2 * made + sum(place.size_bytes for place in places.values())


def _teller(run: ImportRun) -> Any:
    """Return a reporter for the converter; each pass is a bar."""
    passes = {
        "copying": "Taking the weights out of the archive.",
        "converting": "llama.cpp's own converter is at work.",
        "checking": "Checking every weight.",
        "writing": "Writing the GGUF.",
    }
    said: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.stage not in said:
            said.add(progress.stage)
            run.report.say(passes.get(progress.stage, "Converting."))
        run.report.advance(progress.done_bytes, progress.total_bytes)

    return tell
