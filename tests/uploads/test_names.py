import pytest

from premrunner.domain.upload_names import check_files, check_model_name, check_path
from premrunner.errors import InvalidRequest


@pytest.mark.parametrize(
    "path", ["model.gguf", "folder/config.json", "😀 Modell ß.zip", "a b/c-00001-of-00002.gguf", "x" * 250]
)
def test_plain_names_are_taken_as_they_are(path):
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x.gguf", "a/../b.gguf", "a//b.gguf", "./a", "a/", "a\\b.gguf", "a\nb.gguf", "a\0b",
     "a\x1b[2J", "\ud800.gguf", "x" * 300, "ä" * 130, "a/" * 600 + "b"],
)  # fmt: skip
def test_impossible_names_are_refused(path):
    with pytest.raises(InvalidRequest):
        check_path(path)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 300, "a\0", "tab\there"])
def test_impossible_model_names_are_refused(name):
    with pytest.raises(InvalidRequest) as refused:
        check_model_name(name)
    assert refused.value.param == "modelName"


def test_a_model_name_loses_the_space_around_it():
    assert check_model_name("  Mein 😀 Modell ") == "Mein 😀 Modell"


@pytest.mark.parametrize(
    "paths",
    [
        ["a.zip"],
        ["a.tar"],
        ["a.tar.gz"],
        ["A.GGUF"],
        ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"],
        ["m/model.safetensors", "m/config.json", "m/tokenizer.json"],
        ["adapter_model.safetensors", "adapter_config.json"],
    ],
)
def test_what_can_become_a_model_is_accepted(paths):
    check_files(paths)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["notes.txt"], ".gguf"),
        (["pytorch_model.bin", "config.json"], ".safetensors"),
        (["model.safetensors"], "whole folder"),
        (["m-00001-of-00003.gguf", "m-00003-of-00003.gguf"], "m-00002-of-00003.gguf"),
        (["a.gguf", "A.gguf"], "same name"),
        (["é.gguf", "e\u0301.gguf"], "same name"),
        ([f"{number}.gguf" for number in range(10_001)], "too many"),
    ],
)
def test_what_cannot_become_a_model_is_refused_and_says_why(paths, words):
    with pytest.raises(InvalidRequest, match=words):
        check_files(paths)
