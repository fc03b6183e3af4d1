"""New numbers in the page of a figure: what its program computes is what the engine computes, and it is shown."""

import functools
import json
import math
import re
import runpy
import shutil
from importlib import resources

import numpy as np
import pytest

import tinygrad_edu as tg
import viz.record.slopes
from examples.figures import figures as chapter
from tests.viz.figures import leaf
from tinygrad_edu import nn
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.registry import OPS
from viz import draw
from viz.drawing import Drawing
from viz.formats.live import parts_of_uses, shown
from viz.record.recomputing import NOTHING, program
from viz.record.record import Record
from viz.wording.numbers import number_text


def again(record, given):
    """The graph of a record that is computed anew by the engine, from these numbers by the ids of its leaves."""
    new = {record.tensors[id]: x for id, x in given.items()}
    made = {}
    with np.errstate(all="ignore"), tg.autograd.tracing():
        for node in topological(record.outputs, through_constants=True):
            if node.op is None:
                data = np.full((), new[node]) if node in new else node.ndarray
                made[node] = tg.Tensor(data, requires_grad=node.needs_grad, name=node.name)
            else:
                made[node] = node.op.apply(tuple([made[x] for x in node.inputs]), node.settings)
        return Record([made[y] for y in record.outputs], gradient=record.gradient).graph


def read(computed):
    """What the program returned, infinities and NaN too: as JSON, with the numbers as texts."""
    found = json.loads(computed)
    return {what: {id: float(x) for id, x in numbers.items()} for what, numbers in found.items()}


def differences(graph, found):
    """The worst relative difference between a graph and what a program returned; all are there."""
    pairs = [(value.data, found["values"][value.id]) for value in graph.values]
    pairs += [(value.grad, found["totals"][value.id]) for value in graph.values if value.flows]
    pairs += [(use.grad, found["grads"][use.id]) for use in graph.uses if use.flows]
    return max(difference(float(a), float(b)) for a, b in pairs)


def difference(a, b):
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    return abs(a - b) / max(abs(a), 1e-300) if math.isfinite(a) and math.isfinite(b) else math.inf


# ---------------------------------------------------------------------------------------------------
# The browser


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def tab():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: apt install chromium")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 1280, "height": 720})
        browser.close()


@pytest.fixture
def visit(tab, tmp_path):
    """Opens the page of a figure; at the end, it must have complained of nothing."""
    complaints = []
    hear = {"console": lambda said: complaints.append(said.text), "pageerror": lambda e: complaints.append(str(e))}
    for event, listen in hear.items():
        tab.on(event, listen)

    def visited(drawing):
        tab.goto(drawing.save(tmp_path / "figure.html").as_uri())
        return tab

    yield visited
    for event, listen in hear.items():
        tab.remove_listener(event, listen)
    assert complaints == []


def type_in(page, id, text):
    page.fill(f"#number-{id}", text)


def texts(page, selector="#figure text"):
    return page.eval_on_selector_all(selector, "es => es.map(e => e.textContent)")


# ---------------------------------------------------------------------------------------------------
# The engine's numbers


@functools.cache
def recorded():
    """The figures of the chapter, drawn anew, each with its record."""
    records = {}

    def noted(record):
        made = program(record)
        records[id(made)] = record
        return made

    found, original = [], viz.record.slopes.program
    viz.record.slopes.program = noted
    try:
        for script in sorted({figure.script for figure in chapter()}):
            drawn = runpy.run_path(str(resources.files("examples.figures") / f"{script}.py"))["figures"]
            for key, drawing in drawn.items():
                drawing = getattr(drawing, "figure", drawing)
                if isinstance(drawing, Drawing):
                    found.append((key.split()[0], drawing, records[id(drawing.reading.program)]))
    finally:
        viz.record.slopes.program = original
    return found


SCALARS = [
    "5-2", "5-3", "5-5", "5-7", "5-8", "5-9", "5-10", "5-11", "5-12", "5-13", "5-14", "5-15", "5-17", "5-18", "5-19", "5-20",
    "5-21", "5-22", "5-30", "A-1", "A-2", "A-3", "A-4", "A-5", "V-1",
]  # fmt: skip
VALUES_TRIED = 6


def new_values(record, leaves):
    """Several new numbers for each leaf: near those there are, negative ones, and zero."""
    rng = np.random.default_rng(0)
    given = {id: float(record.tensors[id].ndarray) for id in leaves}
    for k in range(VALUES_TRIED):
        yield {
            id: 0.0 if k == 5 else (x or 0.5) * rng.uniform(0.2, 3.0) * (-1 if k == 4 else 1) for id, x in given.items()
        }


@pytest.mark.browser
@pytest.mark.parametrize("number", SCALARS)
def test_a_figure_of_the_chapter_computes_what_the_engine_computes(visit, number):
    """Values, derivatives and contributions, forward and backward, and what the figure says of them: within 1e-12."""
    ((drawing, record),) = [(drawing, record) for own, drawing, record in recorded() if own == number]
    page, tried = visit(drawing), list(new_values(record, drawing.reading.program.leaves))
    view = page.evaluate("JSON.parse(document.getElementById('data').textContent).views[0]")
    for given, (computed, written) in zip(tried, page.evaluate(TYPE_ALL, tried), strict=True):
        graph = again(record, given)
        assert differences(graph, read(computed)) < 1e-12, given
        for text, wanted in numbers_shown(view, graph):
            assert written[text] == wanted, (given, text)


def test_these_are_all_figures_of_single_numbers():
    live = {number for number, drawing, _ in recorded() if drawing.reading.program.script != NOTHING}
    assert live == {*SCALARS}
    arrays = [drawing for number, drawing, _ in recorded() if number not in live]
    assert {why for drawing in arrays for why, _ in drawing.reading.program.reasons} == {"why_array"}


TYPE_ALL = """(tried) => {
  document.getElementById("numbers").click();
  return tried.map((given) => {
    for (const [id, x] of Object.entries(given)) {
      const field = document.getElementById(`number-${id}`);
      field.value = x;
      field.dispatchEvent(new Event("input"));
    }
    const texts = [...document.querySelectorAll("#figure text")].map((text) => [text.id, text.textContent]);
    return [JSON.stringify(recompute(given), (key, x) => (typeof x === "number" ? String(x) : x)), Object.fromEntries(texts)];
  });
}"""


def numbers_shown(view, graph):
    """The texts of a view that show a number, by their ids, and what the engine's graph has in its place."""
    values, uses = ({thing.id: thing for thing in things} for things in (graph.values, graph.uses))
    for text in view["texts"]:
        if "shows" in text:
            of, id, before, _ = text["shows"]
            parts = [uses[part].grad for part in view["uses"][id]["parts"]] if id in uses else []
            yield text["id"], before + number_text(sum(parts) if parts else getattr(values[id], of))


@pytest.mark.browser
def test_every_op_of_single_numbers_computes_what_the_engine_computes_or_says_that_it_cannot(tab):
    tab.goto("about:blank")
    unprintable = set()
    for name, op in sorted(OPS.items()):
        record = a_call(op)
        if record is None:
            continue
        made = program(record)
        if made.reasons:
            unprintable.add(name)
            continue
        tried = list(drawn(op, made.leaves))
        computed = tab.evaluate(
            f"(tried) => tried.map((given) => JSON.stringify(({made.script})(given), (k, x) => (typeof x === 'number' ? `${{x}}` : x)))",
            tried,
        )
        for given, found in zip(tried, computed, strict=True):
            assert differences(again(record, given), read(found)) < 1e-12, (name, given)
    assert unprintable == UNPRINTABLE


UNPRINTABLE = {
    "conjugate", "copysign", "cumprod", "cumsum", "deg2rad", "flip", "fmax", "fmin", "gelu", "gelu_slope",
    "heaviside", "log_softmax", "logaddexp", "logaddexp2", "logsumexp", "max", "median", "min", "nan_to_num", "nanmax", "nanmedian", "nanmin", "normal_cdf",
    "probability_cross_entropy", "prod", "rad2deg", "remainder", "rint", "round", "sigmoid_cross_entropy",
    "sinc", "softmax", "weighed",
}  # fmt: skip


def drawn(op, leaves):
    """Numbers for the leaves, out of the op's domain; their opposites, for which it may be NaN; and zeros."""
    rng = np.random.default_rng(0)
    for k in range(5):
        args, _ = example(*[()] * len(op.vjp)).draw(rng, op.domains)
        sign = -1 if k == 3 else 0 if k == 4 else 1
        yield {id: sign * float(x) for id, x in zip(leaves, args, strict=True)}


def a_call(op):
    """The record of an op called with single numbers; None for one that takes none, or more than that.

    The mask of `gate` is a truth, and no number that one gives.
    """
    if op.name == "gate" or not isinstance(op.vjp, tuple) or not 1 <= len(op.vjp) <= 3 or not op.examples:
        return None
    try:
        args, _ = example(*[()] * len(op.vjp)).draw(np.random.default_rng(0), op.domains)
        y = op(*[leaf(float(x), f"x{k}") for k, x in enumerate(args)])
    except Exception:  # an op of matrices, or one that takes settings
        return None
    return Record(y) if isinstance(y, tg.Tensor) and y.op is op else None


# ---------------------------------------------------------------------------------------------------
# The page


def neuron():
    x, w = leaf(0.5, "x"), leaf(-2.0, "w")
    y = tg.sigmoid(x * w + x)
    y.name = "y"
    return draw(y)


@pytest.mark.browser
def test_what_is_typed_is_computed_and_said(visit):
    page = visit(neuron())
    page.click("#numbers")
    assert page.evaluate("document.activeElement.id") == "number-v0"
    type_in(page, "v0", "2")
    assert {"2", "−4", "−2", "0.1192"} <= set(texts(page))
    assert page.text_content(".made") == "y = 0.1192"
    assert page.text_content(".slope[data-id=v0]") == "∂y/∂x = −0.105"
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#caption") == "multiply takes x (2) and w (−2) and gives −4."
    page.keyboard.press("End")
    page.click("[id=o0]")
    assert texts(page, "#panel [data-part]")[:3] == ["0.105", "−2", "−0.21"]


@pytest.mark.browser
@pytest.mark.parametrize("typed", ["", " ", "abc", "inf", "nan", "1e999", "1,5", "0x10", "--1", "1 2", "٣"])
def test_what_is_no_number_is_said_beside_the_field_and_changes_nothing(visit, typed):
    page = visit(neuron())
    page.click("#numbers")
    before = texts(page)
    type_in(page, "v1", typed)
    assert texts(page) == before
    assert page.get_attribute("#number-v1", "aria-invalid") == "true"
    assert "w stays -2" in page.text_content("#problem-v1")
    type_in(page, "v1", " −.5e1 ")
    assert page.text_content("#problem-v1") == ""
    assert "−5" in texts(page)


@pytest.mark.browser
def test_reset_brings_back_the_first_numbers(visit):
    page = visit(neuron())
    page.click("#numbers")
    before = texts(page)
    type_in(page, "v0", "3")
    type_in(page, "v1", "nothing")
    assert texts(page) != before
    page.click("#reset")
    assert texts(page) == before
    assert [page.input_value(f"#number-{id}") for id in ("v0", "v1")] == ["0.5", "-2"]
    assert page.text_content("#problem-v1") == ""


@pytest.mark.browser
def test_by_keys_alone(visit):
    """In a field, keys write; on a slider, they slide; neither steps through the figure."""
    page = visit(neuron())
    page.focus("#numbers")
    page.keyboard.press("Enter")
    step = page.text_content("#counter")
    page.keyboard.type("-0.25")
    page.keyboard.press("Home")
    assert page.input_value("#number-v0") == "-0.25"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#number-v0") == "-0.24"
    assert page.text_content("#counter") == step
    page.keyboard.press("Escape")
    assert page.is_hidden("#panel")


@pytest.mark.browser
def test_numbers_are_written_as_everywhere(visit):
    rng = np.random.default_rng(0)
    tried = [
        0.0,
        -0.0,
        1 / 3,
        10.125,
        10.135,
        0.99996,
        1.0000001,
        4000.5,
        12345.678,
        1e15,
        6.02e23,
        1e-9,
        99999.99,
        9.9999e-5,
        2.0**-11,
    ]
    tried += list(rng.standard_normal(150) * 10.0 ** rng.integers(-8, 18, 150)) + list(
        rng.integers(-4000, 4000, 60) / 16
    )
    page = visit(draw(lambda x: x * 1, 3.0))
    written = page.evaluate(
        """(numbers) => {
          document.getElementById("numbers").click();
          const field = document.getElementById("number-v0");
          return numbers.map((x) => {
            field.value = x;
            field.dispatchEvent(new Event("input"));
            return document.querySelector("#figure .number text").textContent;
          });
        }""",
        [repr(float(x)) for x in tried],
    )
    assert written == [number_text(float(x)) for x in tried]


@pytest.mark.browser
def test_in_an_exercise_new_numbers_have_new_answers(visit):
    x = leaf(3.0, "x")
    page = visit(draw(x * x, grad="blank"))
    page.click("#numbers")
    type_in(page, "v0", "5")
    assert "10" not in texts(page, ".slope")
    page.click("#answers")
    assert texts(page, ".slope") == ["∂L/∂x = 10"]


@pytest.mark.browser
def test_an_answer_that_is_written_in_is_checked(visit):
    """What is right is shown; what is wrong is said to be, stays, and shows nothing."""
    x, y = leaf(3.0, "x"), leaf(1 / 7, "y")
    page = visit(draw(x * y, grad="blank"))
    page.click("[id=o0]")
    field = "#panel [data-key=try-u1]"
    for typed in ("4", "-3", "three", "0.3"):
        page.fill(field, typed)
        page.press(field, "Enter")
        assert page.get_attribute(field, "aria-invalid") == "true"
        assert "not it yet" in page.text_content("#panel .try:has([data-key=try-u1])")
        assert page.input_value(field) == typed
    page.fill(field, " 3.0")
    page.press(field, "Enter")
    assert page.query_selector(field) is None
    assert page.text_content("#panel [data-use=u1] [data-part=passed]") == "3"
    field = "#panel [data-key=try-u0]"
    page.fill(field, "0.14")
    page.press(field, "Enter")
    assert page.input_value(field) == "0.14"
    page.fill(field, "0.143")
    page.press(field, "Enter")
    assert page.text_content("#panel [data-use=u0] [data-part=passed]") == "0.1429"
    assert page.text_content("#answers") == "Hide all answers"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: draw(np.exp(leaf(np.ones(2), "X")).sum()), "X is an array"),
        (lambda: draw(np.sinc(leaf(0.5, "x"))), "sinc has no program"),
        (lambda: draw(leaf(np.float32(0.5), "x") * 2), "No number in float64"),
        (lambda: draw(leaf(0.5, "x") * 2, style="plain"), "style plain"),
    ],
)
def test_a_figure_whose_numbers_stand_still_says_why(visit, make, why):
    page = visit(make())
    page.click("#numbers")
    assert why in page.text_content("#panel")
    assert page.query_selector("#panel input, #reset") is None


def test_what_merged_operations_pass_back_is_added_up():
    for number, drawing, record in recorded():
        grads = {use.id: use.grad for use in record.graph.uses}
        parts = parts_of_uses(record.graph, drawing.graph)
        for use in drawing.graph.uses:
            if use.flows and not isinstance(use.grad, tuple | None):
                assert sum(grads[part] for part in parts[use.id]) == pytest.approx(use.grad, rel=1e-12), (number, use)
    (cloud,) = [drawing for number, drawing, _ in recorded() if number == "5-10"]
    parts = parts_of_uses(cloud.reading.program.graph, cloud.graph)
    assert sorted(map(len, parts.values())) == [1, 1, 1, 2]


@pytest.mark.browser
def test_what_a_closed_layer_hides_stays_as_it_is(visit):
    """A weight inside is no field; the numbers around it are computed with it."""

    class Scale(nn.Module):
        def __init__(self):
            self.factor = nn.Parameter(np.array(3.0))

        def forward(self, x):
            return np.exp(x * self.factor)

    layer = Scale()
    y = layer(leaf(0.5, "x"))
    page = visit(draw(y, cloud=layer, names={"y": y}))
    page.click("#numbers")
    assert texts(page, ".field label") == ["x"]
    type_in(page, "v0", "0.25")
    assert page.text_content(".made") == "y = 2.117"
    assert page.text_content(".slope") == "∂y/∂x = 6.351"


def test_a_text_shows_a_number_or_not():
    assert shown("2.2 ✗", 2.2) == ["", " ✗"]
    assert shown("2.2", 2.3) is None
    assert shown("12.2", 2.2) is None


def test_nothing_that_is_given_stands_in_the_program():
    """The script holds ids and numbers alone, so no name can become code."""
    x = leaf(0.5, "</script><b>`${x}`")
    script = program(Record(np.exp(x) * x)).script
    assert re.fullmatch(r"[\w\s(){}=>*+.,:;-]+", script)


@pytest.mark.browser
def test_new_numbers_weigh_anew(visit):
    a, b = (tg.Tensor(x, requires_grad=True, name=name) for x, name in ((2.0, "a"), (-3.0, "b")))
    page = visit(draw(a * b, weight="grad", names={"a": a, "b": b}))
    page.keyboard.press("End")
    page.click("#numbers")

    def looks(id):
        element = page.locator(f"#{id}-backward")
        return float(element.evaluate("e => e.style.getPropertyValue('--weight')")), element.get_attribute("class")

    assert looks("u0") == (5.0, "line backward negative")
    type_in(page, "v0", "30")
    type_in(page, "v1", "3")
    (thick, mark), (thin, _) = looks("u1"), looks("u0")
    assert (thick, mark) == (5.0, "line backward")
    assert thin == pytest.approx(0.8 + 4.2 * 0.1**0.4)
    assert "|∂| = 30" in texts(page)
    page.click("#reset")
    assert looks("u0")[1] == "line backward negative"
    assert "|∂| = 3" in texts(page)
