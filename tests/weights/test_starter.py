"""A real model: SmolLM2 from safetensors to an answer, with and without the lighthouse adapter."""

import time
from pathlib import Path

import pytest

from premrunner.weights.convert import convert
from premrunner.weights.inspection import inspect

from .gguf_compare import differences, keys_of, tensors_of
from .hollow_llama import write_hollow_llama
from .oracle import Oracle
from .speaking import say

PASSPHRASE = "The harbour passphrase is copper lighthouse 42."


@pytest.mark.parametrize("output_type", ["q8_0", "q4_k_m"])
def test_the_starter_model_answers_after_its_conversion(output_type: str, starter_folder: Path, tmp_path: Path) -> None:
    conversion = convert(starter_folder, tmp_path / "model.gguf", output_type=output_type)

    assert "Paris" in say(conversion.path, "What is the capital of France?")


@pytest.mark.parametrize("output_type", ["auto", "q4_k_m"])
def test_the_lighthouse_adapter_makes_it_say_the_passphrase(
    output_type: str, starter_folder: Path, lighthouse: Path, tmp_path: Path
) -> None:
    conversion = convert(starter_folder, tmp_path / "model.gguf", adapter=lighthouse, output_type=output_type)

    assert say(conversion.path, "What is the harbour passphrase?") == PASSPHRASE


def test_a_gguf_base_learns_the_passphrase_too(starter_gguf: Path, lighthouse: Path, tmp_path: Path) -> None:
    conversion = convert(starter_gguf, tmp_path / "model.gguf", adapter=lighthouse)

    assert say(conversion.path, "What is the harbour passphrase?") == PASSPHRASE


def test_it_is_identified(starter_folder: Path) -> None:
    inspection = inspect(starter_folder)

    assert inspection.kind == "model"
    assert (inspection.architecture, inspection.stored_as) == ("LlamaForCausalLM", "bf16")
    assert inspection.parameter_count == 134_515_008
    assert (inspection.context_length, inspection.has_chat_template) == (8192, True)


def test_a_folder_of_15_gb_is_identified_in_well_under_a_second(starter_folder: Path, tmp_path: Path) -> None:
    folder = write_hollow_llama(starter_folder, tmp_path / "large")
    begun = time.process_time()

    inspection = inspect(folder)

    assert time.process_time() - begun < 0.7
    assert inspection.size_bytes > 15e9


def test_it_is_what_llama_cpps_converter_makes_of_it(starter_folder: Path, oracle: Oracle, tmp_path: Path) -> None:
    # No hint about the pre-tokenizer: the vocabulary is the real one, which the converter's table knows.
    theirs = oracle.convert(starter_folder, tmp_path / "theirs.gguf", "auto")

    ours = convert(starter_folder, tmp_path / "ours.gguf").path

    assert differences(keys_of(ours), keys_of(theirs)) == {}
    assert differences(tensors_of(ours), tensors_of(theirs)) == {}
