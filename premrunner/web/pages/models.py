"""The page of models, and how to call them from code."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import Blueprint, render_template, request

from premrunner.domain.catalog import CatalogModel, tagged
from premrunner.web.pages.markdown import highlight
from premrunner.web.pages.setup import known_models
from premrunner.web.services import services

bp = Blueprint("models", __name__)

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

# Of the engine's details of a model, those that people choose by.
DETAILS = (
    ("Family", "family"),
    ("Parameters", "parameter_size"),
    ("Quantization", "quantization_level"),
    ("Context", "context_length"),
)


@dataclass(frozen=True)
class Card:
    """A model as the page shows it.

    Attributes:
        model: The model.
        size_bytes: Bytes on disk; 0 where nobody knows.
        details: Label and value of what the engine knows.
        is_loaded: Whether it is in memory.
        snippets: Title and highlighted code.
    """

    model: CatalogModel
    size_bytes: int
    details: list[tuple[str, str]]
    is_loaded: bool
    snippets: list[tuple[str, str]]


@bp.get("/models")
def show() -> str:
    """Show every model that there is."""
    loaded = {tagged(model.name) for model in services().engine.report().loaded}
    address = request.host_url.rstrip("/")
    cards = [_card(model, loaded, address) for model in known_models()]
    return render_template("models.html", cards=cards, starter=services().starter.progress())


def _card(model: CatalogModel, loaded: set[str], address: str) -> Card:
    known = model.engine_model.details if model.engine_model else {}
    recorded_bytes = model.record.size_bytes if model.record else 0
    return Card(
        model=model,
        size_bytes=model.engine_model.size_bytes if model.engine_model else recorded_bytes,
        details=[(label, _text(known[key])) for label, key in DETAILS if known.get(key)],
        is_loaded=tagged(model.engine_name) in loaded,
        snippets=[(title, _snippet(code, language, address, model.model_id)) for title, language, code in SNIPPETS],
    )


def _text(value: Any) -> str:
    return f"{value:,} tokens" if isinstance(value, int) else str(value)


# Colouring takes a millisecond each, and the page would pay for it again at every visit.
@lru_cache(maxsize=512)
def _snippet(code: str, language: str, address: str, model_id: str) -> str:
    return highlight(code.format(address=address, model=model_id), language)
