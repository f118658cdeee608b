"""Model names: ``[host/][namespace/]model[:tag]``, read and shown as Ollama does (``types/model/name.go``)."""

import re
from dataclasses import dataclass

from premrunner.builtin.refusals import Refusal

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)
_MODEL_OR_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)


@dataclass(frozen=True)
class ModelName:
    """A complete name, each part as the caller spelled it."""

    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Read a name and fill in what it leaves out.

        Raises:
            Refusal: ``invalid model name``.
        """
        *owners, last = text.split("/")
        model, colon, tag = last.partition(":")
        if len(owners) > 2 or (colon and not tag):
            raise Refusal("invalid model name")
        namespace = owners[-1] if owners else DEFAULT_NAMESPACE
        host = owners[0] if len(owners) == 2 else DEFAULT_HOST
        name = cls(host, namespace, model, tag or DEFAULT_TAG)
        if not name._is_valid():
            raise Refusal("invalid model name")
        return name

    def _is_valid(self) -> bool:
        return bool(
            _HOST.fullmatch(self.host)
            and _NAMESPACE.fullmatch(self.namespace)
            and _MODEL_OR_TAG.fullmatch(self.model)
            and _MODEL_OR_TAG.fullmatch(self.tag)
        )

    @property
    def full(self) -> str:
        """All four parts, as Ollama names a model when it lacks an ability."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def key(self) -> str:
        """What two spellings of one name have in common: lookups fold case."""
        return str(self).lower()

    def __str__(self) -> str:
        shown = f"{self.model}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{shown}"
        return shown if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{shown}"
