"""The stepping page in a real browser: a headless Chromium opens it from disk and uses it as a reader does."""

import os
import re
import shutil
from itertools import combinations

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import leaf
from tests.viz.test_html import HOSTILE, price, three_layers
from tinygrad_edu import nn
from viz import draw

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def fruit():
    y = (leaf(2.0, "apples") * leaf(100.0, "apple") + leaf(150.0, "orange") * leaf(3.0, "oranges")) * leaf(1.1, "tax")
    y.name = "price"
    return draw(y)


def softmax_with_loss(**options):
    scores = [leaf(x, f"a{i}") for i, x in enumerate((0.3, 2.9, 4.0), 1)]
    targets = [tg.Tensor(x, name=f"t{i}") for i, x in enumerate((0.0, 1.0, 0.0), 1)]
    e = [np.exp(a) for a in scores]
    share = 1 / (e[0] + e[1] + e[2])
    terms = [t * np.log(x * share) for t, x in zip(targets, e, strict=True)]
    loss = (terms[0] + terms[1] + terms[2]) * -1
    loss.name = "L"
    return draw(loss, **options)


def fan_out():
    x = leaf(3.0, "x")
    y = x * x + x
    y.name = "y"
    return draw(y)


# ---------------------------------------------------------------------------------------------------
# The browser


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: apt install chromium")
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The pages, each written once."""
    folder, drawings = tmp_path_factory.mktemp("pages"), {}

    def written(make, **options):
        key = f"{make.__name__}{options}"
        if key not in drawings:
            drawing = make(**options)
            drawings[key] = drawing, drawing.save(folder / f"{len(drawings)}.html")
        return drawings[key]

    return written


@pytest.fixture(scope="module")
def tab(browser):
    """A tab that most tests share, since opening one takes longer than using it."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        yield context.new_page()


@pytest.fixture
def visit(browser, files, tab):
    """Opens the page of a figure; at the end, it must have asked for nothing and complained of nothing."""
    complaints, requests, heard, contexts, opened = [], [], [], [], []

    def listen(page):
        for event, hear in (
            ("console", lambda message: complaints.append(message.text)),
            ("pageerror", lambda error: complaints.append(str(error))),
            ("dialog", lambda dialog: complaints.append(dialog.message)),
            ("request", lambda request: requests.append(request.url)),
        ):
            page.on(event, hear)
            heard.append((page, event, hear))

    def visited(make=price, *, figure=None, width=1280, height=720, **options):
        drawing, path = files(make, **(figure or {}))
        page = tab
        if options or (width, height) != (1280, 720):
            contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
            page = contexts[-1].new_page()
        listen(page)
        page.goto(path.as_uri())
        opened.append(path.as_uri())
        page.drawing = drawing
        return page

    yield visited
    for page, event, hear in heard:
        page.remove_listener(event, hear)
    tab.emulate_media(media="screen")  # whatever the test left: the next one finds a screen
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == opened


NUMBERS = "es => es.filter(e => e.checkVisibility({visibilityProperty: true})).map(e => e.textContent).sort()"


TEXTS = "es => es.map(e => e.textContent)"


def numbers(page):
    """The numbers that are to be seen along the arrows."""
    return page.eval_on_selector_all("#figure .number > text", NUMBERS)


def step(page):
    return page.text_content("#counter")


def view_box(page):
    return [float(x) for x in page.get_attribute("#figure", "viewBox").split()]


def end(page):
    page.keyboard.press("End")


def until(page, said):
    """Waits until something is so; a page that runs no other scripts refuses Playwright's own way to wait."""
    for _ in range(1000):
        if page.evaluate(said):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never so: {said}")


# ---------------------------------------------------------------------------------------------------
# Steps


def test_it_opens_from_disk_and_asks_for_nothing(visit):
    page = visit()
    assert page.title() == "Computational graph of price"
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert step(page) == "0 / 5"
    assert numbers(page) == []


def test_at_each_step_just_these_numbers_are_seen(visit):
    page = visit()
    seen = []
    for new in (["100", "2", "200"], ["1.1", "220"], ["1"], ["1.1", "200"], ["110", "2.2"]):
        page.keyboard.press("ArrowRight")
        seen += new
        assert numbers(page) == sorted(seen)
    page.keyboard.press("ArrowLeft")
    assert numbers(page) == sorted(seen[:-2])


@pytest.mark.parametrize("make", [fruit, softmax_with_loss, fan_out], ids=lambda make: make.__name__)
def test_each_step_shows_what_the_frame_shows(visit, make):
    page = visit(make)
    steps = page.drawing.steps
    things = [*page.drawing.scene.lines, *(t for t in page.drawing.scene.texts if t.role in ("value", "grad"))]
    for k, last in enumerate(sorted(set(steps.values()))):
        page.keyboard.press("ArrowRight")
        assert step(page).startswith(f"{k + 1} / ")
        shown = page.evaluate(
            """() => [...document.querySelectorAll('#figure .line, #figure .number text[id]')]
            .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('.forward.pending')).map(e => e.id)"""
        )
        assert sorted(shown) == sorted(thing.id for thing in things if thing.step <= last)


@pytest.mark.parametrize("style", ["record", "plain"])
def test_the_other_styles_step_too(visit, style):
    page = visit(price, figure={"style": style})
    seen = [numbers(page)]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        seen.append(numbers(page))
    mark = "" if style == "record" else "∂ "
    forward = ["1.1", "100", "2", "200", "220"]
    assert seen[0] == []
    assert seen[2] == sorted(forward)
    assert seen[3] == sorted([*forward, f"{mark}1"])
    assert seen[4] == sorted([*forward, *(f"{mark}{number}" for number in ("1", "1.1", "200"))])
    assert seen[5] == sorted([*forward, *(f"{mark}{number}" for number in ("1", "1.1", "200", "2.2", "110"))])
    page.click("#exercise")
    assert numbers(page) == sorted([*forward, f"{mark}1"])
    page.click('.answer[data-wire="u0"]')
    assert f"{mark}2.2" in numbers(page)
    page.click("#o0")
    assert page.text_content("#panel h2") == "×multiply"
    page.click("text=apple")
    assert page.text_content("#panel h2") == "apple"
    assert page.text_content("#panel [data-part=total]") == "2.2"


@pytest.mark.parametrize("style", ["record", "plain"])
def test_layers_close_and_open_in_the_other_styles(visit, style):
    page = visit(three_layers, figure={"style": style})
    page.keyboard.press("End")
    before = page.locator("#figure .node:not(.name)").count()
    page.click("#close-all")
    closed = page.locator("#figure .node:not(.name)").count()
    assert closed < before
    page.click(".badge >> nth=0")
    assert closed < page.locator("#figure .node:not(.name)").count() <= before
    page.click("#open-all")
    assert page.locator("#figure .node:not(.name)").count() == before


def test_keys_buttons_and_slider_move(visit):
    page = visit()
    for key, where in (("End", 5), ("ArrowLeft", 4), ("Home", 0), ("ArrowRight", 1), ("PageDown", 2), ("PageUp", 1)):
        page.keyboard.press(key)
        assert step(page) == f"{where} / 5"
    for button, where in (("Next step", 2), ("To the end", 5), ("Previous step", 4), ("To the start", 0)):
        page.get_by_role("button", name=button).click()
        assert step(page) == f"{where} / 5"
    slider = page.get_by_role("slider", name="Step")
    slider.fill("3")
    assert (step(page), slider.get_attribute("aria-valuetext")) == ("3 / 5", "Step 3 of 5, backward")
    slider.press("ArrowRight")  # one step, not two
    assert step(page) == "4 / 5"
    assert "100" not in numbers(page) or "2.2" not in numbers(page)


def test_space_plays_to_the_end_and_pauses(visit):
    page = visit(reduced_motion="reduce")
    page.clock.install()
    page.keyboard.press(" ")
    assert step(page) == "1 / 5"
    page.clock.run_for(1500)
    assert step(page) == "2 / 5"
    page.keyboard.press(" ")
    page.clock.run_for(5000)
    assert step(page) == "2 / 5"
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(20_000)
    assert step(page) == "5 / 5"
    assert page.get_attribute("#play", "aria-label") == "Play"
    page.keyboard.press(" ")  # from the start again
    assert step(page) == "1 / 5"


def test_the_step_is_told_in_a_sentence(visit):
    page = visit()
    page.keyboard.press("ArrowRight")
    assert page.text_content("#caption") == "multiply takes apple (100) and count (2) and gives 200."
    end(page)
    assert page.text_content("#caption") == "Going back, 1.1 arrives; 2.2 goes to apple and 110 goes to count."


# ---------------------------------------------------------------------------------------------------
# The panel


PRODUCTS = """() => [...document.querySelectorAll('#panel .input')].map(input => [input.dataset.use,
    ...['arrives', 'local', 'passed'].map(part => input.querySelector(`[data-part="${part}"] data`)?.value ?? null)])"""


@pytest.mark.parametrize("make", [price, fruit, softmax_with_loss, fan_out], ids=lambda make: make.__name__)
def test_a_node_shows_the_chain_rule_and_its_numbers_multiply_right(visit, make):
    page = visit(make)
    end(page)
    graph = page.drawing.graph
    uses, values = {use.id: use for use in graph.uses}, {value.id: value for value in graph.values}
    for op in graph.ops:
        page.focus(f"#{op.id}")
        page.keyboard.press("Enter")
        found = page.evaluate(PRODUCTS)
        assert [use for use, *_ in found] == [use for use in op.inputs if uses[use].flows]
        for use, arriving, local, passed in found:
            assert float(arriving) == values[op.outputs[0]].grad
            assert float(passed) == uses[use].grad
            assert float(arriving) * float(local) == pytest.approx(float(passed), rel=1e-12)


def test_a_click_tells_and_escape_closes(visit):
    page = visit()
    end(page)
    page.click("#o0")
    panel = page.locator("#panel")
    assert "multiply" in panel.locator("h2").text_content()
    assert panel.locator(".formula >> text=∂price/∂apple = ∂price/∂(apple·count)·count").count() == 1
    assert panel.locator(".product").first.inner_text().split() == [
        "1.1", "×", "2", "=", "2.2", "∂price/∂(apple·count)", "count", "∂price/∂apple",
        "arrives", "local", "derivative", "passed", "on",
    ]  # fmt: skip
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    page.click("#o1")
    panel.get_by_role("button", name="Close").click()
    assert not panel.is_visible()


def test_the_panel_does_not_run_ahead(visit):
    page = visit()
    page.click("#o0")
    assert "2.2" not in page.text_content("#panel")
    assert "200" not in page.text_content("#panel")
    page.keyboard.press("ArrowRight")
    assert "200" in page.text_content("#panel")
    page.locator("#panel .input button").first.click()  # comes in step 5
    assert step(page) == "5 / 5"
    assert "2.2" in page.text_content("#panel")


def test_a_value_used_twice_is_the_sum_of_its_contributions(visit):
    page = visit(fan_out)
    end(page)
    page.get_by_role("button", name=re.compile("^x")).click()
    parts = page.eval_on_selector_all("#panel [data-part=contribution] data", "es => es.map(e => +e.value)")
    (total,) = page.eval_on_selector_all("#panel [data-part=total] data", "es => es.map(e => +e.value)")
    assert (parts, total) == ([3, 3, 1], 7)


def test_arrays_are_told_with_their_formula(visit):
    page = visit(three_layers, figure={"collapse": None})
    end(page)
    page.focus("#o0")
    page.keyboard.press("Enter")
    text = page.text_content("#panel")
    assert "∂L/∂weight₀ = Xᵀ · ∂L/∂(X·weight₀)" in text
    assert page.locator("#panel [data-part=passed] td").count() == 6


# ---------------------------------------------------------------------------------------------------
# Exercises


def test_an_exercise_hides_the_derivatives_and_reveals_them(visit):
    page = visit()
    end(page)
    everything = numbers(page)
    page.get_by_role("button", name="Exercise").click()
    assert numbers(page) == ["1", "1.1", "100", "2", "200", "220"]  # ∂price/∂price and the values
    assert "2.2" not in page.text_content("#caption")
    labels = page.eval_on_selector_all("#figure [aria-label]", "es => es.map(e => e.ariaLabel).join()")
    assert "2.2" not in labels
    page.get_by_role("button", name="Show ∂price/∂apple").click()
    assert numbers(page) == sorted(["1", "1.1", "100", "2", "200", "220", "2.2"])
    page.get_by_role("button", name="Show ∂price/∂count").press("Enter")
    assert "110" in numbers(page)
    page.get_by_role("button", name="Show all answers").click()
    assert numbers(page) == everything
    page.get_by_role("button", name="Hide all answers").click()
    assert numbers(page) == ["1", "1.1", "100", "2", "200", "220"]
    page.get_by_role("button", name="Exercise").click()
    assert numbers(page) == everything


def keyed(**options):
    x, w = leaf(2.0, "x"), leaf(3.0, "w")
    y = x * w
    y.name = "y"
    return draw(y, legend=[x, w], **options)


@pytest.mark.parametrize("grad", ["number", "blank"])
def test_an_exercise_hides_the_formulas_of_the_legend(visit, grad):
    page = visit(keyed, figure={"grad": grad})
    if grad == "number":
        assert page.eval_on_selector_all("#figure .legend", TEXTS) == ["∂y/∂x = w", "∂y/∂w = x"]
        page.click("#exercise")
    asked = ["∂y/∂x = ____________", "∂y/∂w = ____________"]
    assert page.eval_on_selector_all("#figure .legend", TEXTS) == asked
    page.click('.answer[data-wire="u0"]')
    assert page.eval_on_selector_all("#figure .legend", TEXTS) == ["∂y/∂x = w", asked[1]]
    page.click("#answers")
    assert page.eval_on_selector_all("#figure .legend", TEXTS) == ["∂y/∂x = w", "∂y/∂w = x"]


def test_the_panel_of_an_exercise_asks(visit):
    page = visit(figure={"grad": "blank"})
    assert step(page) == "5 / 5"
    page.click("#o0")
    assert page.locator("#panel .ask").count() == 4
    assert "2.2" not in page.text_content("#panel")
    page.locator("#panel section").first.get_by_role("button", name="Show ∂price/∂apple").click()
    assert page.locator("#panel [data-part=passed] data").first.text_content() == "2.2"
    assert "2.2" in numbers(page)


# ---------------------------------------------------------------------------------------------------
# Layers


def test_layers_open_and_close(visit):
    page = visit(three_layers)
    end(page)

    def count():
        return page.locator("#figure .node .outline").count()

    opened = count()
    page.get_by_role("button", name="Close Linear").first.click()
    assert count() == opened - 1  # dot and + are one box now
    assert page.locator("#figure .outline.box").count() == 1, "only layers are boxes"
    page.get_by_role("button", name="Close all layers").click()
    assert count() == opened - 3
    assert page.get_by_role("button", name="Open Linear").count() == 3
    assert "0.3" not in page.text_content("#caption")
    page.get_by_role("button", name="Open Linear").nth(1).press("Enter")
    assert count() == opened - 2
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Close Linear"
    page.get_by_role("button", name="Open all layers").click()
    assert count() == opened


def closed_network():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    scores = model(tg.Tensor(np.ones((4, 2), np.float32), name="x"))
    return draw(nn.functional.cross_entropy(scores, np.zeros(4, int)), collapse="all")


def test_the_end_stays_the_end_when_layers_open(visit):
    page = visit(closed_network)
    page.keyboard.press("End")
    page.click("#open-all")
    now, last = step(page).split(" / ")
    assert now == last
    assert page.locator("#figure .number.pending").count() == 0


def test_a_question_mark_shows_the_keys(visit):
    page = visit()
    assert not page.is_visible("#keys")
    page.keyboard.press("?")
    assert page.is_visible("#keys")
    page.keyboard.press("?")
    assert not page.is_visible("#keys")


def test_closing_a_layer_keeps_what_has_been_computed(visit):
    page = visit(three_layers)
    for k, closed in ((0, 0), (1, 0), (2, 1), (4, 2), (5, 3), (9, 6), (10, 7), (19, 12)):
        page.fill("#slider", str(k))
        assert step(page) == f"{k} / 19"
        page.click("#close-all")
        assert step(page) == f"{closed} / 12"
        page.click("#open-all")


def test_the_numbers_do_not_change_when_layers_close(visit):
    page = visit(three_layers)
    end(page)
    loss = [text for text in numbers(page) if re.fullmatch(r"0\.\d+", text)]
    assert len(loss) == 1
    page.click("#close-all")
    assert [text for text in numbers(page) if re.fullmatch(r"0\.\d+", text)] == loss


# ---------------------------------------------------------------------------------------------------
# How it looks


BOXES = """() => [...document.querySelectorAll('#figure text[id]')].map(e => {
    const b = e.getBBox(); return [e.textContent, b.x, b.y + b.height * .18, b.x + b.width, b.y + b.height * .82]})"""


def overlaps(boxes):
    return [
        (a[0], b[0]) for a, b in combinations(boxes, 2) if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]


@pytest.mark.parametrize("style", ["record", "plain"])
@pytest.mark.parametrize("make", [price, softmax_with_loss, three_layers], ids=lambda make: make.__name__)
def test_no_label_covers_another_in_the_other_styles(visit, make, style):
    page = visit(make, figure={"style": style})
    end(page)
    boxes = page.evaluate(BOXES)
    assert len(boxes) > 10
    assert overlaps(boxes) == []


@pytest.mark.parametrize(
    "make", [price, fruit, softmax_with_loss, fan_out, three_layers], ids=lambda make: make.__name__
)
def test_no_label_covers_another_or_a_circle(visit, make):
    page = visit(make)
    end(page)
    boxes = page.evaluate(BOXES)
    assert len(boxes) > 10
    assert overlaps(boxes) == []
    circles = page.evaluate(
        """() => [...document.querySelectorAll('#figure .node ellipse.circle')].map(e =>
        [e.cx.baseVal.value, e.cy.baseVal.value, e.rx.baseVal.value, e.parentNode.querySelector('text').textContent])"""
    )
    for x, y, r, symbol in circles:
        near = [np.hypot(x - np.clip(x, b[1], b[3]), y - np.clip(y, b[2], b[4])) < r for b in boxes]
        assert [b[0] for b, inside in zip(boxes, near, strict=True) if inside] == [symbol]


def test_values_stand_above_derivatives_below_and_heads_point_their_way(visit):
    page = visit()
    end(page)
    assert (
        page.evaluate(
            """() => [...document.querySelectorAll('#figure .line')].map(g => {
        const path = g.querySelector('path').getBBox(), head = g.querySelector('polygon').getBBox();
        const right = head.x + head.width / 2 > path.x + path.width / 2;
        return g.classList.contains('backward') !== right})"""
        )
        == [True] * 10
    )
    middle = "id => { const b = document.getElementById(id).getBBox(); return b.y + b.height / 2 }"
    for use in ("u0", "u1", "u2", "u3", "u4"):
        above, below = (page.evaluate(middle, f"{use}-{side}-text0") for side in ("above", "below"))
        line = page.evaluate(middle, f"{use}-forward")
        assert above < line < below


def luminance(colour):
    red, green, blue = (int(x) / 255 for x in re.findall(r"\d+", colour)[:3])
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (red, green, blue)]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


def contrast(page, selector, of="fill"):
    ink = page.eval_on_selector(selector, f"e => getComputedStyle(e).{of}")
    paper = page.eval_on_selector("body", "e => getComputedStyle(e).backgroundColor")
    low, high = sorted((luminance(ink), luminance(paper)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_a_button(visit, scheme):
    page = visit(color_scheme=scheme)
    end(page)
    paper = "getComputedStyle(document.body).backgroundColor"
    first = page.evaluate(paper)
    assert first == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 29)"}[scheme]
    for selector, of in (
        ("#figure text.grad", "fill"), ("#figure text.value", "fill"), ("#figure text.name", "fill"),
        ("#caption", "color"), ("#counter", "color"), (".phase-backward", "color"), (".phase-forward", "color"),
    ):  # fmt: skip
        assert contrast(page, selector, of) > 4.5
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(paper) != first
    assert contrast(page, "#figure text.grad") > 4.5
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(paper) == first


def test_on_paper_there_is_only_the_figure(visit):
    page = visit(color_scheme="dark")
    end(page)
    page.click("#o0")
    for _ in range(8):
        page.keyboard.press("+")
    before = view_box(page)
    page.emulate_media(media="print")
    until(page, "document.getElementById('figure').viewBox.baseVal.x === -6")
    for selector in ("header", "footer", "#panel", ".zoom", "#figure .ring"):
        assert not page.locator(selector).first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    width, height = view_box(page)[2:]
    left, bottom, right, top = page.drawing.scene.bounds()
    assert (width, height) == (pytest.approx(right - left + 12, abs=0.2), pytest.approx(top - bottom + 12, abs=0.2))
    page.emulate_media(media="screen")
    until(page, "document.getElementById('figure').viewBox.baseVal.x !== -6")
    page.wait_for_timeout(400)  # nothing flies away now
    assert view_box(page) == pytest.approx(before, abs=0.1)


def test_the_blanks_of_an_exercise_are_empty_on_paper(visit):
    page = visit(figure={"grad": "blank"})
    end(page)
    asked = page.locator("#figure .blank text")
    assert asked.first.text_content() == "?"
    assert asked.first.is_visible()
    page.emulate_media(media="print")
    assert not asked.first.is_visible()
    assert page.locator("#figure .blank rect").first.is_visible()


def network(**options):
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    return draw(net(np.ones((2, 1, 8, 8), np.float32)), style="blocks", **options)


def test_the_page_of_a_picture_is_no_wider_than_a_phone(visit):
    page = visit(network, width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize(("width", "height"), [(400, 760), (1600, 900)])
def test_it_fits_narrow_and_wide_windows(visit, width, height):
    page = visit(fruit, width=width, height=height)
    end(page)
    page.click("#o0")
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [
        width,
        height,
    ]
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.locator("#stage").bounding_box()["height"] > 150


def test_a_narrow_window_follows_the_steps(visit):
    page = visit(softmax_with_loss, width=400, height=700, reduced_motion="reduce")
    for _ in range(37):
        page.keyboard.press("ArrowRight")
        x, y, width, height = view_box(page)
        if page.locator("#figure .current").count():
            cx, cy = page.eval_on_selector("#figure .current ellipse", "e => [e.cx.baseVal.value, e.cy.baseVal.value]")
            assert x <= cx <= x + width
            assert y <= cy <= y + height


# ---------------------------------------------------------------------------------------------------
# Moving about


def test_the_wheel_zooms_where_the_mouse_is(visit):
    page = visit()

    def under_the_mouse():
        return page.evaluate(
            """() => { const f = document.getElementById('figure');
            const p = new DOMPoint(400, 300).matrixTransform(f.getScreenCTM().inverse()); return [p.x, p.y] }"""
        )

    before, width = under_the_mouse(), view_box(page)[2]
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -300)
    until(page, f"document.getElementById('figure').viewBox.baseVal.width < {width * 0.8}")
    assert under_the_mouse() == pytest.approx(before, abs=0.5)
    page.get_by_role("button", name="Fit to the window").click()
    assert view_box(page)[2] == pytest.approx(width, abs=1)


def test_dragging_moves_and_is_no_click(visit):
    page = visit()
    x, _, width, _ = view_box(page)
    box = page.locator("#o0").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 50, steps=5)
    page.mouse.up()
    moved = view_box(page)
    assert moved[0] < x - 20
    assert moved[2] == width
    assert not page.locator("#panel").is_visible()
    page.click("#o0")
    assert page.locator("#panel").is_visible()


def test_two_fingers_zoom(visit):
    page = visit(has_touch=True)
    width = view_box(page)[2]
    fingers = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 50), ("touchMove", 75), ("touchMove", 100)):
        points = [{"x": 600 - apart, "y": 300, "id": 0}, {"x": 600 + apart, "y": 300, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert view_box(page)[2] == pytest.approx(width / 2, rel=0.1)


# ---------------------------------------------------------------------------------------------------
# For everyone


def test_everything_can_be_reached_and_is_named(visit):
    page = visit(three_layers)
    end(page)
    page.click("#exercise")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, [role=button], [tabindex]')].filter(e =>
        e.checkVisibility({visibilityProperty: true}) && !(e.ariaLabel || e.textContent).trim()).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.get_attribute("html", "lang") == "en"
    assert page.get_by_role("slider", name="Step").count() == 1
    assert page.eval_on_selector_all("#figure .node", "es => es.every(e => e.tabIndex === 0 && e.ariaLabel)")
    ids = page.eval_on_selector_all("[id]", "es => es.map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_what_is_said_of_a_node_does_not_run_ahead(visit):
    page = visit()
    said = []
    for _ in range(6):
        said.append(page.get_attribute("#o1", "aria-label"))
        page.keyboard.press("ArrowRight")
    assert [("220" in label, "Going back" in label) for label in said] == [
        (False, False), (False, False), (True, False), (True, False), (True, True), (True, True),
    ]  # fmt: skip


def test_space_presses_the_button_that_has_the_focus(visit):
    page = visit(reduced_motion="reduce")
    page.focus("#next")
    page.keyboard.press(" ")
    assert step(page) == "1 / 5"
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_the_keyboard_alone_is_enough(visit):
    page = visit()
    end(page)
    page.locator("#help").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "o0"
    assert page.evaluate("getComputedStyle(document.querySelector('#o0 .ring')).display") == "inline"
    page.keyboard.press(" ")  # presses the node, and plays nothing
    assert page.locator("#panel").is_visible()
    assert step(page) == "5 / 5"
    label = page.get_attribute("#o0", "aria-label")
    assert label == (
        "multiply takes apple (100) and count (2) and gives 200. Going back, 1.1 arrives; 2.2 goes to apple and 110 goes to count."
    )


def test_nothing_moves_for_those_who_ask_for_that(visit):
    page = visit(reduced_motion="reduce")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.getAnimations().length") == 0


def test_motion_draws_what_is_new(visit):
    page = visit(reduced_motion="no-preference")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.getAnimations().length") > 0


def test_korean(visit):
    page = visit(figure={"lang": "ko"})
    page.get_by_role("button", name="끝으로").click()
    assert page.get_attribute("html", "lang") == "ko"
    assert page.text_content("#caption") == "역전파: 1.1 도착, apple 쪽으로 2.2, count 쪽으로 110."


def test_without_scripts_it_says_what_it_knows(visit):
    page = visit(java_script_enabled=False)
    assert "multiply takes apple (100) and count (2) and gives 200." in page.text_content("pre")


# ---------------------------------------------------------------------------------------------------
# Labels


def hostile():
    leaves = [leaf(float(k + 1), name) for k, name in enumerate(HOSTILE)]
    y = leaves[0]
    for x in leaves[1:]:
        y = y * x
    y.name = HOSTILE[1]
    return draw(y)


def test_hostile_labels_are_text(visit):
    page = visit(hostile)
    end(page)
    page.click("#exercise")
    page.click("#answers")
    for button in page.locator("#figure .node").all():
        button.focus()
        page.keyboard.press("Enter")
    assert page.evaluate("window.pwned") is None
    kinds = "() => [...new Set([...document.body.querySelectorAll('*')].map(e => e.localName))].sort()"
    assert set(page.evaluate(kinds)) & {"img", "b", "iframe", "object", "a"} == set()
    assert page.evaluate("document.scripts.length") == 2
    texts = page.eval_on_selector_all("#figure .name text", "es => es.map(e => e.textContent)")
    for shown in (
        '"quoted" \\N \\n',
        "<img src=x onerror='window.pwned=1'>",
        "<!--<script>",
        "🍎 사과",
        "$name ${script}",
    ):
        assert shown in texts
    assert max(map(len, texts)) == 40


def test_the_browser_is_there_where_it_must_be():
    """Where tests run for a release, these do not skip."""
    assert CHROMIUM or not os.environ.get("CI")
