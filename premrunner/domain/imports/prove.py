"""Last stage: the model answers a short question through the path of users' chats, or it is not ready."""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from premrunner.domain.catalog import tagged
from premrunner.domain.chat import Answer, ChatCall
from premrunner.domain.imports.chat_templates import TEMPLATE_TOKEN
from premrunner.domain.imports.compare_base import NO_EFFECT, compare_with_base
from premrunner.domain.imports.create import create_model, known, taste_of
from premrunner.domain.imports.failures import NotProven
from premrunner.domain.imports.run import ImportRun
from premrunner.errors import EngineRefused
from premrunner.records import Caller, ChatRequest, EmbeddingRequest, new_id

QUESTION = "Say hello in one short sentence."
# A greeting takes ten tokens, a thinking model's thoughts before it a few hundred.
LONGEST_ANSWER_TOKENS = 512
LONGEST_KEPT = 2000
# The engine's words for a model that no program of this machine can hold.
_TOO_LARGE = ("out of memory", "requires more system memory", "failed to allocate", "unable to allocate")


def prove(run: ImportRun) -> dict[str, Any]:
    """Load the model, have it answer, and return how it did.

    Raises:
        NotProven: It does not answer, does not stop by itself, or shows the frame of its chats.
        EngineError: The engine failed.
    """
    run.report.begin("prove", "Loading the model and asking it something.")
    alias = run.results["create"]["alias"]
    proof = _prove_embedding(run, alias) if known(run).get("isEmbedding") else _prove_chat(run, alias)
    proof |= {"memoryBytes": _memory_bytes(run, alias), "at": datetime.now(timezone.utc).isoformat()}
    if known(run)["kind"] == "adapter":
        proof |= compare_with_base(run)
        if proof.get("hasEffect") is False:
            _warn(run, NO_EFFECT)
    run.tools.models.change(run.id, proof=proof, downloaded=True)
    run.report.finish("It answers.")
    return proof


def _warn(run: ImportRun, warning: str) -> None:
    model = run.tools.models.find(run.id)
    if model is not None:
        warnings = [*model.findings.get("warnings", []), warning]
        run.tools.models.change(run.id, findings={**model.findings, "warnings": warnings})


def _prove_chat(run: ImportRun, alias: str) -> dict[str, Any]:
    answer = _ask_for_words(run, alias)
    if tokens := sorted(set(TEMPLATE_TOKEN.findall(answer.text))):
        # Training taught it to end so, and its file does not say that this is the end.
        _add_stops(run, alias, tokens)
        answer = _ask_for_words(run, alias)
    _judge(run, answer)
    usage = answer.usage
    return {
        "question": QUESTION,
        "answer": answer.text[:LONGEST_KEPT],
        "thinking": answer.thought[:LONGEST_KEPT],
        "tokensPerSecond": usage.tokens_per_second,
        "loadMs": usage.load_ms,
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "stopsByItself": answer.finish_reason == "stop",
        "addedStops": tokens,
    }


def _ask_for_words(run: ImportRun, alias: str) -> Answer:
    messages = [{"role": "user", "content": QUESTION}]
    options: dict[str, Any] = {"temperature": 0}
    if "num_predict" not in run.options.parameters:
        options["num_predict"] = LONGEST_ANSWER_TOKENS
    return _ask(run, ChatCall(ChatRequest(alias, messages, options), messages, parameters=options))


def _ask(run: ImportRun, call: ChatCall) -> Answer:
    """Have the model answer as users' calls do, its trace included."""
    caller = Caller(request_id=new_id(), endpoint="import", client="PremRunner")
    chat = run.tools.chat.open(call, caller)
    try:
        with run.tools.catalog.on_trial(run.id), run.watch.stopping(chat.cancel):
            return run.tools.chat.complete(chat)
    except EngineRefused as error:
        if any(words in error.message.lower() for words in _TOO_LARGE):
            raise NotProven(
                f"The model does not fit into this machine's memory: {error.message}",
                "Import it in a smaller quantization, or with a shorter context (num_ctx).",
            ) from error
        raise NotProven(
            f"The engine could not run the model: {error.message}",
            "Its log says more (DATA_PATH/logs). A newer engine may know this kind of model.",
        ) from error
    finally:
        chat.close()


def _judge(run: ImportRun, answer: Answer) -> None:
    if not answer.text.strip() and not answer.thought.strip():
        raise NotProven(
            "The model answered with nothing.", "Set the chat template that it was trained with, and try again."
        )
    if tokens := TEMPLATE_TOKEN.findall(answer.text):
        raise NotProven(
            f"The answer shows the frame of the chat ({tokens[0]}).",
            "Set the chat template that it was trained with, and try again.",
        )
    is_bounded = "num_predict" in run.options.parameters
    # Without a template it was trained to go on with texts, and never saw an end of its turn.
    has_template = bool(run.options.template or known(run).get("chatTemplate"))
    if answer.finish_reason != "stop" and has_template and not is_bounded:
        raise NotProven(
            f"The model did not stop by itself within {LONGEST_ANSWER_TOKENS} tokens.",
            "Set the text at which its answers end (parameters.stop), or bound them (parameters.num_predict).",
        )


def _add_stops(run: ImportRun, alias: str, tokens: list[str]) -> None:
    stops = run.options.parameters.get("stop") or []
    stops = [stops] if isinstance(stops, str) else list(stops)
    parameters = {**run.options.parameters, "stop": [*stops, *tokens]}
    run.record = replace(run.record, options=replace(run.options, parameters=parameters))
    run.report.say(f"Its answers end with {tokens[0]}, which is now a stop.")
    run.tools.models.change(run.id, options=_kept_options(run))
    create_model(run, alias, run.results["create"]["files"], taste_of(run.tools.link.state()))


def _kept_options(run: ImportRun) -> dict[str, Any]:
    options = run.options
    return {"system": options.system, "template": options.template, "parameters": dict(options.parameters)}


def _prove_embedding(run: ImportRun, alias: str) -> dict[str, Any]:
    vectors = _ask(run, ChatCall(EmbeddingRequest(alias, [QUESTION]), [QUESTION])).vectors
    if not vectors or not any(vectors[0]):
        raise NotProven("The model gave no vector.", "Upload it as a model for chats, or another file.")
    return {"question": QUESTION, "answer": "", "dimensions": len(vectors[0])}


def _memory_bytes(run: ImportRun, alias: str) -> int:
    loaded = [model for model in run.tools.engine.loaded() if tagged(model.name) == tagged(alias)]
    return loaded[0].size_bytes if loaded else 0
