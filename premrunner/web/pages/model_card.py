"""A model as the pages show it: on a card of the list, and on its own page."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from premrunner.domain.catalog import CatalogModel, tagged
from premrunner.web.pages.markdown import highlight

CURL = """\
curl {address}/v1/chat/completions \\
  -H "Authorization: Bearer $PREMRUNNER_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""
OPENAI = """\
from openai import OpenAI

client = OpenAI(base_url="{address}/v1", api_key="YOUR_TOKEN")
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(answer.choices[0].message.content)
"""
PREM = """\
from premai import PremAI

client = PremAI(base_url="{address}", api_key="YOUR_TOKEN")
answer = client.chat.completions(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(answer.choices[0].message.content)
"""
SNIPPETS = (("curl", "bash", CURL), ("OpenAI SDK", "python", OPENAI), ("Prem SDK", "python", PREM))

# Of the engine's details of a model, those that people choose by, and what the import found where the engine is silent.
DETAILS = (
    ("Architecture", "family", "architecture"),
    ("Parameters", "parameter_size", ""),
    ("Quantization", "quantization_level", "quantization"),
    ("Context", "context_length", "contextLength"),
)


@dataclass(frozen=True)
class Card:
    """A model as a page shows it.

    Attributes:
        size_bytes: Bytes on disk; 0 where nobody knows.
        details: Label and value of what is known.
        is_loaded: Whether it is in memory.
    """

    model: CatalogModel
    size_bytes: int
    details: list[tuple[str, str]]
    is_loaded: bool

    @property
    def findings(self) -> Mapping[str, Any]:
        """What its import found; empty for one that no import brought."""
        return self.model.record.findings if self.model.record else {}

    @property
    def proof(self) -> Mapping[str, Any]:
        """How it answered when it was new."""
        return self.model.record.proof if self.model.record else {}

    @property
    def options(self) -> Mapping[str, Any]:
        """What its owner wants of it."""
        return self.model.record.options if self.model.record else {}

    @property
    def base_name(self) -> str:
        """The model that its adapter was trained on; empty where there is none."""
        return str(self.findings.get("baseModelName") or "")


def card_of(model: CatalogModel, loaded: set[str]) -> Card:
    """Return a model's card.

    Args:
        model: The model.
        loaded: Tagged names of those in memory.
    """
    known = model.engine_model.details if model.engine_model else {}
    record = model.record
    found = record.findings if record else {}
    values = [(label, known.get(key) or found.get(other)) for label, key, other in DETAILS]
    return Card(
        model=model,
        size_bytes=model.engine_model.size_bytes if model.engine_model else record.size_bytes if record else 0,
        details=[(label, _text(value)) for label, value in values if value],
        is_loaded=tagged(model.engine_name) in loaded,
    )


def snippets_of(model: CatalogModel, address: str) -> list[tuple[str, str]]:
    """Return how to call a model: title and coloured code of each client."""
    return [(title, _snippet(code, language, address, model.model_id)) for title, language, code in SNIPPETS]


def _text(value: Any) -> str:
    return f"{value:,} tokens" if isinstance(value, int) else str(value)


# Colouring takes a millisecond each, and the page would pay for it again at every visit.
@lru_cache(maxsize=512)
def _snippet(code: str, language: str, address: str, model_id: str) -> str:
    return highlight(code.format(address=address, model=model_id), language)
