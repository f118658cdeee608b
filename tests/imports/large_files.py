"""Files of gigabytes that take no space on the disk: holes between a few bytes that count."""

import json
import struct
import zipfile
import zlib
from pathlib import Path

import gguf
import numpy as np

PIECE = bytes(1024 * 1024)
# A header with a vocabulary has a few.
HEAD_BYTES = 8 * 1024 * 1024


def sparse_gguf(path: Path, size_bytes: int, *, source: Path | None = None, **strings: str) -> Path:
    """A whole GGUF whose one large tensor is a hole.

    Args:
        path: Where it goes.
        size_bytes: Of the tensor.
        source: A GGUF whose tokenizer it shall have, for a header of a real size.
        strings: More keys, with ``__`` for the dot.
    """
    writer = gguf.GGUFWriter(path, "llama")
    if source is not None:
        reader = gguf.GGUFReader(source)
        for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"):
            writer.add_array(key, reader.get_field(key).contents())
    for key, value in strings.items():
        writer.add_string(key.replace("__", "."), value)
    writer.add_uint32("llama.block_count", 2)
    writer.add_uint32("llama.context_length", 131072)
    for key in ("attention.head_count", "attention.head_count_kv"):
        writer.add_uint32(f"llama.{key}", 8)
    writer.add_uint32("llama.embedding_length", 512)
    writer.add_quantization_version(2)
    writer.add_file_type(1)
    writer.add_tensor_info("token_embd.weight", (size_bytes // 2048, 1024), np.dtype(np.float16), size_bytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("rb+") as file:
        head = file.seek(0, 2)
        file.truncate(-(-head // 32) * 32 + size_bytes // 2048 * 2048)
    return path


def stored_zip(path: Path, name: str, content: Path) -> Path:
    """A ZIP with a file as it is, sparse as the file is: all behind its first megabytes must be a hole."""
    size = content.stat().st_size
    with content.open("rb") as file:
        head = file.read(HEAD_BYTES)
        checksum = zlib.crc32(head)
        while piece := file.read(len(PIECE)):
            checksum = zlib.crc32(piece, checksum)
    info = zipfile.ZipInfo(name)
    info.file_size = info.compress_size = size
    info.CRC = checksum
    with path.open("wb") as file:
        file.write(info.FileHeader() + head)
        file.seek(size - len(head), 1)
        _finish(file, info, name)
    return path


def deflated_zip(path: Path, name: str, head: bytes, size_bytes: int) -> Path:
    """A ZIP with a deflated file of any size, made fast: one packed megabyte, many times.

    The megabyte shrinks to a third, as weights do at best, so the archive is no bomb.
    """
    third = np.random.default_rng(1).bytes(len(PIECE) // 3)
    plain = third + bytes(len(PIECE) - len(third))
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    repeated = packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH)
    count = (size_bytes - len(head)) // len(plain)
    rest = plain[: size_bytes - len(head) - count * len(plain)]
    last = packer.compress(rest) + packer.flush()
    checksum = zlib.crc32(head)
    for _ in range(count):
        checksum = zlib.crc32(plain, checksum)
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.file_size, info.CRC = size_bytes, zlib.crc32(rest, checksum)
    info.compress_size = len(first) + count * len(repeated) + len(last)
    with path.open("wb") as file:
        file.write(info.FileHeader() + first)
        for _ in range(count):
            file.write(repeated)
        file.write(last)
        _finish(file, info, name)
    return path


def large_model(folder: Path, rows: int) -> Path:
    """Make a tiny model's first layers huge: a hole of ``rows`` rows in each matrix of their gates."""
    config_path, weights_path = folder / "config.json", folder / "model.safetensors"
    config = json.loads(config_path.read_text())
    config_path.write_text(json.dumps({**config, "intermediate_size": rows}))
    with weights_path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__", None)
    small = config["intermediate_size"]
    place = 0
    for entry in header.values():
        entry["shape"] = [rows if length == small else length for length in entry["shape"]]
        size = 2 * int(np.prod(entry["shape"]))
        entry["data_offsets"] = [place, place + size]
        place += size
    encoded = json.dumps(header).encode()
    with weights_path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.truncate(8 + len(encoded) + place)
    return folder


def _finish(file, info: zipfile.ZipInfo, name: str) -> None:
    place = file.tell()
    name_bytes = name.encode()
    sizes = (info.CRC, info.compress_size, info.file_size)
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, info.compress_type, 0, 33, *sizes, len(name_bytes), 0, 0, 0, 0, 0, 0
    )
    file.write(entry + name_bytes)
    file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry) + len(name_bytes), place, 0))
