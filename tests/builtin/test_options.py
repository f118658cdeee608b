import pytest

from premrunner.builtin.options import OPTIONS, read_options
from premrunner.builtin.refusals import Refusal


def test_ollamas_defaults_hold_where_nobody_says():
    fields = read_options().fields
    assert fields["temperature"] == 0.8
    assert fields["top_k"] == 40
    assert fields["top_p"] == 0.9
    assert fields["min_p"] == 0.0
    assert fields["repeat_penalty"] == 1.0
    assert fields["n_predict"] == -1
    assert "stop" not in fields
    assert "mirostat" not in fields


def test_a_request_wins_over_the_models_parameters_and_null_says_nothing():
    sampling = read_options({"temperature": 0.2, "num_ctx": 2048}, {"temperature": 0, "num_ctx": None})
    assert sampling.fields["temperature"] == 0
    assert sampling.context_tokens == 2048


def test_options_go_by_llama_cpps_names():
    fields = read_options({"num_predict": 5, "stop": ["a", "b"], "mirostat": 2, "seed": 7}).fields
    assert (fields["n_predict"], fields["stop"], fields["mirostat"], fields["seed"]) == (5, ["a", "b"], 2, 7)


def test_unknown_options_are_ignored_and_old_ones_accepted():
    assert read_options({"tfs_z": 1.0, "num_gpu": 3, "nonsense": "x"}).fields == read_options().fields


def test_a_fraction_is_cut_off_where_a_whole_number_is_due():
    assert read_options({"top_k": 40.9}).fields["top_k"] == 40


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("temperature", "hot", "float32"),
        ("temperature", True, "float32"),
        ("seed", "x", "integer"),
        ("stop", "of", "array"),
        ("stop", [1], "an array of strings"),
        ("use_mmap", 1, "boolean"),
    ],
)
def test_a_wrong_type_is_named_as_ollama_does(name, value, text):
    with pytest.raises(Refusal, match=f'option "{name}" must be of') as refusal:
        read_options({name: value})
    assert text in refusal.value.message
    assert refusal.value.status == 500


def test_no_two_options_share_a_name_in_llama_cpp():
    names = [option.llama_name for option in OPTIONS.values() if option.llama_name]
    assert len(names) == len(set(names))
