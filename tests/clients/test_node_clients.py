"""The JavaScript packages, where there is a node to run them."""

from .environments import PARIS, run_node


def test_openais_javascript_package_works(live_server):
    assert run_node("openai_client.mjs", live_server) == {
        "chat": PARIS,
        "request_id": True,
        "streamed": PARIS,
        "embedding": [2, 576],
        "response": PARIS,
        "events": PARIS,
        "listed": True,
        "unknown": ["NotFoundError", 404, "model_not_found"],
        "field": ["BadRequestError", 400, None],
        "key": ["AuthenticationError", 401, "invalid_api_key"],
    }


def test_prems_old_javascript_package_sees_the_end_of_every_stream(live_server):
    assert run_node("prem_sdk.mjs", live_server) == {
        "chat": PARIS,
        "provider": "prem",
        "streams": [PARIS] * 3,
        "cloud": "not_found",
    }
