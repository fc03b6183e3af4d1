"""The stepping page as text: what stands in it, that it needs nothing else, that no label becomes markup."""

import base64
import hashlib
import json
import math
import re
import xml.etree.ElementTree as ET
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from viz import Drawing, draw
from viz.formats.html import embedded
from viz.formats.views import MOST_VIEWS, find_layers, ways_to_close
from viz.languages import WORDS
from viz.wording.page_words import PAGE_WORDS

HOSTILE = [
    '"quoted" \\N \\n',
    "</script><script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned=1'>",
    "<!--<script>",
    "]]> &lt;b&gt; &amp;",
    "🍎 사과",
    "two\nlines\x00\x1b",
    "$name ${script}",
    "{name} {k}",
    "\u202eright to left",
    "\ud800",
    "x" * 10_000,
]


def price(**options):
    apple, count, tax = (
        tg.Tensor(x, requires_grad=True, name=n) for x, n in ((100.0, "apple"), (2.0, "count"), (1.1, "tax"))
    )
    y = apple * count * tax
    y.name = "price"
    return draw(y, **options)


def three_layers(**options):
    tg.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(2, 3, dtype=float), nn.Tanh(), nn.Linear(3, 3, dtype=float), nn.Tanh(), nn.Linear(3, 2, dtype=float)
    )
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 2)), name="X")
    y = nn.functional.cross_entropy(model(x), np.array([0, 1, 1, 0]))
    y.name = "L"
    return draw(y, **options)


@cache
def plain_page():
    return price().html()


@cache
def layered_page():
    return three_layers().html()


class Elements(HTMLParser):
    """The elements of a page, with what their attributes say, and the text inside each kind."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside, self._open = [], {}, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._open = (tag, dict(attrs).get("id"))

    def handle_data(self, data):
        self.inside.setdefault(self._open, "")
        self.inside[self._open] += data

    def handle_endtag(self, tag):
        self._open = None


def data_of(page):
    return json.loads(Elements(page).inside["script", "data"])


# ---------------------------------------------------------------------------------------------------
# What stands in it


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path):
    path = price().save(tmp_path / "a.html")
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    for _tag, attributes in Elements(path.read_text("utf-8")).found:
        for key in ("src", "href", "action", "data"):
            assert attributes.get(key, "data:").startswith("data:")
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
    for name in ("page.js", "page.css"):
        content = (files("viz") / "assets" / name).read_text("utf-8")
        assert not re.search(r"\b(fetch|XMLHttpRequest|import|WebSocket|sendBeacon)\b|@import|url\(", content)


def test_labels_are_set_as_text():
    """Nothing in the script could make markup, or a program, of a label."""
    script = (files("viz") / "assets" / "page.js").read_text("utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|DOMParser", script
    )


def test_only_its_own_script_and_style_may_run():
    page = plain_page()
    elements = Elements(page)
    (policy,) = [a["content"] for t, a in elements.found if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for element, rule in (("script", "script-src"), ("style", "style-src")):
        digest = hashlib.sha256(elements.inside[element, None].encode()).digest()
        assert rules[rule] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_everything_drawn_is_in_the_data():
    drawing = price()
    (view,) = data_of(drawing.html())["views"]
    for kind in ("shapes", "lines", "texts"):
        assert {entry["id"] for entry in view[kind]} == {thing.id for thing in getattr(drawing.scene, kind)}
    assert {t["text"] for t in view["texts"]} >= {"apple", "100", "2.2", "200", "1.1", "×"}
    assert len(view["steps"]) == len(drawing.frames())


def test_what_appears_in_each_step():
    (view,) = data_of(plain_page())["views"]
    texts = [sorted(t["text"] for t in view["texts"] if t.get("side") and t["k"] == k) for k in range(1, 6)]
    assert texts == [["100", "2", "200"], ["1.1", "220"], ["1"], ["1.1", "200"], ["110", "2.2"]]
    assert [step["back"] for step in view["steps"]] == [False, False, True, True, True]
    assert [step["op"] for step in view["steps"]] == ["o0", "o1", None, "o1", "o0"]


def test_arriving_times_local_is_passed_on():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    w = tg.Tensor(np.array([0.3, -0.2, 0.7]), requires_grad=True, name="w")
    y = (np.sin(x * w) * np.exp(w) / (1 + x**2) + np.maximum(w, x)).sum() * x
    drawing = draw(y)
    data = data_of(drawing.html())
    (view,) = data["views"]
    seen = 0
    for use in drawing.graph.uses:
        slope = data["slopes"].get(use.id)
        if slope is None or slope["data"] is None:
            continue
        (out,) = view["ops"][use.op]["outputs"]
        arriving, local, passed = (
            numbers(c) for c in (data["values"][out]["grad"], slope["data"], view["uses"][use.id]["grad"])
        )
        np.testing.assert_allclose(np.multiply(arriving, local), passed, rtol=1e-12)
        seen += 1
    assert seen >= 8


def numbers(cells):
    if isinstance(cells, list):
        return cells[1]
    rows = [[x for _, x in row] for row in cells["rows"]]
    return rows[0] if len(rows) == 1 else rows


def test_formulas_come_from_the_rules():
    slopes = data_of(plain_page())["slopes"]
    assert slopes["u0"]["rule"] == "∂price/∂(apple·count)·count"
    assert slopes["u0"]["symbol"] == "count"
    assert slopes["u3"]["symbol"] == "apple·count"


def test_a_sum_over_a_batch_has_no_local_number():
    x, w, b = (tg.Tensor(np.ones(s), requires_grad=True, name=n) for s, n in (((5, 2), "X"), ((2, 3), "W"), (3, "B")))
    y = x @ w + b
    y.name = "Y"
    slopes = data_of(draw(y).html())["slopes"]
    assert [(slopes[u]["rule"], slopes[u]["data"]) for u in ("u1", "u3")] == [
        ("Xᵀ · ∂L/∂(X·W)", None),
        ("Σ₀ ∂L/∂Y", None),
    ]
    assert slopes["u2"]["symbol"] == "1"


def test_what_only_looks_elementwise_is_not_called_so():
    """∂/∂v of cumsum(v) is a matrix, although 1, …, 1 goes in and n, …, 1 comes out."""
    v = tg.Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True, name="v")
    assert data_of(draw(np.cumsum(v).sum()).html())["slopes"]["u0"]["data"] is None


def test_an_exercise_keeps_its_answers():
    page = price(grad="blank").html()
    assert data_of(page)["exercise"]
    assert "110" not in Elements(page).inside.get(("pre", None), "")
    assert "110" in Elements(plain_page()).inside["pre", None]


def test_numbers_that_json_has_not():
    x = tg.Tensor(np.array(0.0), requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        values = data_of(draw(np.log(x)).html())["values"]
    assert values["v1"]["data"] == ["−∞", "-inf"]
    assert values["v0"]["grad"] == ["∞", "inf"]


# ---------------------------------------------------------------------------------------------------
# Labels


def square(name):
    x = tg.Tensor(2.0, requires_grad=True, name=name)
    y = x * x
    y.name = name
    return draw(y, names={name: x})


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:20])
def test_a_label_is_never_markup(name):
    page = square(name).html()
    page.encode()
    plain, hostile = Elements(square("x").html()), Elements(page)
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
    assert hostile.inside["script", None] == plain.inside["script", None]
    assert len(page) < len(plain_page()) + 2000
    data_of(page)


def test_embedded_json_is_read_back_equal():
    for name in HOSTILE:
        written = embedded({name: [name]})
        assert not set("<>&") & set(written)
        assert json.loads(written) == {name: [name]}


# ---------------------------------------------------------------------------------------------------
# Layers


def test_every_way_to_close_three_layers():
    drawing = three_layers()
    data = data_of(drawing.html())
    assert len(data["views"]) == 8
    assert sorted(len(view["ops"]) for view in data["views"]) == [6, 7, 7, 7, 8, 8, 8, 9]
    assert data["opened"] == 0
    assert len(data["views"][data["closed"]]["ops"]) == 6


def test_closing_and_opening_a_layer_leads_back():
    views = data_of(layered_page())["views"]
    for k, view in enumerate(views):
        assert len(view["go"]) == 3
        for layer, other in view["go"].items():
            assert other != k
            assert views[other]["go"][layer] == k


def test_steps_of_all_layouts_count_the_same_operations():
    views = data_of(layered_page())["views"]
    whole = [step["at"] for step in views[0]["steps"]]
    assert whole == sorted(set(whole))
    for view in views:
        at = [step["at"] for step in view["steps"]]
        assert at == sorted(set(at))
        assert set(at) <= set(whole)
        forward = [step["at"] for step in view["steps"] if not step["back"]]
        assert forward[-1] == 9


def test_a_layout_of_the_page_is_the_figure_with_these_layers_closed():
    """Its numbers are those of `draw(collapse=...)`."""
    closed = three_layers(collapse=1)
    views = data_of(three_layers(collapse="all").html())["views"]
    assert {len(view["ops"]) for view in views} >= {6, 9}
    first = data_of(closed.html())["views"][0]
    assert len(first["ops"]) == len(closed.graph.ops) == 2
    assert {text["text"] for text in first["texts"]} >= {"Sequential", "cross-entropy", "L", "X"}


class Deep(nn.Module):
    """Layers in layers: too many ways to close them."""

    def __init__(self, n):
        self.blocks = [
            nn.Sequential(nn.Linear(2, 2, dtype=float), nn.Tanh(), nn.Linear(2, 2, dtype=float)) for _ in range(n)
        ]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def test_of_many_ways_to_close_layers_a_few_are_chosen():
    y = Deep(5)(tg.Tensor(np.ones((1, 2)))).sum()
    drawing = draw(y)
    layers = find_layers(drawing.whole, ())
    assert len(layers) == 15  # five blocks of two layers
    assert math.prod(1 + 2 * 2 for _ in range(5)) > MOST_VIEWS
    ways = ways_to_close(layers)
    assert len({*ways}) == len(ways) == 8
    blocks = frozenset(id for id, layer in layers.items() if layer.children)
    assert {frozenset(), blocks, frozenset(layers) - blocks} <= {*ways}
    for block in blocks:  # each can be opened by itself
        assert (blocks - {block}) | {*layers[block].children} in ways
    data = data_of(drawing.html())
    opened = data["views"][data["opened"]]
    assert len(opened["ops"]) == len(drawing.whole.ops)
    (closed,) = [view for view in data["views"] if blocks <= view["ops"].keys()]
    for block in blocks:
        boxes = data["views"][closed["go"][block]]["ops"].keys()
        assert boxes >= (blocks - {block}) | {*layers[block].children}
    assert data["views"][0]["go"] == {}, "it is folded: what repeats is a cloud"
    assert len(data["views"][0]["ops"]) == len(drawing.graph.ops) < len(opened["ops"])
    for k, view in enumerate(data["views"]):
        assert all(0 < other < len(data["views"]) and other != k for other in view["go"].values())


def test_what_was_folded_to_be_read_can_be_opened():
    x = h = tg.Tensor(0.5, requires_grad=True, name="x")
    for _ in range(30):
        h = np.tanh(h) * x
    drawing = draw(h)
    data = data_of(drawing.html())
    assert [len(view["ops"]) for view in data["views"]] == [len(drawing.graph.ops), 60]
    assert (data["closed"], data["opened"]) == (0, 1)
    assert {step["at"] for step in data["views"][0]["steps"]} < {step["at"] for step in data["views"][1]["steps"]}
    model = nn.Sequential(nn.Linear(2, 2, dtype=float), nn.Linear(2, 2, dtype=float))
    hidden = draw(model(tg.Tensor(np.ones((1, 2)))).sum(), cloud=model)
    assert len(data_of(hidden.html())["views"]) == 1, "it does not matter what it computes"


def test_a_large_graph_stays_folded():
    x = h = tg.Tensor(0.5, requires_grad=True, name="x")
    for _ in range(500):
        h = np.tanh(h) * x
    drawing = draw(h)
    page = drawing.html()
    assert len(data_of(page)["views"]) == 1
    assert len(page) < 200_000


# ---------------------------------------------------------------------------------------------------
# Words, choices


def test_all_words_are_in_all_languages():
    assert set(PAGE_WORDS) == set(WORDS)
    for lang in PAGE_WORDS:
        assert set(PAGE_WORDS[lang]) == set(PAGE_WORDS["en"])
        assert not set(PAGE_WORDS[lang]) & set(WORDS[lang])
        for key, word in PAGE_WORDS[lang].items():
            assert set(re.findall(r"{\w+}", word)) == set(re.findall(r"{\w+}", PAGE_WORDS["en"][key]))


def test_every_word_is_used():
    pages = ("assets/page.js", "assets/page.html", "record/recomputing.py", "formats/live.py")
    used = "".join((files("viz") / name).read_text("utf-8") for name in pages)
    kinds = {"input", "parameter", "constant", "result"}
    assert [k for k in PAGE_WORDS["en"] if not re.search(rf'words\.{k}\b|"{k}"|\${k}\b', used) and k not in kinds] == []


def test_korean():
    page = price(lang="ko").html()
    assert ("html", {"lang": "ko", "data-theme": "auto"}) in Elements(page).found
    assert "다음 단계" in page
    assert "Next step" not in page


def test_the_theme_of_the_figure_is_that_of_the_page():
    assert '<html lang="en" data-theme="dark">' in price(theme="dark").html()
    assert "#D55E00" in plain_page()
    assert "#D55E00" not in Elements(price(theme="print").html()).inside["style", None]


@pytest.mark.parametrize("style", ["record", "plain"])
@pytest.mark.parametrize("grad", ["number", "symbol"])
def test_other_styles_have_a_page_of_all_that_is_on_their_picture(style, grad):
    for drawing in (price(style=style, grad=grad), three_layers(style=style, grad=grad), tagged(style, grad)):
        view = data_of(drawing.html())["views"][0]
        drawn = ET.fromstring(drawing.svg()).iter("{http://www.w3.org/2000/svg}text")
        on_picture = sorted("".join(text.itertext()).strip("\xa0 ") for text in drawn)
        assert sorted(text["text"] for text in view["texts"] if text["role"] != "note") == [t for t in on_picture if t]
        assert {shape["op"] for shape in view["shapes"] if "op" in shape} == {op.id for op in drawing.graph.ops}
        lines = {line["id"] for line in view["lines"]}
        used = {f"{use.id}-forward" for use in drawing.graph.uses if use.op or style == "plain"}
        made = {f"{op.outputs[0]}-made-forward" for op in drawing.graph.ops} if style == "record" else set()
        assert lines == used | made
        left, top = 0, 0
        width, height = view["size"]
        for text in view["texts"]:
            assert left - 1 <= text["x"] - text["w"] / 2
            assert text["x"] + text["w"] / 2 <= width + 1
            assert top - 1 <= text["y"] <= height + 1


@pytest.mark.parametrize("style", ["record", "plain"])
def test_lines_and_numbers_of_other_styles_belong_to_their_uses(style):
    drawing = three_layers(style=style)
    view = data_of(drawing.html())["views"][0]
    shapes = {shape["op"]: shape for shape in view["shapes"] if "op" in shape}
    lines = {line["id"]: line for line in view["lines"]}
    for use in drawing.graph.uses:
        if use.op:
            line, shape = lines[f"{use.id}-forward"], shapes[use.op]
            (x0, _), (x, y) = line["points"][-2:]
            assert abs(x - shape["x"]) <= shape["w"] / 2 + 2
            assert abs(y - shape["y"]) <= shape["h"] / 2 + 2
            assert x0 < x
            assert line["k"] == shape["k"]
    flowing = {use.value for use in drawing.graph.uses if use.flows}
    for side, values in (("above", {value.id for value in drawing.graph.values}), ("below", flowing)):
        found = [text for text in view["texts"] if text.get("side") == side]
        assert {text["value"] for text in found} == {
            value for value in values if drawing.labels.above(*known(drawing, value))
        }
        assert all(view["uses"][text["wire"]]["value"] == text["value"] for text in found)


def known(drawing, id):
    (value,) = (value for value in drawing.graph.values if value.id == id)
    return value, next(use for use in drawing.graph.uses if use.value == id)


def tagged(style, grad):
    """A graph so large that a leaf stands at each of its uses."""
    x = h = tg.Tensor(0.5, requires_grad=True, name="x")
    for _ in range(110):
        h = np.tanh(h * x)
    return draw(h, style=style, grad=grad, collapse=None)


@pytest.mark.parametrize("style", ["record", "plain"])
def test_the_steps_of_all_styles_are_the_same(style):
    for make in (price, three_layers):
        steps = [data_of(make(style=s).html())["views"][0]["steps"] for s in ("book", style)]
        assert steps[0] == steps[1]
    view = data_of(price(style=style).html())["views"][0]
    appears = {text["text"]: text["k"] for text in view["texts"]}
    mark = "∂ " if style == "plain" else ""
    assert appears["apple"] == appears["100"] == 1
    assert appears["220"] == 2
    assert appears[f"{mark}1"] == 3
    assert appears[f"{mark}110"] == appears[f"{mark}2.2"] == 5


def test_a_value_alone_is_a_page_too():
    x = tg.Tensor(3.0, requires_grad=True, name="x")
    assert [step["op"] for step in data_of(draw(x).html())["views"][0]["steps"]] == [None, None]


def test_a_graph_read_from_json_is_a_page_without_formulas():
    drawing = price()
    again = draw(type(drawing.graph).from_json(drawing.json()))
    assert isinstance(again, Drawing)
    data = data_of(again.html())
    assert data["slopes"] == {}
    assert data["views"][0]["texts"] == data_of(drawing.html())["views"][0]["texts"]


def test_the_same_figure_is_the_same_page():
    assert layered_page() == three_layers().html()
