"""From a folder of safetensors, with or without a LoRA adapter, to one GGUF file."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gguf import GGMLQuantizationType

from premrunner.errors import StorageFailed
from premrunner.weights import foreign_converter
from premrunner.weights.checkpoint import open_checkpoint, probable_sources
from premrunner.weights.gguf_writer import storage_reason, write_gguf
from premrunner.weights.lineage import Lineage, SourceFile
from premrunner.weights.metadata import Entry
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.places import NO_PLACES, Places, lay_out
from premrunner.weights.plan import Plan
from premrunner.weights.progress import Progress, ProgressMeter, Stage
from premrunner.weights.source_digests import SourceDigests
from premrunner.weights.stream import Piece, stream_values
from premrunner.weights.survey import survey
from premrunner.weights.task import Task, open_rewrite_task, open_task

# What stands in a header for a digest that is still being computed.
UNKNOWN_SHA256 = "0" * 64


@dataclass(frozen=True)
class Conversion:
    """A finished GGUF file.

    Attributes:
        sha256: Of the file, in hexadecimal: what Ollama calls its blob.
        output_type: What was written: ``bf16``, ``q4_k_m``...
        kinds: Type of each tensor by its GGUF name.
        lineage: What it was made from.
    """

    path: Path
    size_bytes: int
    sha256: str
    architecture: str
    output_type: str
    parameter_count: int
    kinds: Mapping[str, GGMLQuantizationType]
    lineage: Lineage
    seconds: float


def convert(
    source: Path,
    destination: Path,
    *,
    adapter: Path | None = None,
    output_type: str = "auto",
    name: str | None = None,
    places: Places = NO_PLACES,
    digests: SourceDigests | None = None,
    progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Conversion:
    """Convert a folder of safetensors to a GGUF file.

    Everything that can be wrong is found before the first byte is written, and the file appears under its name only
    when it is complete.

    Args:
        source: Folder of a model; with ``adapter``, of its base, which may also be a GGUF file.
        destination: The file to write; replaced if it is there.
        adapter: Folder of a LoRA adapter to merge in.
        output_type: One of ``OUTPUT_TYPE_NAMES``; ``auto`` keeps the type that the weights are stored in.
        name: What the model is called in the file; by default what its card or folder says.
        places: Where the bytes of files are that have none of their own.
        digests: Of sources that somebody began to hash already, with places of their own; closed at the end.
        progress: Told how far it is, at most ten times a second, from any thread.
        is_cancelled: Asked often; once it says yes, the work stops.

    Raises:
        WeightsInvalid: The weights, the adapter or the tokenizer cannot be converted; the subclass says why.
        StorageFailed: The disk would not take the file.
        Cancelled: On demand.
    """
    watch = _Watch(progress, is_cancelled)
    with digests or SourceDigests(OpenFiles(places)) as digests:
        digests.begin(probable_sources(source, digests.files.places))
        try:
            task = open_task(source, adapter, digests.files, output_type=output_type, name=name)
            return _carry_out(task, destination, digests, watch)
        except foreign_converter.NEEDING_IT:
            if adapter or not foreign_converter.is_installed():
                raise
            return _convert_with_llama_cpp(source, destination, digests, watch, output_type=output_type, name=name)


@dataclass(frozen=True)
class _Watch:
    """Who is told how far a conversion is, and who may stop it."""

    report: Callable[[Progress], None] | None
    is_cancelled: Callable[[], bool] | None
    started: float = field(default_factory=time.monotonic)

    def meter(self, stage: Stage, total_bytes: int) -> ProgressMeter:
        return ProgressMeter(stage, total_bytes, self.report, self.is_cancelled)


@dataclass(frozen=True)
class _LateLineage:
    """What a file says of its sources, whose digests are computed while it is written."""

    task: Task
    digests: SourceDigests

    def placeholders(self) -> list[Entry]:
        return self.lineage(lambda _: UNKNOWN_SHA256).entries()

    def entries(self) -> list[Entry]:
        return self.lineage(self.digests.of).entries()

    def give_up(self) -> None:
        self.digests.give_up()

    def lineage(self, sha256_of: Callable[[Path], str]) -> Lineage:
        size_of = self.digests.files.size_bytes
        sources = tuple(
            SourceFile(source.role, path.name, size_of(path), sha256_of(path))
            for source in self.task.sources
            for path in source.paths
        )
        options = {"output_type": self.task.plan.output_type, **self.task.options}
        return Lineage(sources, self.task.base_model_name, options)


def _carry_out(task: Task, destination: Path, digests: SourceDigests, watch: _Watch) -> Conversion:
    plan = task.plan
    _check(task, digests, watch)
    meter = watch.meter("writing", sum(info.size_bytes for info in plan.infos))
    digests.follow(task.paths, meter.check)
    late = _LateLineage(task, digests)
    written = write_gguf(destination, plan.metadata, plan.infos, _values(plan, digests, meter), late)
    return Conversion(
        path=written.path,
        size_bytes=written.size_bytes,
        sha256=written.sha256,
        architecture=plan.architecture,
        output_type=plan.output_type,
        parameter_count=plan.parameter_count,
        kinds=plan.kinds,
        lineage=late.lineage(digests.of),
        seconds=time.monotonic() - watch.started,
    )


def _convert_with_llama_cpp(
    source: Path, destination: Path, digests: SourceDigests, watch: _Watch, *, output_type: str, name: str | None
) -> Conversion:
    """Let llama.cpp's converter make a file beside the destination, and write that anew as it was asked for."""
    files = digests.files
    stored_bytes = open_checkpoint(source, files.places).size_bytes
    plain = output_type if output_type in foreign_converter.PLAIN_TYPES else "auto"
    try:
        with tempfile.TemporaryDirectory(prefix=".llama-cpp-", dir=destination.parent) as temporary:
            # The converter calls the model by its folder's name.
            folder, between = Path(temporary) / "model" / source.resolve().name, Path(temporary) / "converted.gguf"
            folder.mkdir(parents=True)
            lay_out(source, folder, files.places, watch.meter("copying", stored_bytes).advance)
            foreign_converter.run_converter(folder, between, plain, watch.meter("converting", stored_bytes).advance)
            task = open_rewrite_task(source, between, files, output_type=output_type, name=name)
            return _carry_out(task, destination, digests, watch)
    except OSError as error:
        raise StorageFailed(storage_reason(error)) from error


def _check(task: Task, digests: SourceDigests, watch: _Watch) -> None:
    """Look at every weight, while the sources are being hashed."""
    tensors = [tensor for source in task.sources for tensor in source.tensors]
    meter = watch.meter("checking", sum(tensor.size_bytes for tensor in tensors))
    digests.follow(task.paths, meter.check)
    survey(tensors, digests.files, meter.advance)


def _values(plan: Plan, digests: SourceDigests, meter: ProgressMeter) -> Iterator[Iterator[Piece]]:
    """Give each tensor's bytes in pieces; the last is only the end if they came from what was hashed."""
    for pieces in stream_values(plan.tensors, plan.kinds):
        yield _metered(pieces, meter)
    digests.refuse_changed()


def _metered(pieces: Iterator[Piece], meter: ProgressMeter) -> Iterator[Piece]:
    for piece in pieces:
        meter.advance(piece.nbytes)
        yield piece
