"""Weights that lie in an archive as they are need not be copied out of it."""

from pathlib import Path

import pytest

from premrunner.weights.convert import convert
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.inspection import inspect
from premrunner.weights.places import Place, lay_out

from .tiny_models import write_tiny_model


def moved_into_one_file(folder: Path, archive: Path) -> dict[Path, Place]:
    """Take the weights out of a folder, and return where they lie in a file together."""
    places, content = {}, b"in front"
    for path in sorted(folder.glob("*.safetensors")):
        places[path] = Place(archive, len(content), path.stat().st_size)
        content += path.read_bytes() + b"between"
        path.unlink()
    archive.write_bytes(content)
    return places


@pytest.mark.parametrize("shard_count", [1, 3])
def test_weights_in_an_archive_give_the_same_bytes_as_a_folder(tmp_path: Path, shard_count: int) -> None:
    folder = write_tiny_model("llama", tmp_path / "model", shard_count=shard_count)
    from_folder, seen = convert(folder, tmp_path / "a.gguf"), inspect(folder)

    places = moved_into_one_file(folder, tmp_path / "archive")

    assert not list(folder.glob("*.safetensors"))
    assert inspect(folder, places) == seen
    assert convert(folder, tmp_path / "b.gguf", places=places).sha256 == from_folder.sha256
    assert not list(folder.glob("*.safetensors"))


def test_weights_that_end_before_their_range_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "model")
    [(path, place)] = moved_into_one_file(folder, tmp_path / "archive").items()

    with pytest.raises(WeightsInvalid, match="cut off"):
        inspect(folder, {path: Place(place.path, place.offset_bytes, place.size_bytes - 1)})


def test_what_knows_no_places_is_given_files_and_no_code(tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "model")
    content = (folder / "model.safetensors").read_bytes()
    places = moved_into_one_file(folder, tmp_path / "archive")

    (folder / "modeling_custom.py").write_text("raise SystemExit")
    target, copied = tmp_path / "target", []
    target.mkdir()

    lay_out(folder, target, places, copied.append)

    assert (target / "model.safetensors").read_bytes() == content
    assert (target / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert sum(copied) == len(content)
    assert not (target / "modeling_custom.py").exists()
