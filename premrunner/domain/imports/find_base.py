"""Fourth stage, for adapters: find the model that the adapter was trained on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from premrunner.domain.imports.run import ImportRun
from premrunner.engine.local_store import local_blobs
from premrunner.weights.errors import BaseNotFound


def find_base(run: ImportRun) -> dict[str, Any]:
    """Return where an adapter's base is; nothing for what is no adapter.

    Looked at, in order: the upload itself, the folder ``bases`` in the data folder, the hub's cache of this account,
    and models that were imported here, by the id or name that their owner chose or by the last part of the adapter's
    word.

    Raises:
        BaseNotFound: It is nowhere.
    """
    found = run.results["identify"]
    if found["findings"]["kind"] != "adapter":
        return {}
    run.report.begin("base", "Looking for the adapter's base.")
    if len(found["folders"]) > 1:
        run.report.finish("The base came with the adapter.")
        return {"base": str(run.tools.paths.root / found["folders"][1])}
    name = run.options.base or found["findings"].get("baseModelName") or ""
    for candidate in (*_folders(run.tools.paths.bases, name), *_imported(run, name)):
        run.report.finish(f"The base is {name}.")
        return {"base": str(candidate)}
    raise BaseNotFound(name or "a model that it does not name")


def _folders(bases: Path, name: str) -> Iterator[Path]:
    """Yield the folders that may be a hub model's."""
    if not name or ".." in name:
        return
    last = name.rstrip("/").rsplit("/", 1)[-1]
    flat = name.replace("/", "--")
    places = [bases / flat, bases / last]
    cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    places += sorted((cache / f"models--{flat}" / "snapshots").glob("*"))
    for place in places:
        if (place / "config.json").is_file() and any(place.glob("*.safetensors")):
            yield place


def _imported(run: ImportRun, name: str) -> Iterator[Path]:
    """Yield the GGUF files of models that were imported under that name, where their bytes are at hand."""
    blobs = local_blobs(run.tools.link.state(), run.tools.paths.builtin_store, run.tools.paths.root)
    last = name.rstrip("/").rsplit("/", 1)[-1].lower()
    for model in run.tools.models.all():
        sha256 = model.findings.get("sha256")
        names = {model.id, model.alias, model.name.lower(), model.alias.lower()}
        if blobs and sha256 and model.is_downloaded and {name, name.lower(), last} & names:
            yield blobs / f"sha256-{sha256}"
