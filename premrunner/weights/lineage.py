"""Where a GGUF file came from, written into the file itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gguf import GGUFValueType

from premrunner import __version__
from premrunner.weights.metadata import Entry

_STRING, _UINT32 = GGUFValueType.STRING, GGUFValueType.UINT32


@dataclass(frozen=True)
class SourceFile:
    """A file that a conversion was made from.

    Attributes:
        role: ``model``, ``base`` or ``adapter``.
        sha256: In hexadecimal.
    """

    role: str
    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Lineage:
    """What a model was made from, and how.

    Attributes:
        sources: Every file that was read, with its digest.
        base_model_name: What the adapter calls its base, where there is an adapter.
        options: What was asked for; the same sources, options and version give the same bytes.
        version: PremRunner's.
    """

    sources: tuple[SourceFile, ...]
    base_model_name: str | None
    options: Mapping[str, str]
    version: str = __version__

    def entries(self) -> list[Entry]:
        """Give the keys. GGUF has ``general.base_model.*`` for the base and nothing for digests."""
        entries = [
            Entry("premrunner.version", _STRING, self.version),
            Entry("premrunner.options", _STRING, json.dumps(dict(sorted(self.options.items())))),
        ]
        for role in ("model", "base", "adapter"):
            files = [file for file in self.sources if file.role == role]
            if files:
                entries.append(Entry(f"premrunner.{role}.files", _STRING, [file.name for file in files]))
                entries.append(Entry(f"premrunner.{role}.sha256", _STRING, [file.sha256 for file in files]))
        return [*entries, *self._base_entries()]

    def _base_entries(self) -> list[Entry]:
        if not self.base_model_name:
            return []
        organization, _, name = self.base_model_name.rpartition("/")
        entries = [
            Entry("general.base_model.count", _UINT32, 1),
            Entry("general.base_model.0.name", _STRING, name),
        ]
        if organization and "/" not in organization:
            entries.append(Entry("general.base_model.0.organization", _STRING, organization))
            repository = f"https://huggingface.co/{self.base_model_name}"
            entries.append(Entry("general.base_model.0.repo_url", _STRING, repository))
        return entries


def source_names(sources: Sequence[SourceFile]) -> str:
    """Name the files in one line, for a log or a page."""
    return ", ".join(f"{file.role}/{file.name}" for file in sources)
