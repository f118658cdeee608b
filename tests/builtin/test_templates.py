import pytest

from premrunner.builtin.gguf_header import read_header
from premrunner.builtin.refusals import Refusal
from premrunner.builtin.templates import CHATML, check_template, is_chatml_with_default_system, takes_tools, thinks

TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}" + CHATML


@pytest.mark.parametrize(
    "text",
    [
        CHATML,
        TOOLS,
        "{{ messages[0].content }}",
        "{%- for m in messages -%}{% generation %}x{% endgeneration %}{% endfor %}",
    ],
)
def test_a_jinja_template_is_taken(text):
    check_template(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ .Prompt }}",
        "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}",
        "{{ if .System }}{{ .System }}{{ end }}",
        "{{ $.Response }}",
    ],
)
def test_a_go_template_is_refused_with_the_reason(text):
    with pytest.raises(Refusal, match="takes Jinja chat templates, not Go templates"):
        check_template(text)


@pytest.mark.parametrize("text", ["plain words", "{% if %}", "{{ unclosed", "{% for x in y %}"])
def test_what_does_not_parse_is_refused(text):
    with pytest.raises(Refusal, match="template error"):
        check_template(text)


def test_the_starter_models_template_is_chatml_but_for_its_system_prompt(starter_gguf):
    template = read_header(starter_gguf).text("tokenizer.chat_template")
    assert is_chatml_with_default_system(template)
    assert not is_chatml_with_default_system(CHATML)
    assert not is_chatml_with_default_system(template + "{{ 'more' }}")
    assert not is_chatml_with_default_system(TOOLS)


def test_a_template_tells_what_its_model_can_do():
    assert takes_tools(TOOLS)
    assert not takes_tools(CHATML)
    assert thinks("{% if enable_thinking %}<think>{% endif %}")
    assert not thinks(CHATML)
