"""Blobs and manifests on disk."""

import errno
import hashlib
import io
import os

import pytest

from builtin.test_gguf_header import write_gguf
from builtin.test_prompts import manifest
from premrunner.builtin.blobs import BlobStore
from premrunner.builtin.body import Body
from premrunner.builtin.creation import create, read_recipe
from premrunner.builtin.gguf_header import read_header
from premrunner.builtin.library import Library, lock_store
from premrunner.builtin.manifests import ManifestStore
from premrunner.builtin.names import ModelName
from premrunner.builtin.planning import slots_that_fit
from premrunner.builtin.refusals import Refusal
from premrunner.errors import StorageFailed


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def blobs(tmp_path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(tmp_path / "store")


def put(library: Library, path) -> str:
    content = path.read_bytes()
    library.blobs.receive(digest_of(content), io.BytesIO(content))
    return digest_of(content)


def make(library: Library, **fields) -> list[str]:
    return [status["status"] for status in create(library, read_recipe(Body(fields)))]


def test_a_blob_is_stored_once_under_its_digest(blobs, tmp_path):
    assert blobs.receive(digest_of(b"hello"), io.BytesIO(b"hello")) is True
    assert blobs.receive(digest_of(b"hello"), io.BytesIO(b"not read")) is False
    (file,) = (tmp_path / "blobs").iterdir()
    assert file.name == "sha256-" + hashlib.sha256(b"hello").hexdigest()
    assert file.read_bytes() == b"hello"


class FailingBody(io.BytesIO):
    """Gives some bytes, then fails as a broken connection or a full disk does."""

    def __init__(self, failure: OSError) -> None:
        super().__init__(b"x" * 10)
        self.failure = failure

    def read(self, size=-1):
        if data := super().read(size):
            return data
        raise self.failure


def test_an_interrupted_upload_leaves_nothing(blobs, tmp_path):
    with pytest.raises(ConnectionResetError):
        blobs.receive(digest_of(b"hello"), FailingBody(ConnectionResetError()))
    with pytest.raises(Refusal, match="digest mismatch"):
        blobs.receive(digest_of(b"hello"), io.BytesIO(b"hell"))
    assert list((tmp_path / "blobs").iterdir()) == []


def test_a_full_disk_is_said_plainly(blobs, tmp_path):
    with pytest.raises(Refusal, match="no space left on device") as refusal:
        blobs.receive(digest_of(b"hello"), FailingBody(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    assert refusal.value.status == 500
    assert list((tmp_path / "blobs").iterdir()) == []


def test_leftovers_of_a_killed_engine_are_removed(tmp_path):
    BlobStore(tmp_path / "store" / "blobs")
    (tmp_path / "store" / "blobs" / "upload-x").write_bytes(b"half")
    Library(tmp_path / "store")
    assert list((tmp_path / "store" / "blobs").iterdir()) == []


def test_a_store_takes_one_engine_at_a_time(tmp_path):
    with lock_store(tmp_path / "store"), pytest.raises(StorageFailed, match="in use by another engine"):
        lock_store(tmp_path / "store")
    lock_store(tmp_path / "store").close()


def test_a_store_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match="cannot be used"):
        lock_store(tmp_path / "file" / "store")


def test_manifests_outlive_the_process_and_a_broken_one_is_left_out(tmp_path):
    store = ManifestStore(tmp_path)
    store.put(manifest(name="Org/Sea:latest"))
    (tmp_path / "broken.json").write_text("{")
    again = ManifestStore(tmp_path)
    found = again.find(ModelName.parse("org/sea"))
    assert found is not None
    assert found.name == "Org/Sea:latest"
    assert len(again.all()) == 1
    assert (tmp_path / "broken.json").exists()


def test_a_name_in_another_case_is_the_same_model(tmp_path):
    store = ManifestStore(tmp_path)
    store.put(manifest(name="Sea:latest"))
    store.put(manifest(name="sea:latest"))
    assert [found.name for found in store.all()] == ["sea:latest"]


def test_a_name_too_long_for_a_file_is_refused(tmp_path):
    with pytest.raises(Refusal, match="invalid model name"):
        ManifestStore(tmp_path).put(manifest(name="h" * 300 + "/n/m:latest"))


def test_a_digest_changes_with_the_content_and_not_with_the_name():
    assert manifest(name="a:latest").digest == manifest(name="b:latest").digest
    assert manifest(system="x").digest != manifest().digest


def test_a_projector_is_paired_by_content_whatever_the_order(library, tmp_path):
    model = put(library, write_gguf(tmp_path / "a.gguf"))
    projector = put(library, write_gguf(tmp_path / "b.gguf", "clip", general__type="mmproj"))
    make(library, model="sees", files={"a.gguf": projector, "b.gguf": model})
    found = library.manifests.find(ModelName.parse("sees"))
    assert found is not None
    assert found.model_digest == model.removeprefix("sha256:")
    assert found.projector_digest == projector.removeprefix("sha256:")
    assert "vision" in found.capabilities


def test_two_models_and_a_lone_projector_are_refused(library, tmp_path):
    model = put(library, write_gguf(tmp_path / "a.gguf"))
    other = put(library, write_gguf(tmp_path / "c.gguf", general__name="Other"))
    projector = put(library, write_gguf(tmp_path / "b.gguf", "clip", general__type="mmproj"))
    with pytest.raises(Refusal, match="exactly one model GGUF"):
        make(library, model="x", files={"a.gguf": model, "c.gguf": other})
    with pytest.raises(Refusal, match="no model to go with it"):
        make(library, model="x", files={"b.gguf": projector})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"adapters": {"a": "sha256:" + "0" * 64}, "from": "x"}, "LoRA adapters are no longer supported"),
        ({"quantize": "q4_0", "from": "x"}, "quantization is not supported"),
        ({"files": {"model.safetensors": "sha256:" + "0" * 64}}, "converting safetensors is not supported"),
        ({"from": "nope"}, "model 'nope:latest' not found"),
        ({"from": "x", "template": "{{ .Prompt }}"}, "not Go templates"),
        ({"from": "x", "license": 5}, "license"),
    ],
)
def test_what_this_engine_cannot_make_is_said_clearly(library, fields, text):
    with pytest.raises(Refusal) as refusal:
        make(library, model="x", **fields)
    assert text in refusal.value.message


def test_an_adapter_and_a_part_of_a_split_are_refused(library, tmp_path):
    adapter = put(library, write_gguf(tmp_path / "a.gguf", general__type="adapter"))
    with pytest.raises(Refusal, match="LoRA adapters are no longer supported"):
        make(library, model="x", files={"a.gguf": adapter})


def test_a_model_from_another_inherits_what_it_does_not_change(library, tmp_path):
    model = put(library, write_gguf(tmp_path / "a.gguf"))
    make(library, model="base", files={"a.gguf": model}, system="One.", parameters={"seed": 1, "top_k": 5}, license="L")
    statuses = make(library, model="child", **{"from": "base"}, parameters={"seed": 2}, system="")
    assert statuses == [f"using existing layer {model}", "writing manifest", "success"]
    child = library.manifests.find(ModelName.parse("child"))
    assert child is not None
    assert (child.system, child.parameters, child.license) == ("One.", {"seed": 2, "top_k": 5}, ["L"])
    assert child.details["parent_model"] == "base:latest"


def test_a_blob_goes_with_its_last_model(library, tmp_path):
    model = put(library, write_gguf(tmp_path / "a.gguf"))
    path = library.blobs.path(model.removeprefix("sha256:"))
    make(library, model="one", files={"a.gguf": model})
    make(library, model="two", **{"from": "one"})
    for name, stays in (("one", True), ("two", False)):
        parsed = ModelName.parse(name)
        library.delete(parsed, library.manifests.find(parsed))
        assert path.exists() is stays


def test_a_model_that_is_replaced_takes_its_file_along(library, tmp_path):
    old = put(library, write_gguf(tmp_path / "a.gguf"))
    new = put(library, write_gguf(tmp_path / "b.gguf", general__name="New"))
    make(library, model="sea", files={"a.gguf": old})
    make(library, model="sea", files={"b.gguf": new})
    assert not library.blobs.path(old.removeprefix("sha256:")).exists()
    assert library.blobs.path(new.removeprefix("sha256:")).exists()


def test_old_blobs_that_no_model_uses_go_at_the_start_unless_a_manifest_is_unreadable(library, tmp_path):
    used = put(library, write_gguf(tmp_path / "a.gguf"))
    make(library, model="sea", files={"a.gguf": used})
    digests = [used, *(put(library, write_gguf(tmp_path / name, general__name=name)) for name in ("old", "young"))]
    used_path, old_path, young_path = (library.blobs.path(digest.removeprefix("sha256:")) for digest in digests)
    for path in (used_path, old_path):
        os.utime(path, (0, 0))
    broken = tmp_path / "store" / "manifests" / "broken.json"
    broken.write_text("{")
    Library(tmp_path / "store")
    assert old_path.exists()
    broken.unlink()
    Library(tmp_path / "store")
    assert [path.exists() for path in (used_path, old_path, young_path)] == [True, False, True]


def test_slots_shrink_where_their_caches_would_not_fit(starter_gguf):
    header = read_header(starter_gguf)  # 23,040 bytes of cache a token.
    assert slots_that_fit(header, 4096, memory_bytes=24 * 2**30) == 4
    assert slots_that_fit(header, 4096, memory_bytes=2 * 2**30) == 2
    assert slots_that_fit(header, 8192, memory_bytes=2**20) == 1
