"""The page of settings and the API behind it."""

import os
import re
import time
from dataclasses import replace

import pytest
from engine_process.waiting import wait_until

from premrunner.app import create_app
from premrunner.domain.trace_retention import Keeping
from premrunner.engine.ownership import claim
from premrunner.engine.state import EngineState, EngineStatus, take_restart, write_state
from premrunner.extensions import db
from premrunner.records import Feedback
from premrunner.storage.database import Database
from premrunner.storage.import_store import ImportStore
from premrunner.storage.paths import DataPaths
from premrunner.storage.upload_hasher import DIGESTS

from .reading import Page

AN_HOUR = 3600


@pytest.fixture
def paths(settings) -> DataPaths:
    return DataPaths(settings.data_path)


@pytest.fixture
def api(app, token):
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


@pytest.fixture
def engine_of_ours(paths):
    ownership = claim(paths.run)
    write_state(paths.run, EngineState(EngineStatus.STARTING, engine="builtin", host="127.0.0.1", port=9, pid=1))
    yield
    ownership.release()


def post(visitor, path, **fields):
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get("/settings").text)[1]
    return visitor.post(path, data={"csrf_token": csrf, **fields})


def kinds(api) -> dict[str, dict]:
    # What was measured a moment ago is still good for those who only look.
    api.application.extensions["premrunner"].disk.forget()
    return {kind["name"]: kind for kind in api.get("/api/disk").json["kinds"]}


def age(path, seconds=AN_HOUR):
    then = time.time() - seconds
    for place in [path, *path.rglob("*")]:
        os.utime(place, (then, then))


def begin_upload(api, size=100_000) -> str:
    wish = {"fileName": "model.gguf", "fileSize": size, "chunkSize": size, "modelName": "Model"}
    upload_id = api.post("/v1/chunked-upload/start", json=wish).json["modelId"]
    assert api.put(f"/v1/chunked-upload/{upload_id}/chunks/0", data=bytes(size)).status_code == 200
    return upload_id


def begin_import(api, services, upload_id):
    assert api.post("/v1/chunked-upload/complete", json={"modelId": upload_id}).status_code == 200
    services.imports.begin(services.uploads.get(upload_id))


def test_the_page_has_its_sections_and_says_what_runs(visitor):
    page = Page(visitor.get("/settings").text)
    for heading in ("Engine", "Access keys", "Disk", "This browser", "About", "SQLite", "Apache-2.0"):
        assert heading in page.text


def test_the_old_address_of_the_keys_leads_here(visitor):
    assert visitor.get("/keys").location == "/settings#keys"


def test_no_folder_of_the_server_is_shown(visitor, paths):
    assert str(paths.root) not in visitor.get("/settings").text


def test_a_chosen_theme_comes_with_the_page_and_only_known_ones_are_taken(visitor):
    assert "data-theme" not in visitor.get("/").text
    assert post(visitor, "/settings/browser", theme="dark").location == "/settings#browser"
    assert '<html lang="en" data-theme="dark">' in visitor.get("/").text
    assert post(visitor, "/settings/browser", theme="pink").status_code == 400
    visitor.set_cookie("premrunner_theme", '"><script>')
    assert "data-theme" not in visitor.get("/").text


def test_single_key_shortcuts_can_be_switched_off(visitor):
    post(visitor, "/settings/browser", shortcuts="off")
    assert 'data-shortcuts="off"' in visitor.get("/traces").text
    post(visitor, "/settings/browser", shortcuts="on")
    assert "data-shortcuts=" not in visitor.get("/traces").text


@pytest.mark.parametrize("path", ["engine/restart", "disk/clean", "browser"])
def test_another_site_can_change_nothing(visitor, path):
    assert visitor.post(f"/settings/{path}", data={"kind": "logs", "theme": "dark"}).status_code == 403


@pytest.mark.parametrize("path", ["/api/disk", "/api/engine/log"])
def test_access_keys_see_none_of_it(app, api, path):
    secret = api.post("/api/keys", json={"name": "program"}).json["key"]
    answer = app.test_client().get(path, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403


def test_the_restart_of_an_engine_of_ours_is_wished_for(visitor, api, paths, engine_of_ours):
    assert api.post("/api/engine/restart").json == {"success": True}
    assert take_restart(paths.run)
    post(visitor, "/settings/engine/restart")
    assert take_restart(paths.run)
    assert "The engine is being restarted." in visitor.get("/settings").text


def test_an_engine_of_somebody_else_is_left_alone(visitor, api, paths):
    answer = api.post("/api/engine/restart")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "engine_not_ours")
    post(visitor, "/settings/engine/restart")
    assert not take_restart(paths.run)
    page = visitor.get("/settings").text
    assert "did not start this engine" in page
    assert "/settings/engine/restart" not in page


def test_the_log_goes_on_where_it_was_and_begins_anew_with_a_new_file(api, paths):
    assert api.get("/api/engine/log").json == {"lines": [], "position": 0, "isNew": True}
    paths.engine_log.write_text("one\ntwo\nhal")
    first = api.get("/api/engine/log").json
    assert first == {"lines": ["one", "two"], "position": 8, "isNew": True}
    paths.engine_log.write_text("one\ntwo\nhalf\n")
    assert api.get("/api/engine/log?after=8").json == {"lines": ["half"], "position": 13, "isNew": False}
    paths.engine_log.write_text("new\n")
    assert api.get("/api/engine/log?after=13").json == {"lines": ["new"], "position": 4, "isNew": True}
    assert api.get("/api/engine/log?after=x").status_code == 400


def test_a_long_log_shows_its_end_in_whole_lines(api, paths):
    paths.engine_log.write_text("".join(f"{number:09d}\n" for number in range(100_000)))
    lines = api.get("/api/engine/log").json["lines"]
    assert (len(lines), lines[-1]) == (500, "000099999")


def test_the_log_shows_no_secret_no_folder_and_no_colours(api, visitor, paths, token):
    paths.engine_log.write_text(
        f"token is {token}\nAuthorization: Bearer abc.def\napi_key=12345 premrunner-0a1b2c\n"
        "\x1b[31mopening /home/somebody/models/file.gguf\x1b[0m\n<script>alert(1)</script>\n"
    )
    lines = api.get("/api/engine/log").json["lines"]
    assert lines == [
        "token is …",
        "Authorization: Bearer …",
        "api_key=… premrunner-…",
        "opening …/file.gguf",
        "<script>alert(1)</script>",
    ]
    assert Page(visitor.get("/settings").text).is_inert


def test_every_kind_is_measured_and_a_file_with_two_names_counts_once(api, paths):
    blobs = paths.builtin_store / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "sha256-1").write_bytes(bytes(50_000))
    os.link(blobs / "sha256-1", paths.bases / "same.gguf")
    found = kinds(api)
    assert 50_000 <= found["models"]["sizeBytes"] <= 57_344
    assert found["bases"]["sizeBytes"] == 0
    assert found["database"]["files"] >= 1
    assert api.get("/api/disk").json["freeBytes"] > 0


def test_an_unfinished_upload_goes_when_it_is_silent_and_stays_while_it_stirs(api, paths, services):
    silent, busy = begin_upload(api), begin_upload(api)
    digests = paths.upload(silent) / DIGESTS
    wait_until(lambda: digests.exists() and digests.stat().st_size)  # Then nobody touches it any longer.
    age(paths.upload(silent))
    found = kinds(api)["unfinished_uploads"]
    assert found["leftovers"] == 1
    freed = api.post("/api/disk/clean", json={"kind": "unfinished_uploads"}).json["freedBytes"]
    assert freed == found["leftoverBytes"] >= 100_000
    assert [status.upload.id for status in services.uploads.all()] == [busy]


def test_what_an_import_waits_for_stays_until_it_has_failed(api, paths, services, monkeypatch):
    monkeypatch.setattr("premrunner.domain.disk_leftovers.QUIET_SECONDS", -1)
    upload_id = begin_upload(api)
    begin_import(api, services, upload_id)
    work = paths.work_folder(upload_id) / "unpack"
    work.mkdir(parents=True)
    (work / "weights").write_bytes(bytes(20_000))
    (paths.bases / "base.gguf").write_bytes(bytes(10_000))
    for kind in ("finished_uploads", "work_files", "bases"):
        assert kinds(api)[kind]["leftovers"] == 0
        assert api.post("/api/disk/clean", json={"kind": kind}).json["freedBytes"] == 0
    services.imports.cancel(upload_id)
    assert services.imports.find(upload_id).record.status == "cancelled"
    for kind in ("work_files", "finished_uploads", "bases"):
        expected = kinds(api)[kind]["leftoverBytes"]
        assert api.post("/api/disk/clean", json={"kind": kind}).json["freedBytes"] == expected > 0
    assert services.uploads.all() == []
    assert not paths.work_folder(upload_id).exists()


def test_an_import_whose_work_files_went_begins_from_its_upload(api, paths, app, services):
    upload_id = begin_upload(api)
    begin_import(api, services, upload_id)
    services.imports.cancel(upload_id)
    with app.app_context():
        rows = ImportStore(Database(db.engine))
    rows.keep_results(upload_id, {"check": {"is_done": True}})
    paths.work_folder(upload_id).mkdir(parents=True)
    api.post("/api/disk/clean", json={"kind": "work_files"})
    assert rows.find(upload_id).results == {}


def test_old_logs_and_older_backups_go_and_the_current_ones_stay(api, paths):
    for name in ("engine.log", "engine.log.1"):
        (paths.logs / name).write_bytes(bytes(9000))
    for number in range(3):
        copy = paths.backups / f"{number}.db"
        copy.write_bytes(bytes(9000))
        age(copy, AN_HOUR - number)
    for kind in ("logs", "backups"):
        assert api.post("/api/disk/clean", json={"kind": kind}).json["freedBytes"] > 0
    assert [path.name for path in paths.logs.iterdir()] == ["engine.log"]
    assert [path.name for path in paths.backups.iterdir()] == ["2.db"]


def test_cleaning_up_from_the_page_says_what_came_free(visitor, paths):
    (paths.logs / "engine.log.1").write_bytes(bytes(9000))
    assert post(visitor, "/settings/disk/clean", kind="logs").location == "/settings#disk"
    assert "Logs: 12 kB came free." in visitor.get("/settings").text
    post(visitor, "/settings/disk/clean", kind="logs")
    assert "Nothing was left to delete." in visitor.get("/settings").text


@pytest.mark.parametrize("kind", ["models", "database", "../..", ""])
def test_what_never_goes_by_itself_cannot_be_cleaned(api, kind):
    answer = api.post("/api/disk/clean", json={"kind": kind})
    assert answer.status_code == 400
    assert answer.json["error"]["param"] == "kind"


def keep(visitor, **fields: str):
    return post(visitor, "/settings/traces", **fields)


def test_a_shorter_time_shows_what_it_deletes_and_deletes_nothing_before_it_is_agreed_to(visitor, record, services):
    calls = [record() for _ in range(5)]
    services.tracing.settle()
    services.tracing.judge(calls[0], Feedback(note="keep"))
    asked = keep(visitor, days="", count="2").text
    assert "2 calls would be gone for good." in Page(asked).text
    assert services.trace_retention.kept().calls == 5
    assert services.trace_retention.kept().keeping == Keeping()
    assert keep(visitor, days="", count="2", agreed="yes").location == "/settings#traces"
    assert "2 calls are deleted." in visitor.get("/settings").text
    assert services.trace_retention.kept().calls == 3
    assert "The newest 2 are kept; those with feedback stay." in Page(visitor.get("/traces").text).text


def test_a_longer_time_is_saved_at_once_and_goes_before_the_environment(visitor, record, app, settings, services):
    record()
    assert keep(visitor, days="30", count="1000").status_code == 302
    assert "Kept for 30 days, at most 1,000 of them" in visitor.get("/traces").text
    other = create_app(replace(settings, traces_keep_days=1, traces_keep_count=0))  # As the worker's process does.
    assert other.extensions["premrunner"].trace_retention.kept().keeping == Keeping(30, 1000)
    keep(visitor, days="", count="")
    assert services.trace_retention.kept().keeping == Keeping()


def test_what_is_past_the_time_by_now_can_be_deleted_now(visitor, record, services):
    for _ in range(3):
        record()
    services.tracing.settle()
    services.trace_retention.keep(Keeping(count=1))
    page = Page(visitor.get("/settings").text)
    assert "2 calls are past that, and go within the hour." in page.text
    (form,) = [form for form in page.find("form") if form.get("data-verb") == "Delete 2 calls"]
    assert post(visitor, form["action"], days="", count="1", agreed="yes").status_code == 302
    assert services.trace_retention.kept().outdated == 0


@pytest.mark.parametrize(
    "fields", [{"days": "a week"}, {"days": "-1"}, {"days": "0"}, {"count": "1.5"}, {"days": "9" * 30}]
)
def test_a_time_that_is_none_is_refused_and_stays_in_its_field(visitor, services, fields):
    answer = keep(visitor, **fields)
    assert answer.status_code == 400
    assert "must be a whole number from 1 to" in answer.text
    (value,) = fields.values()
    assert value in [field.get("value") for field in Page(answer.text).find("input")]
    assert services.trace_retention.kept().keeping == Keeping()


def test_programs_keep_calls_as_the_page_does(api, record, services):
    for _ in range(3):
        record()
    services.tracing.settle()
    shown = api.put("/api/retention", json={"days": 0, "count": 2}).json
    assert {name: shown[name] for name in ("days", "count", "calls", "outdated")} == {
        **{"days": 0, "count": 2, "calls": 3, "outdated": 1}
    }
    assert api.get("/api/retention").json["totalBytes"] > 0
    assert api.post("/api/retention/apply").json == {"deleted": 1}
    assert api.get("/api/retention").json["outdated"] == 0
    assert api.put("/api/retention", json={"days": 5}).json["error"]["param"] == "count"
    assert api.put("/api/retention", json={"days": -1, "count": 0}).status_code == 400
