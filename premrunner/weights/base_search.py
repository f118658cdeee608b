"""Find the model that an adapter was trained on, and prove that it is the one.

``adapter_config.json`` names it by a hub id or by a path on the machine that trained it; a name proves nothing, so
every tensor that the adapter changes must be in the base with the right shape.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from premrunner.weights.adapter import Adapter
from premrunner.weights.checkpoint import INDEX_NAME
from premrunner.weights.errors import BaseMismatch, BaseNotFound, BaseUnusable, WeightsInvalid
from premrunner.weights.json_file import MAX_JSON_BYTES, read_json_object
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.places import NO_PLACES, Places
from premrunner.weights.task import open_merge

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_HUB_CACHE = re.compile(r"models--(?P<owner>[^/]+?)--(?P<name>[^/]+)")
# Unsloth trains on quantized copies of a model; the adapter fits the model itself.
_QUANTIZED_COPY = re.compile(r"(-unsloth)?-bnb-[48]bit$|-(GPTQ|AWQ)(-.*)?$", re.IGNORECASE)

_NEEDED_FILES = ("config.json",)
_USEFUL_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "generation_config.json",
    "chat_template.jinja",
)

# Downloads one file; says False where there is none of that name.
Fetch = Callable[[str, Path], bool]


@dataclass(frozen=True)
class BaseCandidate:
    """A model that could be the base.

    Attributes:
        path: Folder of its safetensors, or its GGUF file.
        names: What it goes by: hub id, alias, folder.
    """

    path: Path
    names: tuple[str, ...]


def is_hub_id(name: str) -> bool:
    """Say whether a name is a hub's ``owner/model``, which can be put into a URL."""
    return _HUB_ID.fullmatch(name) is not None and ".." not in name


def base_names(written: str) -> tuple[str, ...]:
    """Give the names that a base may go by, the surest first.

    Args:
        written: ``base_model_name_or_path`` of the adapter.
    """
    path = written.replace("\\", "/").rstrip("/")
    names = [path] if _HUB_ID.fullmatch(path) else []
    if cached := _HUB_CACHE.search(path):
        names.append(f"{cached['owner']}/{cached['name']}")
    elif not names and len(parts := PurePosixPath(path).parts) > 1:
        names.append("/".join(parts[-2:]))
    names.append((names[0] if cached else path).rpartition("/")[2])
    names += [_QUANTIZED_COPY.sub("", name) for name in names]
    return tuple(dict.fromkeys(name for name in names if name))


def find_base(adapter: Adapter, candidates: Iterable[BaseCandidate], name: str = "") -> BaseCandidate:
    """Give the candidate that the adapter was trained on.

    Args:
        adapter: Opened.
        candidates: In order of preference.
        name: What somebody chose; empty takes the adapter's own word.

    Raises:
        BaseNotFound: None goes by that name.
        BaseMismatch: One does, and it is another model.
        BaseUnusable: One does, and it is damaged.
    """
    written = name or adapter.config.base_model_name
    if not written:
        raise BaseNotFound("a model that adapter_config.json does not name")
    wanted = [name.lower() for name in base_names(written)]
    matching = sorted(
        ((place, candidate) for candidate in candidates if (place := _place(candidate, wanted)) is not None),
        key=lambda match: match[0],
    )
    refusal: WeightsInvalid | None = None
    for _, candidate in matching:
        try:
            prove_base(adapter, candidate.path)
        except BaseMismatch as error:
            refusal = refusal or error
        except WeightsInvalid as error:
            refusal = refusal or BaseUnusable(candidate.names[0], str(error))
        else:
            return candidate
    raise refusal or BaseNotFound(base_names(written)[0])


def prove_base(adapter: Adapter, base: Path, places: Places = NO_PLACES) -> None:
    """Check that everything that an adapter changes is in a base, and fits; headers only.

    Args:
        adapter: Opened.
        base: Folder of its safetensors, or its GGUF file.
        places: Where the bytes of files are that have none of their own.

    Raises:
        BaseMismatch: Something is not, or does not; names the first tensor.
        WeightsInvalid: The base itself is damaged.
    """
    open_merge(base, adapter, OpenFiles(places))


def download_base(template: str, model_name: str, folder: Path, fetch: Fetch) -> Path:
    """Bring a base's files into a folder.

    Args:
        template: ``BASE_MODEL_URL``: a URL with ``{id}`` and ``{file}``.
        model_name: Hub id.
        folder: Where the files go; made here.
        fetch: Downloads one file.

    Raises:
        BaseNotFound: The name is no hub id, or the place has no such model.
    """
    if not is_hub_id(model_name):
        raise BaseNotFound(model_name[:200])
    folder.mkdir(parents=True, exist_ok=True)

    def bring(file_name: str) -> bool:
        return fetch(template.replace("{id}", model_name).replace("{file}", file_name), folder / file_name)

    for file_name in _NEEDED_FILES:
        if not bring(file_name):
            raise BaseNotFound(model_name)
    for file_name in _weight_files(folder, has_index=bring(INDEX_NAME)):
        if not bring(file_name):
            raise BaseNotFound(model_name)
    for file_name in _USEFUL_FILES:
        bring(file_name)
    return folder


def _weight_files(folder: Path, *, has_index: bool) -> Sequence[str]:
    if not has_index:
        return ("model.safetensors",)
    weight_map = read_json_object(folder / INDEX_NAME, limit_bytes=MAX_JSON_BYTES).get("weight_map")
    names = sorted(set(map(str, weight_map.values()))) if isinstance(weight_map, dict) else []
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise WeightsInvalid(f"The {INDEX_NAME} of the base makes no sense.", file_name=INDEX_NAME)
    return names


def _place(candidate: BaseCandidate, wanted: Sequence[str]) -> int | None:
    """Say how sure a candidate's name is: the place of the wanted name that it goes by."""
    names = {name.lower() for name in candidate.names}
    names |= {name.rpartition("/")[2] for name in names}
    return next((place for place, name in enumerate(wanted) if name in names), None)
