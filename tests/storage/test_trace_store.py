"""Filters, pages, searches and sums agree with the rows, whatever happens to them."""

from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from flask_migrate import upgrade
from sqlalchemy import DateTime, bindparam, text

from premrunner.app import create_app, prepare_database
from premrunner.config import load_settings
from premrunner.domain.spoken import searchable
from premrunner.domain.trace_retention import Keeping, TraceRetention
from premrunner.net.native_threads import NativeThreads
from premrunner.records import AccessKey, Caller, Feedback, TraceBegun, TraceFilter, TraceFinished, Usage, id_at
from premrunner.storage.database import Database, thread_engine, unpooled_engine
from premrunner.storage.migration import SCRIPTS
from premrunner.storage.paths import DataPaths
from premrunner.storage.processes import Processes
from premrunner.storage.setting_store import SettingStore
from premrunner.storage.trace_feedback_store import TraceFeedbackStore
from premrunner.storage.trace_query import NEWEST, OLDEST, Place
from premrunner.storage.trace_removal import TraceRemoval
from premrunner.storage.trace_store import TraceStore
from premrunner.storage.trace_writer import TraceWriter

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
EVERYTHING = TraceFilter()


class Book:
    """Traces on a database of their own."""

    def __init__(self, url: str, processes: Processes) -> None:
        self.database = Database(unpooled_engine(url))
        self.store = TraceStore(self.database)
        self.removal = TraceRemoval(self.database)
        self.judgements = TraceFeedbackStore(self.database)
        self.writer = TraceWriter(lambda: thread_engine(url), processes)
        self._numbers = count()

    def begin(self, at=NOON, model="m", key="", said="hello"):
        trace_id = id_at(at) + f"{next(self._numbers):012x}"
        access_key = AccessKey("1", key, "", (), None, None, NOON) if key else None
        caller = Caller(trace_id, "/v1/chat/completions", "pytest", access_key)
        self.writer.begin(TraceBegun(trace_id, caller, model, "[]", "{}", "[]", False, at, said))
        return trace_id

    def end(self, trace_id, status="ok", said="", duration_ms=100.0):
        self.writer.finish(TraceFinished(trace_id, status, said=said, duration_ms=duration_ms, usage=Usage(10, 5)))

    def add(self, at=NOON, model="m", key="", said="hello", **ended):
        trace_id = self.begin(at, model, key, said)
        self.end(trace_id, said=said, **ended)
        return trace_id

    def page(self, limit=50, place=NEWEST, **wanted):
        assert self.writer.flush(10)
        return [trace.id for trace in self.store.page(TraceFilter(**wanted), place, limit).traces]

    def count(self, **wanted):
        assert self.writer.flush(10)
        return self.store.count(TraceFilter(**wanted))


@pytest.fixture
def book(app, settings):
    book = Book(app.config["SQLALCHEMY_DATABASE_URI"], Processes(DataPaths(settings.data_path).processes))
    yield book
    book.writer.close()


def test_a_filter_finds_its_calls_newest_first_and_counts_them(book):
    calls = [
        book.add(NOON + timedelta(minutes=number), model=f"m{number % 3}", key=("", "app")[number % 2],
                 status=("ok", "error", "ok", "ok")[number % 4])
        for number in range(24)
    ]  # fmt: skip
    meant = {
        "all": ({}, range(24)),
        "model": ({"model": "m1"}, range(1, 24, 3)),
        "status": ({"status": "error"}, range(1, 24, 4)),
        "key": ({"key_name": "app"}, range(1, 24, 2)),
        "owner": ({"key_name": ""}, range(0, 24, 2)),
        "both": ({"model": "m1", "status": "error"}, [1, 13]),
        "none": ({"model": "m1", "key_name": "nobody"}, []),
        "since": ({"since": NOON + timedelta(minutes=20)}, range(20, 24)),
        "until": ({"until": NOON + timedelta(minutes=3)}, range(3)),
        "a model since": ({"model": "m0", "since": NOON + timedelta(minutes=20)}, [21]),
    }
    for name, (wanted, numbers) in meant.items():
        assert book.page(**wanted) == [calls[number] for number in reversed(list(numbers))], name
        assert book.count(**wanted) == len(list(numbers)), name


def test_pages_go_both_ways_from_any_place(book):
    calls = [book.add(NOON + timedelta(seconds=number), model=f"m{number % 2}") for number in range(10)]
    newest_first = calls[::-1]
    for wanted, expected in (({}, newest_first), ({"model": "m1"}, newest_first[::2])):
        assert book.page(3, **wanted) == expected[:3]
        assert book.page(2, Place(before=expected[1]), **wanted) == expected[2:4]
        assert book.page(2, Place(after=expected[3]), **wanted) == expected[1:3]
        assert book.page(2, OLDEST, **wanted) == expected[-2:]
    first = book.store.page(EVERYTHING, NEWEST, 4)
    assert (first.has_newer, first.has_older) == (False, True)
    last = book.store.page(EVERYTHING, OLDEST, 4)
    assert (last.has_newer, last.has_older) == (True, False)
    top = book.store.page(EVERYTHING, Place(after=calls[-3]), 4)
    assert (top.has_newer, top.has_older) == (False, True)


@pytest.mark.parametrize(("page", "numbers"), [(1, [9, 8, 7, 6]), (2, [5, 4, 3, 2]), (3, [1, 0]), (4, []), (900, [])])
def test_pages_by_number_are_the_same_from_either_end(book, page, numbers):
    calls = [book.add(NOON + timedelta(seconds=number)) for number in range(10)]
    assert book.writer.flush(10)
    found, total = book.store.numbered_page(page, 4)
    assert [trace.id for trace in found.traces] == [calls[number] for number in numbers]
    assert total == 10


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("capital", True),
        ("CAPITAL paris", True),
        ("capital berlin", False),
        ('"capital of France"', True),
        ('"France of capital"', False),
        ("Fran", False),
        ("Fran*", True),
        ('capital Fran*"of France"', True),
        ('"of Fran*"', False),
        ("***", False),
        ("l'été", True),
        ("OR", False),
        ('"', False),
        ("* ) said : (", True),
        ("NEAR(capital", False),
        ("...", False),
        ("\0", False),
    ],
)
def test_a_search_takes_words_and_phrases_and_no_syntax(book, words, is_found):
    call = book.add(said="What is the capital of France? Paris. Crème brûlée, l'été. I said so.")
    book.add(said="Berlin and nothing else")
    assert book.page(words=words) == ([call] if is_found else [])
    assert book.count(words=words) == is_found


def test_a_search_goes_with_every_other_filter_and_with_pages(book):
    calls = [
        book.add(NOON + timedelta(minutes=number), model=f"m{number % 2}", said=f"ship number {number}")
        for number in range(8)
    ]
    book.add(NOON, model="m1", said="boat")
    assert book.page(words="ship", model="m1") == [calls[7], calls[5], calls[3], calls[1]]
    assert book.page(words="ship", model="m1", since=NOON + timedelta(minutes=4)) == [calls[7], calls[5]]
    assert book.page(words="ship", until=NOON + timedelta(minutes=2)) == [calls[1], calls[0]]
    assert book.page(2, Place(before=calls[6]), words="ship") == [calls[5], calls[4]]
    assert book.page(2, Place(after=calls[1]), words="ship") == [calls[3], calls[2]]
    book.judgements.put(calls[3], Feedback(rating=1))
    assert book.page(words="ship", feeling="up") == [calls[3]]


def test_what_people_said_is_a_filter_too(book):
    good, bad, corrected, plain = (book.add(NOON + timedelta(seconds=number)) for number in range(4))
    assert book.writer.flush(10)
    book.judgements.put(good, Feedback(rating=1))
    book.judgements.put(bad, Feedback(rating=-1, note="wrong"))
    book.judgements.put(corrected, Feedback(correction="This."))
    book.judgements.put(plain, Feedback(note="hm"))
    book.judgements.put(plain, Feedback())
    for feeling, expected in (("up", [good]), ("down", [bad]), ("corrected", [corrected])):
        assert book.page(feeling=feeling) == expected
        assert book.count(feeling=feeling) == 1
    assert book.page(feeling="any") == [corrected, bad, good]
    assert book.judgements.of([bad, plain]) == {bad: Feedback(-1, "wrong")}


def test_counts_of_any_time_agree_with_the_rows(book):
    moments = [NOON + timedelta(minutes=47 * number) for number in range(120)]
    for moment in moments:
        book.add(moment, model="m" if moment.minute % 2 else "n")
    for since in (NOON, NOON + timedelta(minutes=13), NOON + timedelta(hours=13), NOON + timedelta(days=2, hours=3)):
        for length in (timedelta(minutes=5), timedelta(minutes=70), timedelta(hours=30), timedelta(days=9)):
            meant = [moment for moment in moments if since <= moment < since + length]
            assert book.count(since=since, until=since + length) == len(meant)
            assert book.count(model="m", since=since, until=since + length) == sum(one.minute % 2 for one in meant)


def test_a_running_call_counts_and_is_shown_and_becomes_what_it_ends_as(book):
    call = book.begin()
    assert book.page(status="running") == [call]
    assert (book.count(), book.count(status="running"), book.count(status="ok")) == (1, 1, 0)
    book.end(call)
    assert book.page(status="running") == []
    assert (book.count(), book.count(status="running"), book.count(status="ok")) == (1, 0, 1)


def test_an_interrupted_call_is_booked_when_it_is_settled(book):
    call = book.begin(said="the ship sank")
    assert book.writer.flush(10)
    book.removal.settle_interrupted(book.removal.running_writers())
    assert book.count(status="interrupted") == 1
    assert book.page(words="ship") == [call]


def test_what_is_deleted_is_in_no_list_search_or_sum(book):
    calls = [book.add(NOON + timedelta(seconds=number), said=f"ship {number}") for number in range(4)]
    running = book.begin()
    assert book.writer.flush(10)
    book.judgements.put(calls[0], Feedback(rating=1))
    assert book.removal.delete([calls[0], calls[1], running, "nothing"]) == 3
    book.removal.prune()
    assert book.page() == book.page(words="ship") == [calls[3], calls[2]]
    assert book.count() == book.count(words="ship") == book.count(status="ok") == 2
    assert book.count(feeling="any") == 0
    assert sum(one.calls for one in book.store.sums(EVERYTHING, "day")) == 2
    book.end(running)  # Its process has not heard of it.
    assert book.count() == 2


def test_sums_hold_every_ended_call_once(book):
    for hours, status, duration_ms in (
        (0, "ok", 100),
        (0, "ok", 100),
        (0, "error", 90),
        (5, "ok", 3000),
        (15, "ok", 1),
    ):
        book.add(NOON + timedelta(hours=hours), status=status, duration_ms=duration_ms)
    assert book.writer.flush(10)
    hours = book.store.sums(EVERYTHING, "hour")
    assert [(one.start.hour, one.status, one.calls, one.lasted) for one in hours] == [
        (12, "error", 1, {}),
        (12, "ok", 2, {14: 2}),
        (17, "ok", 1, {24: 1}),
        (3, "ok", 1, {0: 1}),
    ]
    days = book.store.sums(TraceFilter(status="ok"), "day")
    assert [(one.start.day, one.lasted) for one in days] == [(4, {14: 2, 24: 1}), (5, {0: 1})]
    assert [(one.start.day, one.calls) for one in book.store.sums(EVERYTHING, "week")] == [(2, 1), (2, 4)]
    assert sum(one.prompt_tokens for one in hours) == 50


def test_choices_are_what_there_is_the_most_frequent_first(book):
    for model, key in (("often", ""), ("often", "app"), ("once", "")):
        book.add(model=model, key=key)
    assert book.writer.flush(10)
    found = book.store.choices(10)
    assert (list(found.models), list(found.statuses), list(found.key_names)) == (["often", "once"], ["ok"], ["", "app"])


def test_old_calls_are_outdated_and_judged_ones_never(book):
    calls = [book.add(NOON + timedelta(days=number)) for number in range(6)]
    assert book.writer.flush(10)
    book.judgements.put(calls[1], Feedback(note="keep this"))
    assert book.removal.nth_newest(4) == calls[1]
    assert book.removal.nth_newest(6) == ""
    assert book.removal.outdated(calls[2], 10) == [calls[0], calls[2]]


def test_a_database_of_before_keeps_its_calls_and_finds_them(settings):
    app = create_app(settings)
    with app.app_context():
        upgrade(directory=str(SCRIPTS), revision="0005")
    database = Database(unpooled_engine(app.config["SQLALCHEMY_DATABASE_URI"]))
    said = '[{"role":"user","content":[{"type":"text","text":"What is the\\ncapital of France?"}]}]'
    row = {
        **dict.fromkeys(("queued_ms", "load_ms", "prefill_ms", "decode_ms", "prompt_tokens"), 0),
        **dict.fromkeys(("thinking", "tool_calls", "client", "key_name", "endpoint"), ""),
        **{
            "is_stream": False,
            "completion_tokens": 2,
            "total_tokens": 2,
            "duration": 400,
            "created_at": datetime(2026, 3, 4, 12),  # Naive, as the column keeps it.
        },
        **{"input": said, "output": "Paris.", "model": "m", "parameters": "{}", "ignored": "[]"},
    }
    with database.engine.begin() as connection:
        for number, status in ((1, "ok"), (2, "running")):
            one = {**row, "id": f"{id_at(NOON)}{number:012x}", "status": status, "writer": "gone:1:00"}
            columns, places = ", ".join(one), ", ".join(f":{name}" for name in one)
            insert = text(f"INSERT INTO traces ({columns}) VALUES ({places})")
            connection.execute(insert.bindparams(bindparam("created_at", type_=DateTime)), one)
    prepare_database(app)
    store = TraceStore(database)
    assert store.count(EVERYTHING) == 2
    [found] = store.page(TraceFilter(words='"capital of france" paris'), NEWEST, 5).traces
    assert (found.id, found.preview, found.created_at) == (
        f"{id_at(NOON)}{1:012x}",
        "What is the capital of France?",
        NOON,
    )
    assert store.count(TraceFilter(status="interrupted")) == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("a prompt", "a prompt"),
        (["one", "two"], "one\ntwo"),
        ([{"content": [{"type": "image_url", "image_url": {"url": "data:x"}}, {"text": "look"}]}], "look"),
        ([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]}], '{"a":1}'),
        ({"content": {"content": {"content": 5}}}, ""),
        (None, ""),
    ],
)  # fmt: skip
def test_what_was_said_is_found_in_every_shape_and_pictures_are_not_said(sent, said):
    assert searchable(sent, "answer") == f"{said}\nanswer"


def test_nesting_without_end_is_no_conversation():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert searchable(deep, "") == "\n"


def test_settings_for_how_long_traces_are_kept():
    settings = load_settings({"TRACES_KEEP_DAYS": "30"}, dotenv=None)
    assert (settings.traces_keep_days, settings.traces_keep_count) == (30, 0)


def test_what_is_outdated_is_counted_from_the_sums_as_the_cleaning_finds_it(book):
    retention = TraceRetention(book.store, book.removal, SettingStore(book.database), Keeping(), NativeThreads(1))
    now = datetime.now(timezone.utc)
    days = [now - timedelta(days=number, minutes=1) for number in range(60, 0, -1)]
    calls = [(book.begin if number % 7 == 0 else book.add)(day) for number, day in enumerate(days)]
    assert book.writer.flush(10)
    for trace_id in calls[::5]:  # Among them some that still run.
        book.judgements.put(trace_id, Feedback(note="keep"))
    for keeping in (Keeping(days=50), Keeping(days=40, count=100), Keeping(days=40, count=35), Keeping(count=20)):
        retention.keep(keeping)
        outdated = retention.kept().outdated
        assert retention.outdated(keeping) == outdated == retention.apply() > 0
        assert retention.kept().outdated == 0
