import math

import pytest

from premrunner.builtin.durations import FOREVER, parse_go_duration, parse_keep_alive
from premrunner.builtin.names import ModelName
from premrunner.builtin.refusals import Refusal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("llama3", "llama3:latest"),
        ("smollm2:135m", "smollm2:135m"),
        ("library/llama3", "llama3:latest"),
        ("me/llama3", "me/llama3:latest"),
        ("hf.co/org/Repo:Q4_K_M", "hf.co/org/Repo:Q4_K_M"),
        ("localhost:5000/ns/model", "localhost:5000/ns/model:latest"),
        ("foo..bar", "foo..bar:latest"),
        ("a:tag.", "a:tag."),
        ("_x", "_x:latest"),
        ("CON", "CON:latest"),
    ],
)
def test_a_name_is_filled_in_and_shown_as_ollama_does(text, shown):
    assert str(ModelName.parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "bad name!!", "a b", "a@sha256:abc", "a:b:c", "a:", ":a", "/a", "a/", "a/b/c/d", "a+b", "a%20b", "a\n",
     "-a", ".a", "n.s/a", "é", "x" * 81, "a/../b"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    with pytest.raises(Refusal, match="invalid model name") as refusal:
        ModelName.parse(text)
    assert refusal.value.status == 400


def test_two_spellings_of_a_name_share_a_key():
    assert ModelName.parse("Me/LLaMa3:LATEST").key == ModelName.parse("me/llama3").key


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h15m30.5s", 4530.5),
        ("-1m", -60),
        ("0", 0),
        ("0s", 0),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("1us", 1e-6),
    ],
)
def test_gos_durations_are_read(text, seconds):
    assert parse_go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1", "5", "5 m", "m", "5x", "1.5.5s", "٣s"])
def test_what_is_no_duration_is_refused_in_gos_words(text):
    with pytest.raises(Refusal) as refusal:
        parse_go_duration(text)
    assert refusal.value.message == f'time: invalid duration "{text}"'


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [(None, 42), (0, 0), (1.5, 1.5), (-1, FOREVER), ("-1m", FOREVER), ("10m", 600), ("9999999999h", FOREVER)],
)
def test_keep_alive_is_seconds_a_duration_or_for_ever(wanted, seconds):
    assert parse_keep_alive(wanted, 42) == seconds


@pytest.mark.parametrize("wanted", [True, [], {}, "-1", math.nan and "x"])
def test_a_keep_alive_that_means_nothing_is_refused(wanted):
    with pytest.raises(Refusal):
        parse_keep_alive(wanted, 42)
