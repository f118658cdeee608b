"""Fourth stage, for adapters: find the model that the adapter was trained on, and prove that it is the one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from premrunner.domain.imports.download_base import downloaded
from premrunner.domain.imports.material import places_from_json
from premrunner.domain.imports.run import ImportRun
from premrunner.engine.local_store import local_blobs
from premrunner.errors import DownloadFailed
from premrunner.weights.adapter import Adapter, open_adapter
from premrunner.weights.base_search import BaseCandidate, base_names, prove_base
from premrunner.weights.base_search import find_base as find_among
from premrunner.weights.errors import BaseMismatch, BaseNotFound, BaseUnusable


def find_base(run: ImportRun) -> dict[str, Any]:
    """Return where an adapter's base is; nothing for what is no adapter.

    Looked at, in order: the upload itself, the bases that are kept here, the hub's cache of this account, the place
    that BASE_MODEL_URL names, and the GGUF files of models that were imported here. What its owner chose (an id or a
    name) is taken instead of the adapter's word. Whatever is found must have every tensor that the adapter changes.

    Raises:
        BaseNotFound: It is nowhere.
        BaseMismatch: What goes by its name is another model; names the first tensor that does not fit.
        BaseUnusable: What goes by its name is damaged.
    """
    found = run.results["identify"]
    if found["findings"]["kind"] != "adapter":
        return {}
    run.report.begin("base", "Looking for the adapter's base.")
    root = run.tools.paths.root
    folders = [root / folder for folder in found["folders"]]
    places = places_from_json(found.get("places", {}), root)
    adapter = open_adapter(folders[0], places)
    name = run.options.base or adapter.config.base_model_name or ""
    if len(folders) > 1:
        prove_base(adapter, folders[1], places)
        run.report.finish("The base came with the adapter.")
        return {"base": str(folders[1]), "name": name, "isGguf": False}
    base = _search(run, adapter, name)
    run.report.finish(f"The base is {base.names[0]}.")
    return {"base": str(base.path), "name": base.names[0], "isGguf": base.path.is_file()}


def _search(run: ImportRun, adapter: Adapter, name: str) -> BaseCandidate:
    try:
        return find_among(adapter, [*_kept(run), *_cached(name)], name)
    except (BaseNotFound, BaseMismatch, BaseUnusable) as error:
        missing: BaseNotFound | BaseMismatch | BaseUnusable | DownloadFailed = error
    if isinstance(missing, BaseNotFound):
        try:
            if (base := downloaded(run, name)) is not None:
                return find_among(adapter, [base], base.names[0])
        except (BaseNotFound, DownloadFailed) as error:
            missing = error
    try:
        # Last, because what its quantization lost stays lost.
        return find_among(adapter, _imported(run), name)
    except BaseNotFound:
        raise missing from None


def _kept(run: ImportRun) -> Iterator[BaseCandidate]:
    for base in run.tools.bases.all():
        yield BaseCandidate(run.tools.bases.folder(base.id), (base.name, base.id, *base.names))


def _cached(name: str) -> Iterator[BaseCandidate]:
    """Yield what the hub's own programs have left in this account's cache."""
    cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    for known in base_names(name):
        if "/" not in known or ".." in known:
            continue
        for place in sorted((cache / f"models--{known.replace('/', '--')}" / "snapshots").glob("*")):
            if (place / "config.json").is_file() and any(place.glob("*.safetensors")):
                yield BaseCandidate(place, (known,))


def _imported(run: ImportRun) -> Iterator[BaseCandidate]:
    """Yield the GGUF files of models that were imported here, where their bytes are at hand."""
    blobs = local_blobs(run.tools.link.state(), run.tools.paths.builtin_store, run.tools.paths.root)
    for model in run.tools.models.all():
        sha256 = model.findings.get("sha256")
        if blobs and sha256 and model.is_downloaded and (blobs / f"sha256-{sha256}").is_file():
            yield BaseCandidate(blobs / f"sha256-{sha256}", (model.name, model.id, model.alias))
