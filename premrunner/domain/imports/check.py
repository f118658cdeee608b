"""First stage: is everything here, and if it is an archive, is it an honest one?"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from premrunner.archives.member import Member
from premrunner.archives.names import is_junk
from premrunner.archives.zip_directory import read_zip
from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.run import ImportRun
from premrunner.errors import UploadNotFound

ZIP, GZIP, TAR, PLAIN = "zip", "gzip", "tar", "plain"
# Weights shrink by a third at best; text of a tokenizer by a factor of ten.
EXPANSION_MOST = 100
# Below this nobody is harmed, and a test model of zeros may well shrink a thousandfold.
HARMLESS_BYTES = 64 * 1024 * 1024

_ARCHIVE_NAME = re.compile(r"\.(zip|tar|tgz|tar\.gz|7z|rar)$", re.IGNORECASE)
_OTHER_ARCHIVES = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xfd7zXZ\x00", "packed with xz"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
    (b"BZh", "packed with bzip2"),
)


def check(run: ImportRun) -> dict[str, Any]:
    """Find out what form the upload has, and check an archive's directory before anything is made of it.

    Raises:
        ImportRefused: It is packed in a way that is not read, or would fill any disk.
        ArchiveRefused: The archive is damaged or dangerous.
        UploadNotFound: Its bytes are gone.
    """
    run.report.begin("check", "Checking what was uploaded.")
    stored = run.tools.uploads.stored(run.upload)
    for path, file in zip(stored, run.upload.files, strict=True):
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            raise UploadNotFound
    form = form_of(stored[0]) if len(stored) == 1 else PLAIN
    if form == ZIP:
        members = read_zip(stored[0], run.watch.check)
        _check_expansion(members, stored[0].stat().st_size)
        refuse_nested([member.name for member in members if not is_junk(member.name)])
    return {"form": form}


def form_of(path: Path) -> str:
    """Return how a lone file is packed, by its content.

    Raises:
        ImportRefused: In a way that is not read.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return ZIP
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head[257:262] == b"ustar":
        return TAR
    for magic, what in _OTHER_ARCHIVES:
        if head.startswith(magic):
            raise ImportRefused(f"The file is {what}, which is not read here.", "Pack the folder as a ZIP.")
    return PLAIN


def refuse_nested(names: Sequence[str]) -> None:
    """Return if there are other files than archives.

    Raises:
        ImportRefused: There is nothing at all, or an archive in the archive and no model beside it.
    """
    if not names:
        raise ImportRefused("The archive is empty.", "Pack the folder with the model in it.")
    if all(_ARCHIVE_NAME.search(name) for name in names):
        raise ImportRefused(
            f"The archive holds another archive, {names[0].rsplit('/', 1)[-1][:100]!r}, and no model.",
            "Unpack it once, and upload the inner one.",
        )


def _check_expansion(members: Sequence[Member], archive_bytes: int) -> None:
    check_expanded(sum(member.size_bytes for member in members), archive_bytes)


def check_expanded(unpacked_bytes: int, archive_bytes: int) -> None:
    """Return if an archive does not grow as only a bomb does.

    Raises:
        ImportRefused: It does.
    """
    if unpacked_bytes > HARMLESS_BYTES and unpacked_bytes > archive_bytes * EXPANSION_MOST:
        raise ImportRefused(
            f"The archive of {archive_bytes} bytes would become more than {unpacked_bytes} bytes: "
            f"over {EXPANSION_MOST} times as many, which weights never do.",
            "Pack the model's own folder.",
        )
