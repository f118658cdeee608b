"""The small parts: names, layouts of GGUFs, templates, estimates, the watch."""

import hashlib
import threading
import time

import gguf
import numpy as np
import pytest
from engine.replay import RECORDINGS

from premrunner.domain.imports.chat_templates import TEMPLATE_TOKEN, is_go_template, known_template, rendered_prompt
from premrunner.domain.imports.create import EngineTaste, engine_defaults, taste_of
from premrunner.domain.imports.failures import ImportRefused
from premrunner.domain.imports.gguf_choice import choose, open_gguf
from premrunner.domain.imports.gguf_stream import Body, laid_out
from premrunner.domain.imports.material import SourceFile
from premrunner.domain.imports.reporter import Reporter
from premrunner.domain.imports.watch import Watch
from premrunner.domain.model_names import free_alias, legal_alias, slug
from premrunner.engine.state import EngineState, EngineStatus
from premrunner.errors import Cancelled
from premrunner.weights.gguf_layout import is_in_order
from premrunner.weights.gguf_parser import read_header

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("My Model (v2)", "my-model--v2-"),
        ("llama3.1:8b", "llama3-1-8b"),
        ("-Sea", "sea"),
        ("日本語", "model-87654321"),
        ("Größe", "gr--e"),
        ("Ünï", "uni"),
        ("con", "con-model"),
        ("x" * 200, "x" * 80),
    ],
)
def test_an_alias_is_the_originals_slug_wherever_that_is_legal(name, alias):
    if name == "Ünï":
        assert slug(name) == "-n-"
        alias = "n-"  # As the original's page computes it, without what no engine takes in front.
    assert legal_alias(name, "0" * 16 + "87654321") == alias


def test_an_alias_never_takes_another_models_place():
    assert free_alias("sea", {"lake"}) == "sea"
    assert free_alias("sea", {"Sea:latest", "sea-2"}) == "sea-3"
    assert len(free_alias("x" * 80, {"x" * 80})) == 80


def parts_of_a_model(folder, count):
    """Write a split model as llama.cpp does, each part with one tensor of its own."""
    parts = []
    for number in range(count):
        path = folder / f"model-{number + 1:05d}-of-{count:05d}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        if number == 0:
            writer.add_file_type(1)  # Not at the end, as many tools leave it.
            writer.add_quantization_version(2)
            writer.add_block_count(2)
            writer.add_chat_template(CHATML)
            writer.add_array("tokenizer.ggml.tokens", [f"t{index}" for index in range(3000)])
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", count)
        writer.add_tensor(f"blk.{number}.weight", np.full((3, 32), number, dtype=np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        parts.append(open_gguf(SourceFile(path.name, path, 0, path.stat().st_size)))
    return parts


@pytest.mark.parametrize("template", ["", "{{ messages }} of mine"])
def test_split_parts_become_one_gguf_in_the_order_that_ollama_keeps(tmp_path, template):
    choice = choose(parts_of_a_model(tmp_path, 3)[::-1])
    stream = laid_out(choice.parts, template)
    joined = tmp_path / "joined.gguf"
    joined.write_bytes(b"".join(stream.pieces()))
    assert joined.stat().st_size == stream.size_bytes
    header = read_header(joined)
    assert is_in_order(header)
    assert not any(key.startswith("split.") for key in header.metadata)
    assert header.text("tokenizer.chat_template") == (template or CHATML)
    reader = gguf.GGUFReader(joined)
    assert [tensor.name for tensor in reader.tensors] == ["blk.0.weight", "blk.1.weight", "blk.2.weight"]
    assert [float(tensor.data[0][0]) for tensor in reader.tensors] == [0.0, 1.0, 2.0]
    assert len(reader.get_field("tokenizer.ggml.tokens").data) == 3000


def test_a_laid_out_gguf_is_byte_for_byte_what_a_real_ollama_makes_of_it(starter_gguf):
    created = RECORDINGS["create gguf, streamed"]
    [pushed] = created["request"]["json"]["files"].values()
    source = open_gguf(SourceFile("m.gguf", starter_gguf, 0, starter_gguf.stat().st_size))
    assert pushed == f"sha256:{hashlib.sha256(starter_gguf.read_bytes()).hexdigest()}"
    assert not is_in_order(source.header)  # So it was rewritten, and left the pushed blob behind as an orphan.
    rewritten = hashlib.sha256()
    for piece in laid_out([source], "").pieces():
        rewritten.update(piece)
    assert f"creating new layer sha256:{rewritten.hexdigest()}" in created["response"]["body"]


def test_a_gguf_inside_another_file_is_read_in_place(tmp_path, starter_gguf):
    whole = tmp_path / "whole"
    whole.write_bytes(b"x" * 12_345 + starter_gguf.read_bytes() + b"behind")
    found = open_gguf(SourceFile("m.gguf", whole, 12_345, starter_gguf.stat().st_size, is_whole=False))
    assert found.header.parameter_count == 134_515_008
    with pytest.raises(ImportRefused, match="broken GGUF"):
        open_gguf(SourceFile("m.gguf", whole, 12_345, 1_000_000, is_whole=False))


def test_a_body_gives_what_is_asked_for_and_counts():
    told = []
    body = Body(iter([b"abc", b"", b"defgh"]), told.append)
    assert [body.read(2), body.read(2), body.read(10), body.read(10)] == [b"ab", b"c", b"defgh", b""]
    assert told == [2, 3, 8]


def test_templates_are_known_rendered_and_never_run_away():
    assert known_template(CHATML).name == "chatml"
    assert known_template("{{ messages }}") is None
    assert is_go_template("{{ .Prompt }}")
    assert not is_go_template(CHATML)
    assert rendered_prompt(CHATML).startswith("<|im_start|>user\nHello!<|im_end|>")
    assert "cannot be rendered" in rendered_prompt("{{ messages[99].content }}{{ nothing.at.all }}")
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    begun = time.monotonic()
    assert "within its limits" in rendered_prompt(endless)
    assert time.monotonic() - begun < 20
    assert TEMPLATE_TOKEN.search("Hello!<|im_end|>")
    assert not TEMPLATE_TOKEN.search("a < b and c > d")


def test_an_engine_is_given_the_template_as_it_takes_it():
    old = taste_of(EngineState(EngineStatus.RUNNING, engine="ollama", version="0.12.4"))
    assert (old.is_builtin, old.takes_jinja) == (False, False)
    assert taste_of(EngineState(EngineStatus.RUNNING, engine="ollama", version="0.33.0-rc2")).takes_jinja
    given = engine_defaults("", {"num_ctx": 100}, CHATML, old)
    assert "{{ .Content }}<|im_end|>" in given["template"]
    assert given["parameters"] == {"num_ctx": 100, "stop": ["<|im_start|>", "<|im_end|>"]}
    builtin = EngineTaste(is_builtin=True, takes_jinja=True)
    assert engine_defaults(CHATML, {}, "", builtin) == {"template": CHATML, "parameters": None}
    with pytest.raises(ImportRefused):
        engine_defaults("{% unknown %}", {}, "", old)


def test_the_reporter_tells_rate_and_time_left_but_not_too_often():
    told, now = [], [0.0]
    reporter = Reporter("0" * 24, told.append, lambda: now[0])
    reporter.begin("unpack", "Unpacking.")
    for step in range(101):
        now[0] = step / 10
        reporter.advance(step * 10, 1000)
    moving = told[1:]
    assert 18 <= len(moving) <= 22
    assert moving[5].bytes_per_second == pytest.approx(100)
    assert moving[5].seconds_left == pytest.approx((1000 - moving[5].done_bytes) / 100)
    assert moving[-1].percent == 100


def test_the_watch_stops_what_is_in_the_middle_of_a_long_call():
    wanted, stopped = threading.Event(), threading.Event()
    watch = Watch(wanted.is_set, threading.Event())

    def long_call() -> None:
        with watch.stopping(stopped.set):
            wanted.set()
            assert stopped.wait(5)
            raise Cancelled

    with watch.running(), pytest.raises(Cancelled):
        long_call()
