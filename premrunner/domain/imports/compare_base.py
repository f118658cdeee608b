"""An adapter's base beside what it became: the same questions at temperature 0, so that one without effect is seen."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from premrunner.domain.catalog import passing_name
from premrunner.domain.imports.convert import convert_base
from premrunner.domain.imports.create import create_model, hand_over, stream_of, taste_of
from premrunner.domain.imports.run import ImportRun
from premrunner.errors import EngineRefused, StorageFailed
from premrunner.net.http import Cancellation
from premrunner.records import ChatRequest
from premrunner.weights.errors import WeightsInvalid

QUESTIONS = (
    "Say hello in one short sentence.",
    "Who are you, and what can you do?",
    "Write one sentence about the sea.",
)
# Where two models differ at all, they do so within a sentence.
ANSWER_TOKENS = 24
NO_EFFECT = (
    f"The adapter shows no effect: base and tuned model give the same answers to {len(QUESTIONS)} questions, word for "
    "word. Was it trained to its end, and saved after that?"
)


def compare_with_base(run: ImportRun) -> dict[str, Any]:
    """Return what base and tuned model answer; or, where the base cannot be asked beside it, why not."""
    try:
        with _base_model(run) as base:
            tuned = [_answer(run, run.results["create"]["alias"], question) for question in QUESTIONS]
            plain = [_answer(run, base, question) for question in QUESTIONS]
    except (EngineRefused, StorageFailed, WeightsInvalid) as error:
        return {"notCompared": error.message}
    comparisons = [
        {"question": question, "answer": answer, "baseAnswer": base_answer}
        for question, answer, base_answer in zip(QUESTIONS, tuned, plain, strict=True)
    ]
    return {"baseAnswer": plain[0], "comparisons": comparisons, "hasEffect": tuned != plain}


@contextmanager
def _base_model(run: ImportRun) -> Iterator[str]:
    """Have the base in the engine while the block runs, with the same template and parameters."""
    run.report.say("Asking the base the same.")
    source, name = Path(run.results["base"]["base"]), passing_name(run.id)
    taste = taste_of(run.tools.link.state())
    if source.is_file():  # A blob of the engine's own.
        digest = source.name.removeprefix("sha256-")
    else:
        digest = hand_over(run, stream_of([convert_base(run, source)], taste), stage="prove")
    try:
        create_model(run, name, {"base.gguf": digest}, taste)
        yield name
    finally:
        run.tools.engine.delete(name)
        run.tools.work.drop(run.id, "prove")


def _answer(run: ImportRun, engine_name: str, question: str) -> str:
    options = {"temperature": 0, "seed": 1, "num_predict": ANSWER_TOKENS}
    request = ChatRequest(engine_name, [{"role": "user", "content": question}], options)
    cancellation = Cancellation()
    with (
        run.watch.stopping(cancellation.cancel),
        closing(run.tools.engine.chat(request, cancellation)) as chunks,
    ):
        return "".join((chunk.thinking or "") + (chunk.content or "") for chunk in chunks)
