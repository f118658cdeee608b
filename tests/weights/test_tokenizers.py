"""Vocabularies, special tokens and templates, from the files that real models come with."""

import json
from pathlib import Path

import pytest
from gguf import TokenType

from premrunner.weights.architectures import family_of
from premrunner.weights.convert import convert
from premrunner.weights.errors import UnsupportedTokenizer, WeightsInvalid
from premrunner.weights.metadata import Metadata
from premrunner.weights.tokenizers import read_tokenizer
from premrunner.weights.tokenizers.pre_tokenizer import recognise_pre_tokenizer
from premrunner.weights.tokenizers.sentencepiece import read_pieces

from .gguf_compare import differences, keys_of
from .oracle import Oracle
from .speaking import tokenize
from .tiny_models import write_tiny_model
from .tiny_pre_tokenizers import QWEN2, tokenizer_with
from .tiny_tokenizers import (
    byte_fallback,
    byte_level,
    sentencepiece_model,
    split,
    unigram,
    write_byte_level,
    write_sentencepiece,
)

LLAMA = family_of("LlamaForCausalLM")


def keys(folder: Path, family=LLAMA, size: int | None = None) -> Metadata:
    return Metadata(read_tokenizer(folder, family, size).entries)


def write_tokenizer_json(folder: Path, tokenizer: dict, **config: object) -> Path:
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("pre", ["gpt-2", "smollm", "command-r", "qwen2", "llama-bpe", "dbrx", "tekken", "gpt-4o"])
def test_a_pre_tokenizer_is_recognised_by_its_definition(pre: str) -> None:
    assert recognise_pre_tokenizer(tokenizer_with(pre)) == pre


def test_a_fine_tune_with_added_tokens_keeps_its_pre_tokenizer() -> None:
    tokenizer = tokenizer_with("qwen2")
    tokenizer["added_tokens"].append({"id": 500, "content": "<my_token>", "special": True, "normalized": False})

    assert recognise_pre_tokenizer(tokenizer) == "qwen2"


def test_one_expression_in_two_spellings_is_one() -> None:
    spelled = QWEN2.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])")

    assert recognise_pre_tokenizer(byte_level(split(spelled))) == "qwen2"


def test_a_pre_tokenizer_that_llama_cpp_does_not_have_is_refused_and_shown(tmp_path: Path) -> None:
    write_byte_level(tmp_path, byte_level(split(r"\p{L}{7}")))

    with pytest.raises(UnsupportedTokenizer, match=r"\\p\{L\}\{7\}"):
        read_tokenizer(tmp_path, LLAMA, None)


def test_merges_are_taken_as_strings_or_as_pairs(tmp_path: Path) -> None:
    pairs = byte_level()
    pairs["model"]["merges"].append(["a b", "c"])
    strings = byte_level()
    strings["model"]["merges"] = [" ".join(pair) for pair in strings["model"]["merges"]] + ["a\u0120b c"]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_byte_level(tmp_path / "a", pairs)
    write_byte_level(tmp_path / "b", strings)

    assert keys(tmp_path / "a").get("tokenizer.ggml.merges") == keys(tmp_path / "b").get("tokenizer.ggml.merges")


def test_places_of_the_embeddings_without_a_token_are_padded(tmp_path: Path) -> None:
    write_byte_level(tmp_path)

    entries = keys(tmp_path, size=320)

    assert len(entries.get("tokenizer.ggml.tokens")) == 320
    assert entries.get("tokenizer.ggml.tokens")[319] == b"[PAD319]"
    assert entries.get("tokenizer.ggml.token_type")[319] == TokenType.UNUSED


def test_more_tokens_than_embeddings_are_refused_with_what_to_do(tmp_path: Path) -> None:
    write_byte_level(tmp_path)

    with pytest.raises(WeightsInvalid, match="resize_token_embeddings"):
        read_tokenizer(tmp_path, LLAMA, 260)


def test_a_pad_token_past_the_embeddings_is_left_out(tmp_path: Path) -> None:
    write_byte_level(tmp_path)

    assert len(keys(tmp_path, size=268).get("tokenizer.ggml.tokens")) == 268


def test_added_tokens_are_control_tokens_only_if_they_are_special(tmp_path: Path) -> None:
    write_byte_level(tmp_path)

    entries = keys(tmp_path)

    kinds = dict(zip(entries.get("tokenizer.ggml.tokens"), entries.get("tokenizer.ggml.token_type"), strict=True))
    assert kinds[b"<|im_end|>"] == TokenType.CONTROL
    assert kinds[b"<our_tool>"] == TokenType.USER_DEFINED
    assert kinds[b"th"] == TokenType.NORMAL


def test_special_tokens_get_the_numbers_of_their_texts(tmp_path: Path) -> None:
    write_byte_level(tmp_path, bos_token={"content": "<|im_start|>"}, add_bos_token=True)

    entries = keys(tmp_path)

    tokens = entries.get("tokenizer.ggml.tokens")
    assert tokens[entries.get("tokenizer.ggml.bos_token_id")] == b"<|im_start|>"
    assert tokens[entries.get("tokenizer.ggml.eos_token_id")] == b"<|im_end|>"
    assert entries.get("tokenizer.ggml.add_bos_token") is True


def test_the_post_processor_says_that_a_text_begins_with_bos(tmp_path: Path) -> None:
    tokenizer = byte_level()
    special, sequence = {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    tokenizer["post_processor"] = {"type": "TemplateProcessing", "single": [special, sequence], "pair": []}
    write_byte_level(tmp_path, tokenizer)

    assert keys(tmp_path).get("tokenizer.ggml.add_bos_token") is True


@pytest.mark.parametrize("number", [-1, 5_000_000, "x", None, 1.5])
def test_an_impossible_token_number_is_refused(number: object, tmp_path: Path) -> None:
    tokenizer = byte_level()
    tokenizer["added_tokens"].append({"id": number, "content": "<x>"})
    write_byte_level(tmp_path, tokenizer)

    with pytest.raises(WeightsInvalid, match="cannot be the number of a token"):
        read_tokenizer(tmp_path, LLAMA, None)


def test_a_template_is_taken_from_the_config_then_from_its_own_file(tmp_path: Path) -> None:
    write_byte_level(tmp_path, chat_template=None)
    (tmp_path / "chat_template.jinja").write_text("own file")
    assert keys(tmp_path).get("tokenizer.chat_template") == "own file"

    write_byte_level(tmp_path, chat_template="in the config")

    assert keys(tmp_path).get("tokenizer.chat_template") == "in the config"


def test_of_several_templates_the_default_is_the_template(tmp_path: Path) -> None:
    templates = [{"name": "default", "template": "plain"}, {"name": "tool use", "template": "with tools"}]
    write_byte_level(tmp_path, chat_template=templates)

    entries = keys(tmp_path)

    assert entries.get("tokenizer.chat_template") == "plain"
    assert entries.get("tokenizer.chat_template.tool_use") == "with tools"
    assert entries.get("tokenizer.chat_templates") == ["tool_use"]


def test_a_sentencepiece_model_is_read_without_its_library() -> None:
    pieces = list(read_pieces(sentencepiece_model()))

    assert [piece.text for piece in pieces[:4]] == [b"<unk>", b"<s>", b"</s>", b"<0x00>"]
    assert [piece.kind for piece in pieces[:4]] == [TokenType.UNKNOWN, *[TokenType.CONTROL] * 2, TokenType.BYTE]
    assert pieces[260].score == -1.0


def test_tokens_that_transformers_5_keeps_in_tokenizer_json_alone_are_found(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path, added_tokens_decoder={})
    added = [{"id": 290, "content": "<|im_end|>", "special": True}]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added, "model": {"type": "BPE"}}))

    assert keys(tmp_path, size=300).get("tokenizer.ggml.tokens")[290] == b"<|im_end|>"


def test_a_damaged_sentencepiece_model_is_refused(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(sentencepiece_model()[:-3])

    with pytest.raises(WeightsInvalid, match="damaged"):
        read_tokenizer(tmp_path, LLAMA, None)


def test_byte_fallback_gets_scores_in_the_order_of_its_merges(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path, byte_fallback())

    entries = keys(tmp_path)

    scores = dict(zip(entries.get("tokenizer.ggml.tokens"), entries.get("tokenizer.ggml.scores"), strict=True))
    assert scores["\u2581t".encode()] > scores[b"he"] > scores["\u2581the".encode()] > scores[b"in"] > scores[b"q"]
    assert entries.get("tokenizer.ggml.model") == "llama"


def test_llama_cpp_cuts_text_by_these_scores_as_the_tokenizer_itself_does(tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "model")
    write_tokenizer_json(folder, byte_fallback(), bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    model = convert(folder, tmp_path / "out.gguf").path

    # What the tokenizers package makes of them.
    expected = {
        "the thing is in the ring": [282, 280, 267, 285, 259, 268, 278, 259, 283, 282, 259, 277, 285],
        "a the there": [284, 282, 282, 277, 264],
        "hehe Z\u00fcrich 7": [259, 281, 281, 259, 93, 198, 191, 277, 268, 262, 267, 259, 58],
        "tthehe inging er a  b": [280, 279, 281, 281, 259, 285, 285, 259, 286, 284, 259, 259, 261],
    }
    assert tokenize(model, list(expected)) == list(expected.values())


def test_byte_fallback_without_a_space_in_front_says_so(tmp_path: Path) -> None:
    tokenizer = byte_fallback()
    tokenizer["normalizer"] = tokenizer["normalizer"]["normalizers"][1]
    write_tokenizer_json(tmp_path, tokenizer)

    assert keys(tmp_path).get("tokenizer.ggml.add_space_prefix") is False


def test_unigram_becomes_llama_cpps_t5(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path, unigram())

    entries = keys(tmp_path)

    assert entries.get("tokenizer.ggml.model") == "t5"
    assert entries.get("tokenizer.ggml.scores")[3] == -2.0
    assert entries.get("tokenizer.ggml.token_type")[:2] == [TokenType.UNKNOWN, TokenType.CONTROL]
    assert entries.get("tokenizer.ggml.precompiled_charsmap") == [0, 0, 0]


def test_a_folder_without_a_tokenizer_says_how_to_save_one(tmp_path: Path) -> None:
    with pytest.raises(WeightsInvalid, match=r"tokenizer\.save_pretrained"):
        read_tokenizer(tmp_path, LLAMA, None)


def test_a_word_piece_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path, {"model": {"type": "WordPiece", "vocab": {"a": 0}}})

    with pytest.raises(UnsupportedTokenizer, match="WordPiece"):
        read_tokenizer(tmp_path, LLAMA, None)


def test_byte_fallback_has_the_tokens_of_llama_cpps_converter(oracle: Oracle, tmp_path: Path) -> None:
    """Its scores differ on purpose: it writes -1000 for every token, which joins from the left."""
    folder = write_tiny_model("llama", tmp_path / "model")
    write_tokenizer_json(
        folder, byte_fallback(), bos_token="<s>", eos_token="</s>", unk_token="<unk>", tokenizer_class="LlamaTokenizer"
    )
    oracle.convert(folder, tmp_path / "theirs.gguf", "bf16")

    ours = keys_of(convert(folder, tmp_path / "ours.gguf").path)

    found = differences(ours, keys_of(tmp_path / "theirs.gguf"))
    assert set(found) <= {"tokenizer.ggml.scores", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"}
    theirs = keys_of(tmp_path / "theirs.gguf")["tokenizer.ggml.tokens"][1]
    assert ours["tokenizer.ggml.tokens"][1][: len(theirs)] == theirs
