"""The real packages, each in an environment of its own, against the running site with the starter model."""

import pytest

from .environments import PARIS, run_pytest, run_python


def calls_of(server, model: str, client: str) -> int:
    """Return how often a program has asked for a model."""
    traces = server.get("/v1/traces?limit=200").json()["traces"]
    return sum(1 for trace in traces if trace["model"] == model and client in trace["client"])


@pytest.fixture(scope="module", params=["openai-1", "openai-2", "openai-3"])
def openai_says(request, live_server) -> dict:
    """What OpenAI's package got, in each of its majors."""
    before = calls_of(live_server, "no-such-model-of-openai", "OpenAI")
    said = run_python(request.param, "openai_client.py", live_server)
    return said | {"calls of an unknown model": calls_of(live_server, "no-such-model-of-openai", "OpenAI") - before}


def test_openais_package_finds_everything_where_it_looks(openai_says):
    assert openai_says["chat"] == {"text": PARIS, "finish_reason": "stop", "total_is_sum": True, "has_request_id": True}
    assert openai_says["stream"] == {"text": PARIS, "role": "assistant", "usage": True, "ids": 1}
    assert set(openai_says["parse"]) == {"city", "country"}
    assert openai_says["completions"] == {"text": PARIS, "streamed": PARIS}
    assert openai_says["embeddings"]["length"] == pytest.approx(1)
    assert openai_says["embeddings"] | {"length": 1} == {
        "count": 2,
        "same": True,
        "short": 8,
        "usage": True,
        "length": 1,
    }
    assert openai_says["models"] == {"listed": True, "retrieved": "smollm2-135m-instruct"}
    assert openai_says["asynchronous"] == {"text": PARIS, "again": "length"}


def test_openais_responses_are_stateless_and_whole(openai_says):
    responses = openai_says["responses"]
    assert [responses[way] for way in ("text", "streamed", "helper")] == [PARIS] * 3
    assert responses["kinds"] == ["response.created", "response.completed"]
    assert responses["numbers"]
    assert responses["cut"] == ["incomplete", "max_output_tokens", 4]
    assert set(responses["parsed"]) == {"city", "country"}


def test_openais_package_raises_the_right_errors_and_tries_none_of_them_again(openai_says):
    assert openai_says["errors"] == {
        "unknown model": ["NotFoundError", 404, "model_not_found", None, True],
        "unknown model, streamed": ["NotFoundError", 404, "model_not_found", None, True],
        "unknown slashed": ["NotFoundError", 404, "model_not_found", None, True],
        "wrong key": ["AuthenticationError", 401, "invalid_api_key", None, True],
        "wrong field": ["BadRequestError", 400, None, "temperature", True],
        "tools": ["BadRequestError", 400, None, "tools", True],
        "token ids": ["BadRequestError", 400, None, "input", True],
        "suffix": ["BadRequestError", 400, None, "suffix", True],
        "stored": ["BadRequestError", 400, None, "previous_response_id", True],
        "deleted": ["NotFoundError", 404, "model_not_found", None, True],
    }
    assert openai_says["calls of an unknown model"] == 1


def test_prems_sdk_accepts_every_answer_by_its_strict_types(live_server):
    before = calls_of(live_server, "no-such-model-of-premai", "PremAI")
    said = run_python("premai", "premai_client.py", live_server)
    assert said["chat"] == {"text": PARIS, "finish_reason": "stop"}
    assert said["stream"] == {"text": PARIS, "raw": True}
    assert said["models"]["listed"]
    assert said["models"]["loaded"] == [True, False, False]
    assert said["errors"] == {
        "unknown": ["NotFoundError", 404, "model_not_found"],
        "unknown up": ["NotFoundError", 404, "model_not_found"],
        "key": ["AuthenticationError", 401, "invalid_api_key"],
        "cloud only": ["NotFoundError", 404, "not_found"],
    }
    assert calls_of(live_server, "no-such-model-of-premai", "PremAI") == before + 1, "a 404 was tried again"


def test_prems_old_package_works_by_its_project_id(live_server):
    assert run_python("premai-legacy", "premai_legacy_client.py", live_server) == {
        "chat": {
            "text": PARIS,
            "provider": ["prem", "prem"],
            "trace_id": 24,
            "default_model": "smollm2-135m-instruct",
        },
        "stream": {"text": PARIS, "finish_reason": "stop"},
        "models": {"listed": "smollm2-135m-instruct", "retrieved": "smollm2-135m-instruct"},
        "embeddings": {"count": 2, "numbers": 576, "provider": "prem"},
        "traces": {"same": True, "model": "smollm2-135m-instruct"},
        "cloud": {"status": 404, "code": "not_found"},
    }


def test_litellm_maps_answers_and_errors(live_server):
    said = run_python("litellm", "litellm_client.py", live_server)
    assert said["chat"] == {"text": PARIS, "tokens": True}
    assert said["stream"] == {"text": PARIS}
    assert said["embedding"] == {"count": 2, "numbers": 576}
    assert said["text"] == {"text": PARIS}
    assert said["errors"] == {
        "unknown": ["NotFoundError", 404],
        "field": ["BadRequestError", 400],
        "key": ["AuthenticationError", 401],
    }


def test_pydantic_ai_finds_nothing_to_refuse(live_server):
    said = run_python("pydantic-ai", "pydantic_ai_client.py", live_server)
    assert said["chat"] == {"text": PARIS, "tokens": True}
    assert said["stream"] == {"text": PARIS, "tokens": True}
    assert set(said["structured"]) == {"city", "country"}
    assert said["responses"] == {"text": PARIS}
    assert said["unknown"] == 404


def test_llama_index_chats_and_completes(live_server):
    said = run_python("llama-index", "llama_index_client.py", live_server)
    assert said == {"chat": PARIS, "stream": PARIS, "complete": PARIS, "stream_complete": PARIS}


def test_instructor_fills_a_class(live_server):
    assert set(run_python("instructor", "instructor_client.py", live_server)) == {"city", "country"}


def test_anthropics_package_talks_to_the_same_models(live_server):
    said = run_python("anthropic", "anthropic_client.py", live_server)
    assert said["message"]["tokens"]
    assert said["stream"] == {"text": PARIS, "final": PARIS, "stop_reason": "end_turn", "tokens": True}
    assert said["bearer"] == {"stop_reason": "max_tokens"}
    assert said["errors"] == {
        "unknown": ["NotFoundError", 404, "not_found_error"],
        "field": ["BadRequestError", 400, "invalid_request_error"],
        "tools": ["BadRequestError", 400, "invalid_request_error"],
        "key": ["AuthenticationError", 401, "authentication_error"],
    }


def test_langchains_standard_suite_passes(live_server):
    # One loop for all its tests, because LangChain keeps one HTTP client for all its models.
    loops = ("asyncio_default_test_loop_scope=session", "asyncio_default_fixture_loop_scope=session")
    assert run_pytest("langchain", "langchain_standard.py", live_server, ("asyncio_mode=auto", *loops)) >= 18
