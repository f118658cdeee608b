"""Conversations as templates show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from premrunner.domain.catalog import CatalogModel, tagged
from premrunner.domain.conversations.conversations import Branch
from premrunner.records import ChatMessage
from premrunner.web.pages.formats import duration_text
from premrunner.web.pages.markdown import render
from premrunner.web.services import services

# Rendering takes a millisecond for two thousand characters, and a conversation is read again and again.
cached_html = lru_cache(maxsize=1024)(render)


@dataclass(frozen=True)
class MessageView:
    """A message as a page shows it.

    Attributes:
        html: An answer's text, safe to show.
        speaker: What people call the model.
        versions: Its own id and those of its other versions, oldest first.
    """

    message: ChatMessage
    html: str = ""
    speaker: str = ""
    versions: Sequence[str] = field(default_factory=tuple)

    @property
    def number(self) -> int:
        """Which version it is, from 1."""
        return list(self.versions).index(self.message.id) + 1 if self.message.id in self.versions else 1

    @property
    def before(self) -> str:
        """Id of the version before it; empty for the first."""
        return self.versions[self.number - 2] if self.number > 1 else ""

    @property
    def after(self) -> str:
        """Id of the version after it; empty for the last."""
        return self.versions[self.number] if self.number < len(self.versions) else ""

    @property
    def thought(self) -> str:
        """What stands above the folded thinking."""
        if self.message.thinking_ms is not None:
            return f"Thought for {duration_text(self.message.thinking_ms)}"
        return "Thinking…" if self.message.is_running else "Thinking"

    @property
    def facts(self) -> Sequence[str]:
        """How the answer ended, and its numbers."""
        message = self.message
        shown = {
            "Stopped": message.status == "stopped",
            "Interrupted": message.status == "interrupted",
            "Cut at the token limit": message.finish_reason == "length",
            f"{message.completion_tokens} tokens": message.completion_tokens,
            f"{message.tokens_per_second or 0:.1f} tokens/s": message.tokens_per_second,
            f"first token {duration_text(message.ttft_ms or 0)}": message.ttft_ms,
        }
        return [text for text, is_shown in shown.items() if is_shown]

    @property
    def context_tokens(self) -> int:
        """How much of the model's context the conversation took when this was said."""
        return self.message.prompt_tokens + self.message.completion_tokens

    @property
    def can_continue(self) -> bool:
        """Whether the answer was cut and can be gone on with."""
        is_cut = self.message.status in ("stopped", "interrupted") or self.message.finish_reason == "length"
        return is_cut and bool(self.message.content)


def branch_views(branch: Branch) -> list[MessageView]:
    """Return the messages of a branch."""
    names = speakers()
    return [view_of(message, branch.versions.get(message.id, ()), names) for message in branch.messages]


def view_of(message: ChatMessage, versions: Sequence[str], names: Mapping[str, str]) -> MessageView:
    """Return one message.

    Args:
        message: It.
        versions: As in `MessageView`; a lone message needs none.
        names: What people call models, by the names that programs use.
    """
    draw = render if message.is_running else cached_html
    html = draw(message.content) if message.role == "assistant" else ""
    return MessageView(message, html, names.get(tagged(message.model), message.model), versions)


def speakers() -> dict[str, str]:
    """Return what people call models, by the names that programs use."""
    return {tagged(model.model_id): model.name for model in services().catalog.known()}


@dataclass(frozen=True)
class ModelChoice:
    """A model as the picker offers it.

    Attributes:
        state: ``loaded``, ``ready`` or ``missing``.
        about: Size and the like.
        can_see: Whether it looks at pictures.
        can_think: Whether it thinks before it answers.
    """

    model: CatalogModel
    state: str
    about: str
    can_see: bool
    can_think: bool


def model_choices(models: Sequence[CatalogModel]) -> list[ModelChoice]:
    """Return the models to choose from, those that can be asked first."""
    loaded = {tagged(model.name) for model in services().engine.report().loaded}
    choices = [_choice(model, loaded) for model in models]
    return sorted(choices, key=lambda choice: choice.state == "missing")


def _choice(model: CatalogModel, loaded: set[str]) -> ModelChoice:
    is_loaded = tagged(model.engine_name) in loaded
    capabilities = services().catalog.capabilities(model) if model.is_ready else ()
    details: Mapping[str, Any] = model.engine_model.details if model.engine_model else {}
    about = [str(details[name]) for name in ("parameter_size", "quantization_level") if details.get(name)]
    return ModelChoice(
        model=model,
        state="missing" if not model.is_ready else "loaded" if is_loaded else "ready",
        about=" · ".join(about),
        can_see="vision" in capabilities,
        can_think="thinking" in capabilities,
    )
