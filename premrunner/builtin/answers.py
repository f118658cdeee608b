"""One generated answer from the request to its last line: load, ask, translate, count."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from socket import socket
from typing import Any

from premrunner.builtin.prompts import Question
from premrunner.builtin.runners import RunnerPlan
from premrunner.builtin.services import Services
from premrunner.builtin.translate import Delta, whole
from premrunner.net.http import Cancellation


@dataclass(frozen=True)
class Generation:
    """What an answer needs; holds nothing of Flask, for its lines are made after the view has returned.

    Attributes:
        plan: What to load.
        keep_alive_seconds: How long it stays loaded afterwards.
        question: For llama.cpp.
        line: Makes a line out of a piece.
        is_streamed: Whether each piece is a line, or the whole answer one.
        client: The client's socket, None if the server does not show it.
    """

    plan: RunnerPlan
    keep_alive_seconds: float
    question: Question
    line: Callable[[Delta], dict[str, Any]]
    is_streamed: bool
    client: socket | None


def answer_lines(built: Services, wanted: Generation) -> Generator[dict[str, Any], None, None]:
    """Yield an answer's lines; closing this, or the client's leaving, stops the generation.

    Raises:
        Refusal: It cannot be loaded, llama.cpp refused, or the model's process died.
        Cancelled: The client left.
    """
    started_at = time.monotonic_ns()
    cancellation = Cancellation()
    with (
        built.departures.watch(wanted.client, cancellation.cancel),
        built.runners.use(wanted.plan, wanted.keep_alive_seconds, cancellation) as runner,
    ):
        load_duration = time.monotonic_ns() - started_at
        with closing(runner.stream(wanted.question.path, wanted.question.body, cancellation)) as events:
            deltas = wanted.question.deltas(events)
            for delta in deltas if wanted.is_streamed else [whole(deltas)]:
                if delta.done_reason:
                    total_duration = time.monotonic_ns() - started_at
                    delta.counts = {"total_duration": total_duration, "load_duration": load_duration, **delta.counts}
                yield wanted.line(delta)


def load(built: Services, plan: RunnerPlan, keep_alive_seconds: float, client: socket | None) -> None:
    """Load a model.

    Raises:
        Refusal: It cannot be loaded.
        Cancelled: The client left.
    """
    cancellation = Cancellation()
    with (
        built.departures.watch(client, cancellation.cancel),
        built.runners.use(plan, keep_alive_seconds, cancellation),
    ):
        return
