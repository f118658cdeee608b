"""Archives and GGUFs that no honest tool makes, a table of them: name, file name, content, words of the refusal."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np


def small_gguf(folder: Path, name: str = "small.gguf", **strings: str) -> bytes:
    """A GGUF of a few hundred bytes that is whole, with two tensors."""
    path = folder / name
    architecture = strings.pop("architecture", "llama")
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in strings.items():
        writer.add_string(key.replace("__", "."), value)
    writer.add_uint32(f"{architecture}.block_count", 2)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), dtype=np.float32))
    writer.add_tensor("output.weight", np.ones((2, 32), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = path.read_bytes()
    path.unlink()
    return content


def zip_with(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def zip_named(name: str) -> bytes:
    """A ZIP whose one member has any name at all, also one that Python would mend."""
    plain = "x" * len(name.encode())
    return zip_with((plain, b"data")).replace(plain.encode(), name.encode())


def zip_mode(mode: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("model.gguf")
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, b"/etc/passwd")
    return stream.getvalue()


def patched(content: bytes, place: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite bytes at an offset behind the last occurrence of a mark."""
    at = content.rindex(place) + offset
    return content[:at] + value + content[at + len(value) :]


def overlapping_zip() -> bytes:
    """Two entries of the directory that share the bytes of one member."""
    content = zip_with(("aaaa", b"x" * 100), ("bbbb", b"x" * 100))
    second = content.rindex(b"PK\1\2")
    return content[: second + 42] + struct.pack("<I", 0) + content[second + 46 :]


def many_members(count: int) -> bytes:
    content = zip_with(("a", b""))
    directory, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    entries = content[directory:end] * count
    end_64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(entries), directory)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, directory + len(entries), 1)
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), directory, 0)
    return content[:directory] + entries + end_64 + locator + tail


def bomb() -> bytes:
    """100 MB of zeros in 100 kB."""
    return zip_with(("model.gguf", bytes(100_000_000)), method=zipfile.ZIP_DEFLATED)


def lying_size() -> bytes:
    """A member that inflates to more than it says."""
    content = zip_with(("model.gguf", bytes(1_000_000)), method=zipfile.ZIP_DEFLATED)
    return patched(content, b"PK\1\2", 24, struct.pack("<I", 1000))


def bad_crc(method: int) -> bytes:
    content = zip_with(("model.gguf", b"GGUF" + bytes(5000)), method=method)
    return patched(content, b"PK\1\2", 16, struct.pack("<I", 12345))


def tar_with(*infos: tarfile.TarInfo, content: bytes = b"data", mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for info in infos:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return stream.getvalue()


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def header(tensors: int, keys: int, rest: bytes = bytes(100)) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + rest


def split_part(folder: Path) -> bytes:
    writer = gguf.GGUFWriter(folder / "part.gguf", "llama")
    writer.add_uint16("split.count", 3)
    writer.add_uint16("split.no", 0)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (folder / "part.gguf").read_bytes()


Case = tuple[str, str, Callable[[Path], bytes], str]

CASES: list[Case] = [
    ("zip: leads out", "a.zip", lambda _: zip_named("../../evil.gguf"), "leads out of its folder"),
    ("zip: leads out inside", "a.zip", lambda _: zip_named("a/../../evil"), "leads out of its folder"),
    ("zip: leads out by backslash", "a.zip", lambda _: zip_named("..\\..\\evil"), "leads out of its folder"),
    ("zip: absolute", "a.zip", lambda _: zip_named("/tmp/evil.gguf"), "absolute path"),
    ("zip: drive", "a.zip", lambda _: zip_named("C:/evil.gguf"), "absolute path"),
    ("zip: drive by backslash", "a.zip", lambda _: zip_named("C:\\evil.gguf"), "absolute path"),
    ("zip: newline in a name", "a.zip", lambda _: zip_named("a\nb.gguf"), "cannot be shown"),
    ("zip: NUL in a name", "a.zip", lambda _: zip_named("a\0b.gguf"), "cannot be shown"),
    ("zip: empty part in a name", "a.zip", lambda _: zip_named("a//b.gguf"), "without a name"),
    ("zip: too deep", "a.zip", lambda _: zip_named("a/" * 40 + "b"), "deep"),
    ("zip: name of 300 bytes", "a.zip", lambda _: zip_named("n" * 300), "too long"),
    ("zip: symbolic link", "a.zip", lambda _: zip_mode(0o120777), "is a link"),
    ("zip: device", "a.zip", lambda _: zip_mode(0o060666), "device"),
    ("zip: pipe", "a.zip", lambda _: zip_mode(0o010666), "pipe"),
    (
        "zip: the same name twice",
        "a.zip",
        lambda _: zip_with(("aa", b"1"), ("bb", b"2")).replace(b"bb", b"aa"),
        "twice",
    ),
    ("zip: names differ by case", "a.zip", lambda _: zip_with(("A.gguf", b"1"), ("a.gguf", b"2")), "same"),
    ("zip: file and folder", "a.zip", lambda _: zip_with(("a", b"1"), ("a/b", b"2")), "needs a folder"),
    ("zip: encrypted", "a.zip", lambda _: patched(zip_with(("a.gguf", b"1")), b"PK\1\2", 8, b"\1\0"), "encrypted"),
    ("zip: AES", "a.zip", lambda _: patched(zip_with(("a.gguf", b"1")), b"PK\1\2", 10, b"\x63\0"), "encrypted"),
    ("zip: LZMA", "a.zip", lambda _: zip_with(("a.gguf", b"1"), method=zipfile.ZIP_LZMA), "LZMA"),
    ("zip: bzip2", "a.zip", lambda _: zip_with(("a.gguf", b"1"), method=zipfile.ZIP_BZIP2), "bzip2"),
    ("zip: overlapping members", "a.zip", lambda _: overlapping_zip(), "overlaps"),
    ("zip: 20 000 members", "a.zip", lambda _: many_members(20_000), "20000 members"),
    ("zip: a million members", "a.zip", lambda _: many_members(1_000_000), "1000000 members"),
    ("zip: bomb", "a.zip", lambda _: bomb(), "times as many"),
    ("zip: inflates to more", "a.zip", lambda _: lying_size(), "more than"),
    ("zip: wrong checksum, stored", "a.zip", lambda _: bad_crc(zipfile.ZIP_STORED), "checksum"),
    ("zip: wrong checksum, deflated", "a.zip", lambda _: bad_crc(zipfile.ZIP_DEFLATED), "checksum"),
    ("zip: cut off", "a.zip", lambda _: zip_with(("a.gguf", bytes(1000)))[:-30], "cut off"),
    ("zip: begins elsewhere", "a.zip", lambda _: b"PK\3\4" + zip_with(("a.gguf", bytes(9))), "not where it says"),
    ("zip: in a ZIP", "a.zip", lambda _: zip_with(("inner.zip", zip_with(("a", b"1")))), "another archive"),
    ("zip: empty", "a.zip", lambda _: zip_with(), "empty"),
    ("zip: only junk", "a.zip", lambda _: zip_with(("__MACOSX/._model.gguf", b"1")), "empty"),
    ("zip: pickle", "a.zip", lambda _: zip_with(("pytorch_model.bin", b"\x80\x02}"), ("config.json", b"{}")), "pickle"),
    ("zip: no model", "a.zip", lambda _: zip_with(("notes.txt", b"hello")), "no model in it"),
    ("zip: ONNX", "a.zip", lambda _: zip_with(("model.onnx", b"onnx")), "ONNX"),
    (
        "zip: weights alone",
        "a.zip",
        lambda _: zip_with(("model.safetensors", struct.pack("<Q", 2) + b"{}")),
        "no config.json",
    ),
    (
        "zip: Git-LFS pointer",
        "a.zip",
        lambda _: zip_with(
            ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), ("config.json", b"{}")
        ),
        "Git-LFS",
    ),
    (
        "zip: web page as weights",
        "a.zip",
        lambda _: zip_with(("model.safetensors", b"<!DOCTYPE html><html>"), ("config.json", b"{}")),
        "web page",
    ),
    (
        "zip: safetensors with an absurd header",
        "a.zip",
        lambda _: zip_with(
            ("model.safetensors", b"\xff" * 64), ("config.json", b'{"architectures": ["LlamaForCausalLM"]}')
        ),
        "safetensors",
    ),
    (
        "zip: two models",
        "a.zip",
        lambda folder: zip_with(("a.gguf", small_gguf(folder)), ("b.gguf", small_gguf(folder))),
        "2 models",
    ),
    ("tar: leads out", "a.tar", lambda _: tar_with(tar_member("../evil.gguf")), "leads out"),
    ("tar: absolute", "a.tar", lambda _: tar_with(tar_member("/tmp/evil.gguf")), "absolute"),
    ("tar: link", "a.tar", lambda _: tar_with(tar_member("m.gguf", tarfile.SYMTYPE, "/etc/passwd")), "is a link"),
    ("tar: hard link", "a.tar", lambda _: tar_with(tar_member("m.gguf", tarfile.LNKTYPE, "x")), "is a link"),
    ("tar: device", "a.tar", lambda _: tar_with(tar_member("m.gguf", tarfile.BLKTYPE)), "device"),
    ("tar.gz: cut off", "a.tar.gz", lambda _: tar_with(tar_member("m.gguf"), mode="w:gz")[:-20], "damaged"),
    (
        "tar.gz: bomb",
        "a.tar.gz",
        lambda _: tar_with(tar_member("m.gguf"), content=bytes(100_000_000), mode="w:gz"),
        "times as many",
    ),
    ("tar: wrong checksum", "a.tar", lambda _: patched(tar_with(tar_member("m.gguf")), b"m.gguf", 0, b"n"), "checksum"),
    ("7z", "a.zip", lambda _: b"7z\xbc\xaf\x27\x1c" + bytes(100), "7z"),
    ("rar", "a.zip", lambda _: b"Rar!\x1a\x07\x00" + bytes(100), "RAR"),
    ("text as ZIP", "a.zip", lambda _: b"this is no archive at all", "no model in it"),
    ("gguf: web page", "a.gguf", lambda _: b"<html>Sign in</html>", "web page"),
    (
        "gguf: Git-LFS pointer",
        "a.gguf",
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:",
        "Git-LFS",
    ),
    ("gguf: GGML", "a.gguf", lambda _: b"tjgg" + bytes(100), "GGML"),
    ("gguf: big-endian", "a.gguf", lambda _: b"GGUF" + struct.pack(">I", 3) + bytes(100), "broken GGUF"),
    ("gguf: version 1", "a.gguf", lambda _: b"GGUF" + struct.pack("<I", 1) + bytes(100), "version 1"),
    ("gguf: magic alone", "a.gguf", lambda _: b"GGUF", "broken GGUF"),
    ("gguf: 2^63 tensors", "a.gguf", lambda _: header(2**63, 0), "tensor count"),
    ("gguf: 2^60 keys", "a.gguf", lambda _: header(0, 2**60), "key count"),
    ("gguf: endless string", "a.gguf", lambda _: header(0, 1, struct.pack("<Q", 2**62) + bytes(99)), "broken GGUF"),
    ("gguf: no tensors", "a.gguf", lambda _: header(0, 0), "without weights"),
    ("gguf: cut off", "a.gguf", lambda folder: small_gguf(folder)[:-40], "exceeds file size"),
    ("gguf: adapter", "a.gguf", lambda folder: small_gguf(folder, general__type="adapter"), "LoRA adapter"),
    (
        "gguf: projector alone",
        "a.gguf",
        lambda folder: small_gguf(folder, architecture="clip", general__type="mmproj"),
        "projector",
    ),
    ("gguf: a part missing", "a.gguf", lambda folder: split_part(folder), "missing"),
    ("gguf: no such architecture", "a.gguf", lambda folder: small_gguf(folder, architecture="nonsense"), "engine"),
    ("gguf: tensors missing", "a.gguf", lambda folder: small_gguf(folder), "engine"),
]
