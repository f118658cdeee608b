"""Which names members of an archive may have: plain relative paths, no two of them the same on any disk."""

import unicodedata

from premrunner.archives.errors import ArchiveRefused

# A sharded model with its tokenizer has a hundred files.
MEMBERS_MOST = 2_000
LONGEST_NAME_BYTES = 1024
LONGEST_PART_BYTES = 255
DEEPEST = 32
# Cc: control characters with newline and NUL; Cs: halves of characters.
_UNWRITABLE = {"Cc", "Cs"}
# What systems and tools put beside a model without anybody's wish.
_JUNK_FOLDERS = {"__macosx", ".git", ".cache", "__pycache__", ".ipynb_checkpoints"}
_JUNK_FILES = {".ds_store", "thumbs.db", "desktop.ini", ".gitattributes", ".gitignore"}


def checked_name(raw: str) -> str:
    """Return a member's name with plain slashes.

    Raises:
        ArchiveRefused: It is absolute, leads out of its folder, or no disk can keep it.
    """
    name = raw.replace("\\", "/")  # Old Windows tools write backslashes, against the format.
    shown = repr(raw[:100])
    if any(unicodedata.category(character) in _UNWRITABLE for character in name):
        raise ArchiveRefused(f"The archive has a member whose name cannot be shown: {shown}.")
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or ":" in parts[0][:2]:
        raise ArchiveRefused(f"The archive has a member with an absolute path: {shown}. Pack the folder again.")
    if ".." in parts:
        raise ArchiveRefused(f"The archive has a member that leads out of its folder: {shown}.")
    parts = [part for part in parts if part != "."]
    if "" in parts or not parts:
        raise ArchiveRefused(f"The archive has a member without a name: {shown}.")
    if len(name.encode()) > LONGEST_NAME_BYTES or any(len(part.encode()) > LONGEST_PART_BYTES for part in parts):
        raise ArchiveRefused(f"The archive has a member whose name is too long: {shown}…")
    if len(parts) > DEEPEST:
        raise ArchiveRefused(f"The archive has folders more than {DEEPEST} deep: {shown}…")
    return "/".join(parts)


def is_junk(name: str) -> bool:
    """Tell whether a file is what a system or a tool left beside the model."""
    *folders, file_name = name.lower().split("/")
    return bool(_JUNK_FOLDERS & set(folders)) or file_name in _JUNK_FILES or file_name.startswith("._")


class DistinctNames:
    """Names of an archive's files, no two of which are the same, or a file and a folder, on any disk."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: set[str] = set()

    def add(self, name: str) -> None:
        """Take one more; a folder's ends with a slash.

        Raises:
            ArchiveRefused: It is one of those before, be it only by upper and lower case.
        """
        key = folded(name)
        parts = key.split("/")
        folders = {"/".join(parts[:length]) for length in range(1, len(parts))}
        if key in self._folders or any(folder in self._files for folder in folders):
            raise ArchiveRefused(f"The archive has a file where {name[:100]!r} needs a folder, or the other way round.")
        self._folders |= folders
        if name.endswith("/"):
            return
        other = self._files.setdefault(key, name)
        if other is not name:
            how = "twice" if other == name else f"beside {other[:100]!r}, which some disks take for the same"
            raise ArchiveRefused(f"The archive has the member {name[:100]!r} {how}.")


def folded(name: str) -> str:
    """Return what a disk that ignores case takes a name for."""
    return unicodedata.normalize("NFC", name).casefold()
