import pytest

from premrunner.domain.chat import ChatCall
from premrunner.domain.conversations.titles import first_words, title_call, title_in
from premrunner.records import ChatRequest


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ('"Capital of France"', "Capital of France"),
        ("**Title: The Sea**\n\nand more", "The Sea"),
        ("\n\n# Ships.\n", "Ships"),
        ("The capital of France is Paris, which is a very large city on the Seine.", ""),
        ("", ""),
        ('"""', ""),
        ("w" * 200, "w" * 80),
    ],
)
def test_a_title_is_taken_out_of_what_models_make_of_it(answer, title):
    assert title_in(answer) == title


def test_the_first_words_end_with_a_whole_one():
    assert first_words("a  b\nc") == "a b c"
    assert first_words("word " * 40) == "word " * 11 + "word…"
    assert first_words(" \n") == "New conversation"


def test_a_title_is_asked_for_behind_the_conversation_with_the_model_loaded_as_it_is():
    messages = [{"role": "user", "content": "Hi"}]
    call = ChatCall(ChatRequest("m", messages, {"num_ctx": 512, "seed": 3, "stop": ["x"]}), messages)
    asked = title_call(call, "Hello.").request
    assert asked.messages[:2] == [*messages, {"role": "assistant", "content": "Hello."}]
    assert asked.options == {"num_ctx": 512, "num_predict": 24, "temperature": 0.2}
    assert asked.think is False
