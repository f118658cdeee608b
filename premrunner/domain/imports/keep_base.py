"""Keep a model's weights where adapters that come later find them."""

import os
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from premrunner.domain.imports.material import READ_BYTES
from premrunner.domain.imports.run import ImportRun
from premrunner.records import Base
from premrunner.storage.disk_errors import disk_errors
from premrunner.weights.base_search import base_names
from premrunner.weights.config import read_config
from premrunner.weights.lineage import SourceFile
from premrunner.weights.model import text_files
from premrunner.weights.places import Place, Places, place_of, weights_in


def keep_base(run: ImportRun, folder: Path, places: Places, sources: Iterable[SourceFile]) -> Base:
    """Keep a folder's weights as a base, and return it; files on the disk are linked, those in an archive copied.

    Args:
        run: The import.
        folder: The model's, as it was laid out.
        places: Where the bytes of files are that have none of their own.
        sources: The same files with their digests.

    Raises:
        DiskFull: What must be copied does not fit.
    """
    run.report.say("Keeping the weights as a base for adapters.")
    paths = [*weights_in(folder, "*.safetensors*", places), *text_files(folder)]
    files = {path: place_of(path, places) for path in paths}
    run.require_space(sum(place.size_bytes for path, place in files.items() if path in places), "Keeping the base")
    target = run.tools.bases.unfinished(run.id)
    for path, place in files.items():
        with disk_errors():
            (target / path.name).unlink(missing_ok=True)
            if path in places:
                _copy(run, place, target / path.name)
            else:
                os.link(path, target / path.name)
    digests = {source.name: source.sha256 for source in sources if source.role in ("model", "base")}
    names = [run.record.name, *base_names(run.results["identify"]["findings"].get("baseModelName") or "")]
    # Older versions of transformers write what a model was loaded from into its config.
    names += base_names(str(read_config(folder).find("_name_or_path") or ""))
    unique = tuple(dict.fromkeys(name for name in names if name))
    return run.tools.bases.finish(
        Base(run.id, run.record.name, unique, "upload", 0, datetime.now(timezone.utc), digests)
    )


def _copy(run: ImportRun, place: Place, target: Path) -> None:
    with place.path.open("rb") as whole, target.open("xb") as copy:
        whole.seek(place.offset_bytes)
        left = place.size_bytes
        while piece := whole.read(min(left, READ_BYTES)):
            run.watch.check()
            copy.write(piece)
            left -= len(piece)
            run.report.advance(place.size_bytes - left, place.size_bytes)
        copy.flush()
        os.fsync(copy.fileno())
