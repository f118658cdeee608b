"""Fifth stage: weights become one GGUF. The one place that calls `premrunner.weights`' converter."""

from pathlib import Path
from typing import Any

from premrunner.domain.imports.gguf_choice import GgufChoice, open_gguf
from premrunner.domain.imports.identify import gguf_findings, warnings_of
from premrunner.domain.imports.material import SourceFile, places_from_json, to_json
from premrunner.domain.imports.run import ImportRun
from premrunner.errors import Cancelled
from premrunner.weights.convert import convert as convert_weights
from premrunner.weights.places import Places, place_of, weights_in
from premrunner.weights.progress import Progress

# F32 from what is stored in 16 bit; every other type is smaller.
_LARGEST_GROWTH = 2


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
    places = places_from_json(found.get("places", {}), root)
    run.require_space(_output_bytes(run, source, places), "Converting")
    target = run.folder("convert") / "model.gguf"
    try:
        made = convert_weights(
            source,
            target,
            adapter=folder if base else None,
            output_type=run.options.output_type,
            name=run.record.name,
            places=places,
            progress=_teller(run),
            is_cancelled=lambda: run.watch.is_stopped,
        )
    except Cancelled:
        run.watch.check()
        raise
    file = SourceFile("model.gguf", made.path, 0, made.size_bytes, made.sha256)
    whole = gguf_findings(GgufChoice([open_gguf(file)], None))
    merged = {**findings, **whole, "storedAs": findings["quantization"]}
    # Only now is it known what the whole model needs, and with which template it talks.
    warnings = warnings_of(run, merged)
    merged |= {"kind": findings["kind"], "warnings": warnings}
    run.tools.models.change(run.id, findings=merged, size=made.size_bytes)
    run.report.finish(f"Converted to {made.output_type}.")
    return {"parts": to_json([file], root), "findings": merged}


def _output_bytes(run: ImportRun, source: Path, places: Places) -> int:
    weights = [source] if source.is_file() else weights_in(source, "*.safetensors", places)
    stored = sum(place_of(path, places).size_bytes for path in weights)
    return stored * _LARGEST_GROWTH if run.options.output_type == "f32" else stored


def _teller(run: ImportRun) -> Any:
    """Return a reporter for the converter; its two passes are two bars."""
    passes = {"checking": "Checking every weight.", "writing": "Writing the GGUF."}
    said: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.stage not in said:
            said.add(progress.stage)
            run.report.say(passes.get(progress.stage, "Converting."))
        run.report.advance(progress.done_bytes, progress.total_bytes)

    return tell
