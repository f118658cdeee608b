"""The recorded calls by the API: filters, feedback, exports, figures, deletion."""

import csv
import io
import json
import time

import orjson
import pytest

from premrunner.domain.chat import ChatCall
from premrunner.domain.spoken import searchable
from premrunner.domain.trace_retention import Keeping
from premrunner.records import Caller, ChatRequest, TraceFinished, Usage, new_id

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "What is the capital of France?"},
]


@pytest.fixture
def services(app):
    return app.extensions["premrunner"]


@pytest.fixture
def record(services):
    def record_call(sent=TALK, *, model="m", endpoint="/v1/chat/completions", parameters=None, **ended) -> str:
        time.sleep(0.002)  # An id sorts by its millisecond.
        trace_id = new_id()
        call = ChatCall(ChatRequest(model, []), sent, parameters or {"model": model})
        services.tracing.begin(call, Caller(trace_id, endpoint))
        ending = {"status": "ok", "output": "Lyon.", "usage": Usage(12, 3), "duration_ms": 400.0}
        ending |= {"said": searchable(sent, "Lyon.")} | ended
        services.tracing.finish(TraceFinished(trace_id, **ending))
        return trace_id

    return record_call


def ids(answer):
    return [trace["id"] for trace in answer.json["traces"]]


def export(api, name, **query):
    answer = api.get("/v1/traces/export", query_string={"format": name, **query})
    assert answer.status_code == 200
    assert f'filename="traces-{name}-' in answer.headers["Content-Disposition"]
    return answer.data.decode()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_the_originals_pages_keep_working(api, record):
    calls = [record() for _ in range(5)][::-1]
    answer = api.get("/v1/traces?page=2&limit=2")
    assert ids(answer) == calls[2:4]
    assert {name: answer.json[name] for name in ("total", "page", "limit", "pages")} == {
        "total": 5,
        "page": 2,
        "limit": 2,
        "pages": 3,
    }


def test_pages_of_a_filter_are_followed_by_next_and_previous(api, record):
    calls = [record(model="a") for _ in range(5)][::-1]
    record(model="b")
    first = api.get("/v1/traces?model=a&limit=2")
    assert (ids(first), first.json["total"], first.json["previous"]) == (calls[:2], 5, None)
    second = api.get(f"/v1/traces?model=a&limit=2&before={first.json['next']}")
    assert ids(second) == calls[2:4]
    assert ids(api.get(f"/v1/traces?model=a&limit=2&after={second.json['previous']}")) == calls[:2]
    assert api.get("/v1/traces?model=a&page=2").json["error"]["param"] == "page"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("status=fine", "status"),
        ("range=1w", "range"),
        ("range=999999d", "range"),
        ("since=soon", "since"),
        ("until=9999-12-31", "until"),
        ("q=" + "x" * 501, "q"),
        ("feedback=love", "feedback"),
        ("before=1&after=2", "after"),
    ],
)
def test_a_wrong_filter_is_named(api, query, param):
    for path in ("/v1/traces", "/v1/traces/export?format=csv&"):
        answer = api.get(f"{path}{'' if '?' in path else '?'}{query}")
        if param != "after" or path == "/v1/traces":
            assert (answer.status_code, answer.json["error"]["param"]) == (400, param)


def test_feedback_is_kept_field_by_field(api, record):
    trace_id = record()
    assert api.patch(f"/v1/traces/{trace_id}", json={"rating": -1, "note": "no"}).status_code == 200
    answer = api.patch(f"/v1/traces/{trace_id}", json={"correction": "Paris."})
    assert answer.json["feedback"] == {"rating": -1, "note": "no", "correction": "Paris."}
    assert ids(api.get("/v1/traces?feedback=corrected")) == [trace_id]
    assert api.patch(f"/v1/traces/{trace_id}", json={"rating": 5}).json["error"]["param"] == "rating"
    assert api.patch(f"/v1/traces/{trace_id}", json={"note": "x" * 100_001}).json["error"]["param"] == "note"
    assert api.patch("/v1/traces/nothing", json={"rating": 1}).status_code == 404


def test_training_data_takes_corrections_and_leaves_bad_answers_out(api, record):
    corrected, bad, plain = record(), record(), record()
    record(status="error", output="half")
    record(["a text"], endpoint="/v1/embeddings", output="")
    api.patch(f"/v1/traces/{corrected}", json={"correction": "Paris.", "rating": -1})
    api.patch(f"/v1/traces/{bad}", json={"rating": -1})
    answer = {"role": "assistant", "content": "Paris."}
    assert lines(export(api, "openai")) == [
        {"messages": [*TALK, {"role": "assistant", "content": "Lyon."}]},
        {"messages": [*TALK, answer]},
    ]
    assert lines(export(api, "openai", feedback="corrected")) == [{"messages": [*TALK, answer]}]
    assert lines(export(api, "preference")) == [
        {"prompt": TALK, "chosen": [answer], "rejected": [{"role": "assistant", "content": "Lyon."}]}
    ]
    assert lines(export(api, "alpaca"))[1] == {
        "instruction": "What is the capital of France?",
        "input": "",
        "output": "Paris.",
        "system": "Be brief.",
        "history": [["Hi", "Hello."]],
    }
    assert [line["id"] for line in lines(export(api, "jsonl"))][2:] == [plain, bad, corrected]


def test_tools_are_part_of_the_training_data(api, record):
    tools = [{"type": "function", "function": {"name": "zoom"}}]
    made = orjson.dumps([{"function": {"name": "zoom", "arguments": {"by": 2}}}]).decode()
    record(parameters={"model": "m", "tools": tools}, output="", tool_calls=made)
    [line] = lines(export(api, "openai"))
    assert line["tools"] == tools
    assert line["messages"][-1]["tool_calls"] == [
        {"id": "call_0", "type": "function", "function": {"name": "zoom", "arguments": '{"by":2}'}}
    ]


def test_tables_run_no_formula_and_lists_are_json(api, record):
    record("=1+1", output='one\n"two"')
    [row] = csv.DictReader(io.StringIO(export(api, "csv")))
    assert (row["output"], row["input"]) == ('one\n"two"', '"=1+1"')
    record(error="=cmd()", status="error")
    assert next(csv.DictReader(io.StringIO(export(api, "csv"))))["error"] == "'=cmd()"
    assert [one["output"] for one in json.loads(export(api, "json"))] == ["Lyon.", 'one\n"two"']
    assert json.loads(export(api, "json", model="nobody")) == []


def test_an_export_goes_on_over_many_pieces(api, record):
    calls = [record() for _ in range(120)][::-1]
    assert [line["id"] for line in lines(export(api, "jsonl"))] == calls


def test_figures_are_over_time_and_in_sum(api, record):
    for _ in range(3):
        record(duration_ms=400)
    record(status="error", output="", duration_ms=5, usage=Usage())
    found = api.get("/v1/traces/stats").json
    assert found["columnSeconds"] == 300
    assert sum(column["calls"] for column in found["columns"]) == 4
    total = found["total"]
    assert {name: total[name] for name in ("calls", "failed", "promptTokens", "completionTokens")} == {
        "calls": 4,
        "failed": 1,
        "promptTokens": 36,
        "completionTokens": 9,
    }
    assert 360 < total["p50Ms"] <= total["p95Ms"] < 520
    assert api.get("/v1/traces/stats?status=error").json["total"]["p50Ms"] is None
    assert api.get("/v1/traces/stats?range=30d").json["columnSeconds"] == 86400


def test_what_a_filter_means_is_deleted_and_everything_only_by_name(api, record):
    calls = [record(model=model) for model in ("a", "a", "b")]
    assert api.delete("/v1/traces").json["error"]["param"] == "all"
    assert api.delete("/v1/traces?model=a").json == {"deleted": 2}
    assert ids(api.get("/v1/traces")) == [calls[2]]
    assert api.delete(f"/v1/traces/{calls[2]}").json == {"deleted": 1}
    assert api.delete(f"/v1/traces/{calls[2]}").status_code == 404
    record()
    assert api.delete("/v1/traces?all=true").json == {"deleted": 1}
    assert api.get("/v1/traces/stats").json["total"]["calls"] == 0


def test_the_worker_deletes_what_is_outdated_and_keeps_what_is_judged(api, services, record):
    calls = [record() for _ in range(6)]
    api.patch(f"/v1/traces/{calls[0]}", json={"note": "keep"})
    retention = services.trace_retention
    assert retention.apply() == 0
    retention.keep(Keeping(count=2))
    assert retention.kept().outdated == retention.apply() == 3
    assert ids(api.get("/v1/traces")) == [calls[5], calls[4], calls[0]]
    retention.keep(Keeping(days=1))
    assert retention.kept().outdated == retention.apply() == 0


def test_a_key_may_not_read_or_change_traces(client, services, record):
    trace_id = record()
    secret = services.keys.create("app", models=(), requests_per_minute=None, tokens_per_day=None).secret
    headers = {"Authorization": f"Bearer {secret}"}
    for verb, path in (
        ("get", ""),
        ("get", "/export?format=csv"),
        ("patch", f"/{trace_id}"),
        ("delete", f"/{trace_id}"),
    ):
        assert getattr(client, verb)(f"/v1/traces{path}", headers=headers).status_code == 403
