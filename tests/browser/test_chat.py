"""The chat in a real browser, with a real model: as a person uses it."""

import itertools
import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from .chatting import ANSWER_MS, ask, ask_without_chance, has_begun, has_finished

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FRANCE = "What is the capital of France?"
LONG_QUESTION = "Write a very long story about the sea, in many paragraphs."
RICH = """Here is a table, and some code:

| Fruit | Price |
|-------|------:|
| Apple |  1.20 |

```python
def price(fruit):
    return {"apple": 1.2}[fruit]
```

And a formula: $e^{i\\pi} + 1 = 0$.

<img src="https://example.org/x.png" onerror="alert(1)"> [a link](https://example.org)
"""


@pytest.fixture
def rich(page: Page, live_server) -> Page:
    """A page with an answer that holds a table, code and a formula."""
    messages = [{"role": "user", "content": "Show me all"}, {"role": "assistant", "content": RICH}]
    messages.append({"role": "user", "content": FRANCE})
    answer = live_server.chat("", messages=messages, max_tokens=4)
    page.goto(f"{live_server.url}/chat?from_trace={answer.headers['x-request-id']}")
    return page


def test_a_conversation_gets_an_address_a_title_and_a_place_in_the_list(page, live_server):
    ask_without_chance(page)
    ask(page, FRANCE)
    has_finished(page)
    expect(page).to_have_url(re.compile(f"{live_server.url}/chat/[0-9a-f]{{24}}"))
    item = page.locator(".conversations [aria-current]")
    expect(item).to_have_text(re.compile("France"))
    expect(page.locator("h1")).to_have_text(item.inner_text())
    page.reload()
    expect(page.locator(".from-user")).to_contain_text(FRANCE)
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")
    expect(page.locator(".facts")).to_contain_text(
        re.compile(r"\d+ tokens · [\d.]+ tokens/s · first token .* % of context")
    )


def test_escape_stops_an_answer_which_can_be_gone_on_with(page):
    ask_without_chance(page, max_tokens=120)
    ask(page, LONG_QUESTION)
    has_begun(page)
    page.keyboard.press("Escape")
    has_finished(page)
    expect(page.locator("[data-numbers]")).to_contain_text("Stopped")
    said = page.locator(".from-model .prose").inner_text().strip()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("[data-numbers]")).to_contain_text("Cut at the token limit", timeout=ANSWER_MS)
    whole = page.locator(".from-model .prose").inner_text().strip()
    assert whole.startswith(said)
    assert len(whole) > len(said)


def test_an_answer_goes_on_while_the_page_is_reloaded_and_after_it_was_closed(page, context, live_server):
    ask_without_chance(page, max_tokens=160)
    ask(page, LONG_QUESTION)
    has_begun(page)
    address = page.url
    page.reload()
    has_begun(page)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    said = page.locator(".from-model .prose").inner_text().strip()
    page.goto("about:blank")
    page.goto(address)
    has_finished(page)
    whole = page.locator(".from-model .prose").inner_text().strip()
    assert whole.startswith(said.split("\n")[0])
    assert len(whole) > len(said)


def test_a_connection_that_breaks_is_made_again(page):
    ask_without_chance(page)
    tries = []

    def begin(route):
        event = {"text": "So", "thinking": "", "settled": "", "open": "<p>So</p>"}
        route.fulfill(content_type="text/event-stream", body=f"data: {json.dumps(event)}\n\ndata: {{")

    page.route("**/events", lambda route: (tries.append(route), begin(route) if len(tries) == 1 else route.continue_()))
    ask(page, FRANCE)
    has_finished(page)
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")
    assert len(tries) == 2


def test_what_is_edited_or_answered_again_is_another_version(page):
    ask_without_chance(page, max_tokens=20)
    ask(page, FRANCE)
    has_finished(page)
    page.locator(".from-user").hover()
    page.get_by_role("button", name="Edit and send again").click()
    field = page.locator(".edit textarea")
    expect(field).to_have_value(FRANCE)
    expect(field).to_be_focused()
    field.fill("What is the capital of Italy?")
    page.keyboard.press("Enter")
    expect(page.locator(".from-user .versions")).to_contain_text("2/2")
    has_finished(page)
    expect(page.locator(".message")).to_have_count(2)
    page.get_by_role("link", name="Previous version").click()
    expect(page.locator(".from-user")).to_contain_text("France")
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")
    expect(page.get_by_role("link", name="Next version")).to_be_focused()
    page.locator(".from-model summary[aria-label='Answer again']").click()
    page.get_by_role("button", name="Answer again", exact=True).click()
    expect(page.locator(".from-model .versions")).to_contain_text("2/2", timeout=ANSWER_MS)
    page.reload()
    expect(page.locator(".from-user .versions")).to_contain_text("1/2")
    expect(page.locator(".from-model .versions")).to_contain_text("2/2")
    page.locator(".from-model summary[aria-label='Answer again']").click()
    page.get_by_role("button", name="With another model…").click()
    page.get_by_role("dialog").get_by_role("button", name="SmolLM2 135M Instruct").click()
    expect(page.locator(".from-model .versions")).to_contain_text("3/3", timeout=ANSWER_MS)


def test_the_list_is_searched_and_its_conversations_renamed_exported_and_deleted(page):
    ask_without_chance(page, max_tokens=5)
    ask(page, "Tell me of Quetzalcoatlus.")
    has_finished(page)
    page.wait_for_timeout(1500)  # A title of the model's may still come.
    panel = page.get_by_role("navigation", name="Conversations")
    item = panel.locator("li:has([aria-current])")
    item.hover()
    item.locator("summary").click()
    item.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Title").fill("A <b>flying</b> reptile")
    page.keyboard.press("Enter")
    expect(item.get_by_role("link")).to_have_text("A <b>flying</b> reptile")
    expect(page.locator("h1")).to_have_text("A <b>flying</b> reptile")
    page.keyboard.press("Control+k")
    page.keyboard.type("quetzalc")
    expect(panel.locator(".conversations > li")).to_have_count(1)
    expect(panel.locator("small")).to_contain_text("Quetzalcoatlus")
    page.keyboard.press("Control+a")
    page.keyboard.type("nothing of the kind")
    expect(panel).to_contain_text("Nothing holds")
    page.keyboard.press("Control+a")
    page.keyboard.type("flying")
    expect(panel.locator(".conversations > li")).to_have_count(1)
    item.locator("summary").click()
    with page.expect_download() as download:
        item.get_by_role("link", name="Export Markdown").click()
    assert download.value.suggested_filename == "a-b-flying-b-reptile.md"
    assert "Tell me of Quetzalcoatlus." in download.value.path().read_text()
    item.locator("summary").click()
    item.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    expect(panel).not_to_contain_text("flying")


def test_settings_stay_with_the_conversation(page, live_server):
    page.get_by_role("button", name="Settings of this conversation").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("System prompt").fill("You say nothing but 'Ahoy'.")
    sheet.get_by_label("Temperature").fill("0")
    sheet.get_by_label("Longest answer").fill("8")
    sheet.get_by_role("button", name="Done").click()
    ask(page, "Hello")
    has_finished(page)
    expect(page.locator("[data-open-settings][data-is-set]")).to_be_visible()
    page.get_by_role("link", name="Trace", exact=True).click()
    expect(page.locator("main")).to_contain_text("You say nothing but 'Ahoy'.")
    page.go_back()
    page.get_by_role("button", name="Settings of this conversation").click()
    expect(sheet.get_by_label("Longest answer")).to_have_value("8")
    sheet.get_by_label("Temperature").fill("7")
    sheet.get_by_role("button", name="Done").click()
    expect(sheet).to_be_visible()
    sheet.get_by_role("button", name="Clear all").click()
    expect(sheet.get_by_label("System prompt")).to_have_value("")
    expect(page.locator("[data-open-settings][data-is-set]")).to_have_count(0)
    sheet.get_by_role("button", name="Done").click()
    page.reload()
    page.get_by_role("button", name="Settings of this conversation").click()
    expect(sheet.get_by_label("System prompt")).to_have_value("")


@pytest.fixture
def offline(page: Page) -> Page:
    """A second page, where requests may fail: the browser itself complains of those."""
    other = page.context.new_page()
    other.goto(page.url)
    return other


def test_a_question_that_is_refused_stays_in_the_box(offline):
    page = offline
    page.route("**/chat/messages", lambda route: route.abort())
    ask(page, FRANCE)
    expect(page.locator("[data-composer-problem]")).to_contain_text("cannot be reached")
    expect(page.get_by_label("Your message")).to_have_value(FRANCE)
    page.unroute("**/chat/messages")
    ask_without_chance(page)
    page.keyboard.press("Enter")
    has_finished(page)
    expect(page.locator("[data-composer-problem]")).to_be_hidden()
    expect(page.locator(".from-model .prose")).to_contain_text("Paris")


def test_a_question_without_a_model_stays_in_the_box(chromium, empty_server):
    page = chromium.new_page()
    page.goto(f"{empty_server.url}/login?token={empty_server.token}")
    ask(page, FRANCE)
    expect(page.locator("[data-composer-problem]")).to_have_text(re.compile("No model can be asked yet."))
    expect(page.get_by_label("Your message")).to_have_value(FRANCE)
    page.close()


def test_a_page_that_was_made_without_an_engine_asks_the_model_that_it_would_have(page, live_server):
    ask_without_chance(page, max_tokens=4)
    page.route(f"{live_server.url}/", _without_models)
    page.reload()
    expect(page.locator(".picker-button")).to_have_text("No model yet")
    ask(page, FRANCE)
    has_finished(page)
    expect(page.locator(".picker-button")).to_have_text(re.compile("SmolLM2"))


def _without_models(route: Route) -> None:
    """Give the page as it is while the engine starts."""
    answer = route.fetch()
    text = re.sub(r'data-value="[^"]*"', 'data-value=""', answer.text(), count=1)
    text = re.sub(r"<span data-picked>[^<]*", "<span data-picked>No model yet", text)
    route.fulfill(response=answer, body=text)


def test_thinking_is_folded_and_settled_blocks_stay_while_the_open_one_is_replaced(page):
    events = [
        {"text": "a", "thinking": "Hm.", "settled": "", "open": "<p>First</p>"},
        {"text": "b", "thinking": "", "settled": "<p>First.</p>", "open": "<ul><li>Se</li></ul>"},
        {"text": "c", "thinking": "", "settled": "", "open": "<p>Last</p>"},
        {
            "end": {
                "status": "done",
                "thought": "Thought for 2.00 s",
                "foot": "<p class='facts'>3 tokens</p>",
                "error": "",
            }
        },
    ]
    body = ": still here\n\n" + "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    ask(page, "Hello")
    has_finished(page)
    assert page.locator(".from-model .prose").inner_text().split() == ["First.", "Last"]
    summary = page.locator(".from-model summary").first
    expect(summary).to_have_text("Thought for 2.00 s")
    expect(page.get_by_text("Hm.")).to_be_hidden()
    summary.click()
    expect(page.get_by_text("Hm.")).to_be_visible()


def test_tables_code_and_formulas_are_drawn_and_code_is_copied(rich, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = rich.locator(".from-model").first
    expect(answer.locator("td").first).to_have_text("Apple")
    expect(answer.locator("math mi").first).to_have_text("e")
    assert answer.locator("img").count() == 0
    answer.locator("pre").hover()
    answer.locator(".code-box").get_by_role("button", name="Copy").click()
    assert rich.evaluate("navigator.clipboard.readText()").startswith("def price(fruit):")
    answer.get_by_role("button", name="Copy", exact=True).last.click()
    expect(answer.locator(".is-done")).to_be_visible()
    assert rich.evaluate("navigator.clipboard.readText()") == RICH


def test_everything_is_done_with_keys_alone(page):
    ask_without_chance(page, max_tokens=300)
    expect(page.get_by_label("Your message")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".picker-button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Search models")).to_be_focused()
    page.keyboard.type("nobody")
    expect(page.get_by_text("No model of that name.")).to_be_visible()
    page.keyboard.press("Control+a")
    page.keyboard.type("smol")
    expect(page.get_by_role("option", name=re.compile("SmolLM2"))).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".picker-button")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("Tell me")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("a long story.")
    page.keyboard.press("Enter")
    has_begun(page)
    expect(page.get_by_label("Your message")).to_be_focused()
    page.keyboard.press("Escape")
    has_finished(page)
    page.locator("h1").click()
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    page.wait_for_load_state()
    page.locator("h2").first.click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Stop the answer")


def test_two_models_are_compared_and_one_is_gone_on_with(page, live_server):
    ask_without_chance(page, max_tokens=12)
    page.get_by_role("link", name="Compare two models").click()
    page.wait_for_url("**/chat/compare")
    ask(page, FRANCE)
    has_finished(page)
    expect(page.locator(".columns .from-model")).to_have_count(2)
    expect(page).to_have_url(re.compile("/compare$"))
    page.reload()
    expect(page.locator(".columns .prose").last).to_contain_text("Paris")
    page.get_by_role("link", name="Go on with this one").first.click()
    expect(page.locator(".from-model .versions")).to_contain_text("1/2")
    page.wait_for_load_state()
    ask(page, "And of Italy?")
    has_finished(page)
    expect(page.locator(".message")).to_have_count(4)


def test_pictures_are_offered_and_taken_only_where_the_model_sees(offline):
    page = offline
    drop = """() => {
        const data = new DataTransfer();
        const bytes = Uint8Array.from(atob(PNG), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], "dot.png", { type: "image/png" }));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }""".replace("PNG", json.dumps(DOT))
    expect(page.get_by_role("button", name="Add pictures")).to_be_hidden()
    page.evaluate(drop)
    expect(page.locator("[data-composer-problem]")).to_contain_text("cannot look at pictures")
    option = '<li role="option" data-value="seeing" data-name="Seeing" data-state="ready" data-sees>Seeing</li>'
    page.route("**/chat/models", lambda route: route.fulfill(body=option, content_type="text/html"))
    page.locator(".picker-button").click()
    page.get_by_role("option").click()
    expect(page.get_by_role("button", name="Add pictures")).to_be_visible()
    page.evaluate(drop)
    expect(page.get_by_role("img", name="dot.png")).to_be_visible()
    page.get_by_role("button", name="Remove dot.png").click()
    expect(page.locator("[data-attached]")).to_be_hidden()
    page.evaluate(drop)
    sent = []
    page.route("**/chat/messages", lambda route: (sent.append(route.request.post_data_json), route.abort()))
    ask(page, "What is this?")
    expect(page.locator("[data-composer-problem]")).to_contain_text("cannot be reached")
    assert sent[0]["images"] == [f"data:image/png;base64,{DOT}"]
    assert sent[0]["model"] == "seeing"


def test_on_a_phone_the_list_is_a_drawer_and_nothing_is_wider_than_the_screen(rich):
    rich.set_viewport_size({"width": 390, "height": 844})
    drawer = rich.get_by_role("navigation", name="Conversations")
    expect(drawer).to_be_hidden()
    rich.get_by_role("button", name="Conversations").click()
    expect(drawer).to_be_visible()
    expect(drawer.get_by_role("link", name="New chat")).to_be_visible()
    rich.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert rich.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_conversations_are_read_without_javascript(rich, chromium, live_server):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    page.goto(rich.url)
    expect(page.locator(".from-model td").first).to_have_text("Apple")
    expect(page.get_by_role("button", name="Send")).to_be_hidden()
    page.goto(f"{live_server.url}/chat/conversations")
    page.get_by_role("searchbox").fill("show me all")
    page.keyboard.press("Enter")
    page.locator(".conversations a").first.click()
    expect(page.locator(".from-user").first).to_contain_text("Show me all")
    context.close()


def test_a_long_answer_is_announced_in_calm_portions(page):
    ask_without_chance(page, max_tokens=150)
    page.evaluate("""() => {
        window.said = [];
        const region = document.querySelector("[data-announcer]");
        new MutationObserver(() => said.push(performance.now())).observe(region, { childList: true });
    }""")
    ask(page, "Write three paragraphs about the sea.")
    has_finished(page)
    expect(page.locator("[data-announcer]")).to_contain_text("End of the answer.", timeout=ANSWER_MS)
    said = page.evaluate("said")
    pauses = [later - earlier for earlier, later in itertools.pairwise(said[:-1])]  # The end is said at once.
    assert all(pause > 2000 for pause in pauses)
