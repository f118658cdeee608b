"""What can be imported here and what it will take, for pages and programs that look into a file before they send it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gguf import GGML_QUANT_SIZES

from premrunner.domain.imports.download_base import hub_ids
from premrunner.domain.imports.identify import DEFAULT_CONTEXT
from premrunner.domain.imports.memory_estimate import free_memory_bytes, machine_memory_bytes
from premrunner.domain.imports.run import Tools
from premrunner.domain.uploads import Uploads
from premrunner.engine.local_store import local_blobs
from premrunner.net.native_threads import NativeThreads
from premrunner.weights.architectures import KNOWN_ARCHITECTURES
from premrunner.weights.base_search import base_names
from premrunner.weights.foreign_converter import is_installed
from premrunner.weights.gguf_types import FILE_TYPES, TENSOR_TYPES, TensorType
from premrunner.weights.output_type import OUTPUT_TYPES, Kind, OutputType
from premrunner.weights.quantization_plan import NARROW

# Of the weights, those in matrices of which a mixture stores every second one finer: the down projections and values.
_FINER_SHARE = 0.18


@dataclass(frozen=True)
class TypeBytes:
    """What a conversion to a type takes, in bytes a weight.

    Attributes:
        weight: In most matrices.
        output: In the output matrix, which mixtures store finer.
        narrow: In matrices whose rows are no multiple of 256.
        narrow_output: In an output matrix of that kind.
    """

    name: str
    weight: float
    output: float
    narrow: float
    narrow_output: float


@dataclass(frozen=True)
class KnownBase:
    """A model that an adapter can be put on.

    Attributes:
        id: What `base` of the import's options takes.
        name: What people call it.
        size_bytes: Of its weights; 0 where nobody has counted.
        other_names: What adapters may call it besides.
    """

    id: str
    name: str
    size_bytes: int = 0
    architecture: str = ""
    context_length: int = 0
    parameter_count: int = 0
    other_names: Sequence[str] = ()

    @property
    def goes_by(self) -> set[str]:
        """Its names in lower case, and their last parts: adapters know it by a path or by a copy on the hub."""
        names = {name.lower() for name in (self.id, self.name, *self.other_names)}
        return names | {name.rpartition("/")[2] for name in names}


@dataclass(frozen=True)
class Terms:
    """What this server takes at this moment.

    Attributes:
        takes_others: Whether llama.cpp's own converter is installed, for architectures that are not listed.
        can_download_bases: Whether a base that is not here is fetched from where BASE_MODEL_URL says.
    """

    architectures: Sequence[str]
    takes_others: bool
    output_types: Sequence[TypeBytes]
    most_bytes: int
    free_bytes: int
    memory_bytes: int
    free_memory_bytes: int
    context_length: int
    bases: Sequence[KnownBase]
    can_download_bases: bool
    tensor_types: Mapping[int, TensorType] = field(default_factory=lambda: TENSOR_TYPES)
    file_types: Mapping[int, str] = field(default_factory=lambda: FILE_TYPES)


class ImportTerms:
    """Tells what can be imported.

    Args:
        uploads: What may come, and the space for it.
        tools: Engine, models and paths.
        threads: For what touches the disk.
    """

    def __init__(self, uploads: Uploads, tools: Tools, threads: NativeThreads) -> None:
        self._uploads = uploads
        self._tools = tools
        self._threads = threads

    def now(self) -> Terms:
        """Return what this server takes at this moment."""
        return Terms(
            architectures=KNOWN_ARCHITECTURES,
            takes_others=is_installed(),
            output_types=[_type_bytes(output) for output in OUTPUT_TYPES.values()],
            most_bytes=self._uploads.most_bytes,
            free_bytes=self._uploads.free_bytes(),
            memory_bytes=machine_memory_bytes(),
            free_memory_bytes=free_memory_bytes(),
            context_length=DEFAULT_CONTEXT,
            bases=self.bases(),
            can_download_bases=bool(self._tools.base_model_url),
        )

    def bases(self) -> Sequence[KnownBase]:
        """Return the models here that an adapter can be put on."""
        folders = self._threads.run(lambda: list(self._folders()))
        return [*folders, *self._imported()]

    def find_base(self, written: str) -> KnownBase | None:
        """Return the model here that an adapter means by its ``base_model_name_or_path``; None when it is not here."""
        wanted = {name.lower() for name in base_names(written)}
        return next((base for base in self.bases() if wanted & base.goes_by), None)

    def can_download(self, written: str) -> bool:
        """Tell whether that model would be fetched where it is not here."""
        return bool(self._tools.base_model_url and hub_ids(written))

    def _folders(self) -> Iterator[KnownBase]:
        for base in self._tools.bases.all():
            yield KnownBase(base.id, base.name, base.size_bytes, other_names=base.names)

    def _imported(self) -> Iterator[KnownBase]:
        if not self._blobs_are_ours():
            return
        for model in self._tools.models.all():
            found = model.findings
            if model.is_downloaded and found.get("sha256") and not found.get("isEmbedding"):
                yield KnownBase(
                    model.alias,
                    model.name,
                    model.size_bytes,
                    str(found.get("architecture") or ""),
                    int(found.get("contextLength") or 0),
                    int(found.get("parameterCount") or 0),
                )

    def _blobs_are_ours(self) -> bool:
        paths = self._tools.paths
        return local_blobs(self._tools.link.state(), paths.builtin_store, paths.root) is not None


def _type_bytes(output: OutputType) -> TypeBytes:
    kind = output.kind
    finer = Kind.Q6_K if output.takes_more_bits else kind
    weight = _bytes(kind) + _FINER_SHARE * (_bytes(finer) - _bytes(kind))
    if not output.is_quantized:
        return TypeBytes(output.name, weight, weight, weight, weight)
    top = Kind.Q8_0 if kind == Kind.Q8_0 else Kind.Q6_K
    # Of what is finer, rows that do not fit get the narrow type of the finer one.
    narrow_kind, narrow_finer = NARROW.get(kind, kind), NARROW.get(finer, finer)
    narrow = _bytes(narrow_kind) + _FINER_SHARE * (_bytes(narrow_finer) - _bytes(narrow_kind))
    return TypeBytes(output.name, weight, _bytes(top), narrow, _bytes(NARROW.get(top, top)))


def _bytes(kind: Kind) -> float:
    elements, size = GGML_QUANT_SIZES[kind]
    return size / elements
