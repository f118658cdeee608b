"""Files that have the name of weights and are something else, told by their first bytes."""

import re
from collections.abc import Sequence

from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.material import SourceFile

_EXPORT = (
    "Export it as safetensors where it was trained: "
    "model.save_pretrained(folder, safe_serialization=True), tokenizer.save_pretrained(folder). Then upload the folder."
)
_PICKLE_NAME = re.compile(r"\.(bin|pt|pth|pkl|pickle|ckpt)$", re.IGNORECASE)
_WEIGHTS_NAME = re.compile(r"\.(safetensors|gguf)$", re.IGNORECASE)
_FOREIGN = (
    (re.compile(r"\.onnx$", re.IGNORECASE), "an ONNX file"),
    (re.compile(r"\.(h5|keras)$", re.IGNORECASE), "a Keras file"),
    (re.compile(r"\.tflite$", re.IGNORECASE), "a TensorFlow Lite file"),
    (re.compile(r"\.(npz|npy)$", re.IGNORECASE), "a NumPy file"),
    (re.compile(r"\.msgpack$", re.IGNORECASE), "a Flax file"),
    (re.compile(r"(^|\.)ggml[^/]*\.bin$", re.IGNORECASE), "a GGML file, which came before GGUF"),
)
_LFS = b"version https://git-lfs"
_PAGE = re.compile(rb"\s*<(!doctype|html|head|\?xml|script|body)", re.IGNORECASE)
_OLD_GGML = (b"lmgg", b"tjgg", b"fmgg", b"algg")
_HEAD_BYTES = 256


def refuse_impostors(files: Sequence[SourceFile]) -> None:
    """Return if what is called weights may be some.

    Raises:
        ImportRefused: A file is a Git-LFS pointer, a web page, or weights of a kind that is unsafe or not read.
    """
    for file in files:
        if _WEIGHTS_NAME.search(file.name) or len(files) == 1:
            _refuse_impostor(file)


def refuse_without_weights(files: Sequence[SourceFile]) -> None:
    """Say what is there instead of weights.

    Raises:
        ImportRefused: In every case.
    """
    for file in files:
        if _PICKLE_NAME.search(file.name) or file.head(2) == b"\x80\x02":
            raise ImportRefused(
                f"{file.file_name} is a Python pickle. It runs code when it is opened, so it is not read.", _EXPORT
            )
        for pattern, what in _FOREIGN:
            if pattern.search(file.name):
                raise ImportRefused(f"{file.file_name} is {what}, which is not read here.", _EXPORT)
    names = ", ".join(file.file_name[:60] for file in files[:5])
    raise ImportRefused(
        f"There is no model in it; it holds {names}{' and more' if len(files) > 5 else ''}.",
        "A model is a .gguf file, or a folder with config.json, *.safetensors and the tokenizer's files.",
    )


def _refuse_impostor(file: SourceFile) -> None:
    head = file.head(_HEAD_BYTES)
    name = file.file_name
    if not head:
        raise ImportRefused(f"{name} is empty.", "It was probably not copied to its end. Upload it again.")
    if head.startswith(_LFS):
        raise ImportRefused(
            f"{name} is a Git-LFS pointer of {file.size_bytes} bytes, not the weights.",
            "Run `git lfs pull` in the folder, and upload it again.",
        )
    if _PAGE.match(head):
        raise ImportRefused(
            f"{name} is a web page saved under the name of weights, probably a login or an error page.",
            "Download the file again, signed in.",
        )
    if head[:4] in _OLD_GGML:
        raise ImportRefused(f"{name} is a GGML file, which came before GGUF.", "Download or export it as GGUF.")
    if head.startswith(b"FUGG"):
        raise ImportRefused(f"{name} is a GGUF for big-endian machines.", "Upload the little-endian file.")
