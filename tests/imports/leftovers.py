"""What imports leave behind."""

from pathlib import Path


def leftovers(data_path: Path) -> list[str]:
    """Return what lies in the folders of uploads, work files and the engine's blobs."""
    folders = [data_path / "work", data_path / "uploads", data_path / "engine" / "builtin" / "blobs"]
    return sorted(
        str(path.relative_to(data_path)) for folder in folders for path in folder.rglob("*") if path.is_file()
    )
