"""What the page says that a quantization will take, beside what the conversion writes."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from weights.starter_layout import write_starter_layout

from premrunner.weights.convert import convert

from .dropping import arrival

UNITS = {"MB": 1e6, "GB": 1e9}


@pytest.fixture(scope="module")
def layout(starter_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model as its authors published it."""
    return write_starter_layout(starter_gguf, tmp_path_factory.mktemp("layout") / "starter")


@pytest.fixture(scope="module")
def told(chromium: Browser, empty_server, layout: Path) -> dict[str, float]:
    """Bytes by the name of each quantization that can be chosen."""
    page = chromium.new_page()
    page.goto(f"{empty_server.url}/login?token={empty_server.token}")
    page.goto(f"{empty_server.url}/models")
    page.wait_for_load_state("networkidle")
    page.locator("[data-folder-input]").set_input_files(layout)
    choice = arrival(page, "starter").get_by_label("Quantization")
    expect(choice).to_be_visible()
    options = choice.locator("option").evaluate_all("(all) => all.map(({ value, text }) => [value, text])")
    page.close()
    return {value: _bytes(text) for value, text in options}


def _bytes(text: str) -> float:
    number, unit = re.search(r"([\d.]+) (MB|GB)", text).groups()
    return float(number) * UNITS[unit]


@pytest.mark.parametrize("output_type", ["auto", "q8_0", "q6_k", "q4_k_m", "q4_0"])
def test_a_size_that_is_told_before_an_import_is_that_of_the_file(told, layout, tmp_path, output_type):
    target = tmp_path / "model.gguf"
    convert(layout, target, output_type=output_type)
    assert told[output_type] == pytest.approx(target.stat().st_size, rel=0.04)
