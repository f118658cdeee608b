"""The gesture that the product is for: a file is dropped, looked into, sent, imported, and answers."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BUSY_SECONDS, LiveServer, start_server, stop_server
from imports.conftest import zip_of
from live.processes import children_of, wait_until_gone
from playwright.sync_api import BrowserContext, Locator, Page, expect

from .complaints import Complaints
from .dropping import IMPORT_MS, arrival, drop

LIGHTHOUSE = Path(__file__).parent.parent / "weights" / "data" / "lora-lighthouse.zip"


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(context: BrowserContext, own_server: LiveServer, complaints: Complaints) -> Iterator[Page]:
    """The page of models; at the end it must not have complained."""
    page = context.new_page()
    complaints.watch(page, own_server.url)
    page.goto(f"{own_server.url}/login?token={own_server.token}")
    page.goto(f"{own_server.url}/models")
    page.wait_for_load_state("networkidle")  # Scripts are there, and listen to keys.
    yield page
    assert complaints == []


@pytest.fixture(scope="module")
def stored_zip(starter_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zip_of(tmp_path_factory.mktemp("stored") / "my-bot.zip", {"my-bot/model.gguf": starter_gguf}, 0)


def sent_bytes(page: Page) -> list[str]:
    """Collect the addresses of requests that change something, from now on."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method in ("POST", "PUT") else None)
    return sent


def test_a_dropped_zip_becomes_a_model_that_answers(page, stored_zip):
    began_at = time.monotonic()
    drop(page, stored_zip)
    card = arrival(page, "my-bot")
    expect(card.locator(".figures")).to_contain_text("135 million")
    assert time.monotonic() - began_at < 1 + 2 * BUSY_SECONDS
    expect(card).to_contain_text("GGUF model in a ZIP · 98 MB to send")
    expect(card.locator(".figures")).to_contain_text("Q4_1")
    card.get_by_label("Name").fill("My bot")
    card.get_by_text("System prompt, context and more").click()
    card.get_by_label("System prompt").fill("You are a lighthouse.")
    card.get_by_label("Context, in tokens").fill("2048")
    card.get_by_role("button", name="Import").click()
    card = arrival(page, "My bot")
    expect(card.locator("[aria-current=step]")).to_be_visible()
    expect(card.locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
    expect(card.locator(".proof")).to_contain_text("tokens per second")
    assert card.locator("[data-answer]").inner_text()
    expect(page.locator(".card.model")).to_contain_text("my-bot")
    card.get_by_role("link", name="Use from code").click()
    expect(page.get_by_role("region", name="OpenAI SDK")).to_contain_text('model="my-bot"')
    expect(page.locator(".about")).to_contain_text("You are a lighthouse.")
    expect(page.locator(".about")).to_contain_text("2,048 tokens")


def test_a_wrong_file_is_refused_and_not_a_byte_is_sent(page, tmp_path):
    sent = sent_bytes(page)
    pickle = tmp_path / "pytorch_model.bin"
    pickle.write_bytes(b"\x80\x02" + os.urandom(1000))
    drop(page, pickle)
    expect(page.locator(".arrival .tag")).to_have_text("Cannot be imported")
    expect(page.locator(".arrival")).to_contain_text("is a Python pickle")
    expect(page.locator(".arrival")).to_contain_text("save_pretrained")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".arrival")).to_have_count(0)
    assert sent == []


def test_an_adapter_fails_without_its_base_and_succeeds_when_it_has_come(page, starter_gguf, tmp_path):
    drop(page, LIGHTHOUSE)
    tuned = arrival(page, "lora-lighthouse")
    expect(tuned).to_contain_text("is not here")
    tuned.get_by_role("button", name="Import").click()
    expect(tuned.locator(".tag")).to_have_text("Failed", timeout=IMPORT_MS)
    expect(tuned.locator(".is-bad")).to_have_text("Find base")
    base = tmp_path / "SmolLM2-135M-Instruct.gguf"
    base.symlink_to(starter_gguf)
    page.locator("[data-file-input]").set_input_files(base)
    arrival(page, "SmolLM2-135M-Instruct").get_by_role("button", name="Import").click()
    ready = arrival(page, "SmolLM2-135M-Instruct").locator(".tag")
    expect(ready).to_have_text("Ready", timeout=IMPORT_MS)
    tuned.get_by_role("button", name="Change and try again").click()
    tuned.locator("[name=base]").select_option("smollm2-135m-instruct")
    tuned.get_by_role("button", name="Try again with this").click()
    expect(tuned.locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
    expect(page.locator(".card.model")).to_have_count(2)


def test_a_file_that_is_a_model_already_is_shown_and_can_become_another(page, own_server, starter_gguf, tmp_path):
    def give(name: str) -> Locator:
        copy = tmp_path / f"{name}.gguf"
        copy.symlink_to(starter_gguf)
        page.locator("[data-file-input]").set_input_files(copy)
        card = arrival(page, name)
        card.get_by_role("button", name="Import").click()
        return card

    expect(give("first").locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    again = give("again")
    expect(again.locator(".tag")).to_have_text("Here already")
    expect(again).to_contain_text("as the model first")
    expect(again.get_by_role("link", name="Use from code")).to_have_attribute("href", "/models/first")
    assert sent == []
    assert own_server.get("/v1/chunked-upload").json()["uploads"] == []
    again.get_by_role("button", name="Import it again").click()
    expect(again.locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
    expect(page.locator(".card.model")).to_have_count(2)
    # Where a browser cannot compare, the server does when the file has come.
    page.evaluate("Object.defineProperty(crypto, 'subtle', { value: undefined })")
    late = give("late")
    expect(late.locator(".tag")).to_have_text("Here already", timeout=30_000)
    assert sent
    late.get_by_role("button", name="Dismiss").click()
    expect(late).to_have_count(0)
    assert own_server.get("/v1/chunked-upload").json()["uploads"] == []


def test_an_upload_survives_a_killed_server_and_a_reload(context, chromium, stored_zip, tmp_path_factory):
    data = tmp_path_factory.mktemp("killed") / "data"
    server = start_server(data, PREMRUNNER_STARTER="none")
    page = context.new_page()
    page.goto(f"{server.url}/login?token={server.token}")
    page.goto(f"{server.url}/models")
    slow_line(context, page)
    page.locator("[data-file-input]").set_input_files(stored_zip)
    card = arrival(page, "my-bot")
    card.get_by_role("button", name="Import").click()
    expect(card.locator("[data-said]")).to_contain_text(re.compile(r"[5-9]\d % of 98 MB"), timeout=30_000)
    kill(server)
    expect(card.locator("[data-said]")).to_contain_text("the server is away", timeout=20_000)
    again = start_server(data, PREMRUNNER_STARTER="none", PORT=server.url.rsplit(":", 1)[1])
    try:
        slow_line(context, page, bytes_a_second=-1)
        page.reload()
        expect(card.locator(".tag")).to_have_text("Paused")
        expect(card).to_contain_text("Choose or drop my-bot.zip again")
        before = again.get("/v1/chunked-upload").json()["uploads"][0]["receivedBytes"]
        assert before > 10_000_000
        puts: list[str] = []
        page.on("request", lambda request: puts.append(request.url) if request.method == "PUT" else None)
        with page.expect_file_chooser() as chooser:
            card.get_by_role("button", name="Choose again").click()
        chooser.value.set_files(stored_zip)
        # While it is looked into it has a card of its own, above.
        expect(page.locator(".arrival").last.locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
        assert 0 < len(puts) < 12  # Of twelve chunks, those that were there already are not sent again.
    finally:
        stop_server(again)


def test_a_part_that_the_server_has_lost_is_sent_again(page, own_server, stored_zip):
    lost = re.compile(r"/chunks/3$")
    puts: list[str] = []
    page.on("request", lambda request: puts.append(request.url) if request.method == "PUT" else None)
    page.route(lost, lambda route: route.fulfill(json={"success": True}), times=1)
    page.locator("[data-file-input]").set_input_files(stored_zip)
    card = arrival(page, "my-bot")
    card.get_by_role("button", name="Import").click()
    expect(card.locator(".tag")).to_have_text("Ready", timeout=IMPORT_MS)
    assert len([url for url in puts if lost.search(url)]) == 2


def test_another_file_of_the_same_name_and_size_does_not_go_on_with_an_upload(page, own_server, stored_zip, tmp_path):
    begun = tmp_path / "one" / "my-bot.zip"
    begun.parent.mkdir()
    begun.write_bytes(stored_zip.read_bytes())
    slow_line(page.context, page)
    page.locator("[data-file-input]").set_input_files(begun)
    card = arrival(page, "my-bot")
    card.get_by_role("button", name="Import").click()
    expect(card.locator("[data-said]")).to_contain_text(re.compile(r"[1-9]\d? % of 98 MB"))
    card.get_by_role("button", name="Pause").click()
    expect(card.locator(".tag")).to_have_text("Paused")
    page.reload()
    with begun.open("r+b") as other:
        other.seek(50_000_000)
        other.write(bytes(3_000_000))
    with page.expect_file_chooser() as chooser:
        card.get_by_role("button", name="Choose again").click()
    chooser.value.set_files(begun)
    expect(page.locator(".toast")).to_contain_text("is not what was begun")
    card.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".arrival")).to_have_count(0)
    assert own_server.get("/v1/chunked-upload").json()["uploads"] == []


def test_the_keyboard_alone_brings_and_changes_and_deletes_a_model(page, stored_zip):
    page.on("filechooser", lambda chooser: chooser.set_files(stored_zip))
    press_until(page, "Choose files")
    page.keyboard.press("Enter")
    expect(page.locator(".arrival")).to_contain_text("GGUF model")
    press_until(page, "Import")
    page.keyboard.press("Enter")
    expect(page.locator(".arrival .tag")).to_have_text("Ready", timeout=IMPORT_MS)
    press_until(page, "Use from code")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/my-bot")
    press_until(page, "Edit")
    page.keyboard.press("Enter")
    page.keyboard.type("Answer in French.")
    press_until(page, "Save")
    page.keyboard.press("Enter")
    expect(page.locator(".about")).to_contain_text("Answer in French.")
    press_until(page, "More")
    page.keyboard.press("Enter")
    press_until(page, "Rename")
    page.keyboard.press("Enter")
    page.keyboard.type("Le phare")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Le phare")
    press_until(page, "More")
    page.keyboard.press("Enter")
    press_until(page, "Delete")
    page.keyboard.press("Enter")
    press_until(page, "Delete")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models")
    expect(page.locator(".toast")).to_contain_text("98 MB are free again")
    expect(page.locator(".card.model")).to_have_count(0)


def test_a_model_is_taken_out_of_memory_and_back(page, own_server, starter_gguf):
    with starter_gguf.open("rb") as file:
        own_server.post("/v1/models/upload", files={"file": (starter_gguf.name, file)}, data={"name": "Bot"})
    expect(page.locator(".arrival .tag")).to_have_text("Ready", timeout=IMPORT_MS)
    card = page.locator(".card.model")
    card.get_by_role("button", name="Unload Bot").click()
    expect(card.get_by_role("button", name="Load Bot", exact=True)).to_be_visible()
    card.get_by_role("button", name="Load Bot", exact=True).click()
    expect(card.locator(".tag.good")).to_have_text("In memory", timeout=IMPORT_MS)


def test_an_upload_that_somebody_gives_up_while_the_page_loads_is_not_shown_and_the_page_lives_on(page, own_server):
    gone, kept = (
        own_server.post("/v1/chunked-upload/start", {"fileName": "m.gguf", "fileSize": 9, "modelName": name}).json()
        for name in ("Gone", "Kept")
    )

    def give_up_first(route):
        own_server.delete(f"/v1/chunked-upload/{gone['modelId']}")
        route.continue_()

    page.route("**/v1/chunked-upload", give_up_first)
    page.goto(f"{own_server.url}/models")
    page.wait_for_load_state("networkidle")
    expect(page.locator(".arrival")).to_have_count(1)
    expect(page.locator(".arrival")).to_contain_text("Kept")
    expect(page.locator(".arrival")).to_contain_text("go on there, or delete it here")
    own_server.delete(f"/v1/chunked-upload/{kept['modelId']}")


def test_the_page_weighs_little_until_there_is_something_to_do(page, own_server):
    context = page.context
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    answers: list = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(f"{own_server.url}/models")
    page.wait_for_load_state("networkidle")
    sizes = {answer.url: len(answer.body()) for answer in answers if answer.status == 200}
    assert any(url.endswith("js/models.js") for url in sizes)
    assert not any("/inspect/" in url for url in sizes)
    assert sum(sizes.values()) < 100_000


def press_until(page: Page, name: str) -> None:
    """Press Tab until what has that name has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "[document.activeElement.getAttribute('aria-label'), document.activeElement.textContent.trim()]"
        )
        if name in focused:
            return
    raise AssertionError(f"Tab never comes to {name!r}.")


def slow_line(context: BrowserContext, page: Page, bytes_a_second: int = 20_000_000) -> None:
    """Let uploads take long enough to be watched; -1 takes the brake off."""
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
    session.send("Network.emulateNetworkConditions", limits)


def kill(server: LiveServer) -> None:
    """End a server as a power cut would."""
    family = [server.process.pid, *children_of(server.process.pid)]
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    wait_until_gone(family)
