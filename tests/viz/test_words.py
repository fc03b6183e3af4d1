"""A figure in words: it says what is drawn, numbers, formulas or shapes, and every word is there in both languages."""

import importlib
import pkgutil
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_edu as tg
from examples.figures import softmax_with_loss
from tests.viz.figures import SVG, affine, apples, leaf
from tinygrad_edu import nn
from tinygrad_edu.engine.registry import OPS
from viz import draw
from viz.formats.html import figure_data
from viz.languages import WORDS
from viz.wording.numbers import number_text
from viz.wording.operations import ENGLISH, KOREAN, operation_name
from viz.wording.page_words import PAGE_WORDS


def square_of_a_sum():
    x, y = leaf(2.0, "x1"), leaf(3.0, "y")
    t = x + y
    z = t**2
    t.name, z.name = "t", "z"
    return z


def test_a_figure_of_formulas_speaks_formulas():
    assert draw(square_of_a_sum(), grad="symbol").text().splitlines() == [
        "x1 is given; ∂z/∂x1 is 2t.",
        "y is given; ∂z/∂y is 2t.",
        "add takes x1 and y and gives t. Going back, 2t arrives; 2t goes to x1 and 2t goes to y.",
        "power takes t and gives z. Going back, 1 arrives; 2t goes to t.",
    ]
    assert draw(square_of_a_sum(), grad="symbol", lang="ko").text().splitlines()[-2:] == [
        "더하기 노드: 입력 x1, y, 출력 t. 역전파: 2t 도착, x1 쪽으로 2t, y 쪽으로 2t.",
        "거듭제곱 노드: 입력 t, 출력 z. 역전파: 1 도착, t 쪽으로 2t.",
    ]


def test_it_speaks_what_was_written_on_it():
    y = square_of_a_sum()
    assert "2t·1 goes to t" in draw(y, grad="symbol", annotate={"t": "2t·1"}).text()
    assert "x1 is a; ∂z/∂x1 is 10." in draw(y, values={"x1": "a"}).text()
    a5 = next(figure for title, figure in softmax_with_loss.figures.items() if title.startswith("A-5"))
    words = a5.text()
    assert "y₁ − t₁ goes to a₁" in words
    assert "∂L/∂a₁ is y₁ − t₁" in words
    assert not re.search(r"\d\.\d", words), "there is no number on it"


@pytest.mark.parametrize("figure", [draw(square_of_a_sum(), grad="symbol"), draw(affine(), grad="symbol", loss="L")])
def test_the_words_of_a_figure_of_formulas_are_on_it(figure):
    written = {text.text for text in figure.scene.texts}
    for use in figure.graph.uses:
        if use.flows and use.op:
            said = figure.labels.below(next(v for v in figure.graph.values if v.id == use.value), use)[0].text
            assert said in written
            assert figure.labels.notation.of(figure.text()).count(said)


def test_alt_text_and_pages_speak_formulas_too():
    figure = draw(square_of_a_sum(), grad="symbol")
    assert "2t goes to t" in ET.fromstring(figure.svg()).findtext(f"{SVG}desc")
    data = figure_data(figure, "", {})
    view = data["views"][0]
    assert view["uses"]["u2"]["said"] == "2t"
    assert data["values"]["v0"]["said"] == "2t"
    assert data["values"]["v0"]["amount"] == "x1"
    assert all(op["fixed"] for op in view["ops"].values())
    numbers = figure_data(draw(square_of_a_sum()), "", {})
    assert "said" not in numbers["views"][0]["uses"]["u2"]
    assert "amount" not in numbers["values"]["v0"]
    assert "fixed" not in numbers["views"][0]["ops"]["o0"]


def test_a_figure_of_shapes_speaks_shapes():
    assert draw(affine(), show="shape", sizes={5: "N"}).text().splitlines() == [
        "X is (N, 2).",
        "W is (2, 3).",
        "B is (3,).",
        "matrix product takes X (N, 2) and W (2, 3) and gives (N, 3).",
        "add takes (N, 3) and B (3,) → (N, 3) along axis 0 and gives (N, 3). "
        "Going back, (N, 3) arrives; Σ over axis 0 goes to B.",
    ]


def test_numbers_are_spoken_as_before():
    assert draw(apples()).text().splitlines()[-1] == (
        "multiply takes 200 and tax (1.1) and gives price (220). Going back, 1 arrives; 1.1 goes to 200 and 200 goes to tax."
    )
    assert draw(apples(), lang="ko").text().splitlines()[-1] == (
        "곱하기 노드: 입력 200, tax (1.1), 출력 price (220). 역전파: 1 도착, 200 쪽으로 1.1, tax 쪽으로 200."
    )


def test_each_step_is_told():
    figure = draw(apples())
    told = [figure.told(step) for step in figure.frame_steps]
    assert told[0] == "multiply takes apple (100) and count (2) and gives 200."
    assert told[2] == "∂price/∂price is 1: here the way back begins."
    assert told[4] == "Going back, 1.1 arrives; 2.2 goes to apple and 110 goes to count."
    assert " ".join([told[0], told[4]]) in figure.text()


def test_every_operation_is_called_by_words():
    tg.ops.load_all()
    for module in pkgutil.walk_packages(tg.ops.__path__, "tinygrad_edu.ops."):
        if "fast" not in module.name:
            importlib.import_module(module.name)
    own = {name for name, op in OPS.items() if type(op).__module__.startswith("tinygrad_edu") and name in KOREAN}
    assert len(own) > 200
    missing = {name for name, op in OPS.items() if op.forward.__module__.startswith("tinygrad_edu")} - set(KOREAN)
    assert not missing, "each of these needs a word in viz/wording/operations.py"
    assert set(KOREAN) <= set(OPS), "there is no such operation"
    assert set(ENGLISH) <= set(KOREAN), "there is no such operation"
    assert not [name for name in KOREAN if "_" in operation_name(name, "en")]
    assert operation_name("my_own", "en") == "my_own"
    assert operation_name("my_own", "ko") == "my_own"


def test_every_word_is_in_every_language_with_the_same_blanks():
    for table in (WORDS, PAGE_WORDS):
        for lang, words in table.items():
            assert set(words) == set(table["en"]), lang
            for key, said in words.items():
                assert set(re.findall(r"\{(\w+)", said)) == set(re.findall(r"\{(\w+)", table["en"][key])), (lang, key)
    assert not set(WORDS["en"]) & set(PAGE_WORDS["en"]), "a word has one place"


def test_no_english_is_left_in_a_korean_figure():
    y = np.tanh(leaf(1.0, "x") * leaf(2.0, "w")) / 3.0
    words = draw(y, lang="ko", check=True).text()
    assert not re.search(r"[a-z]{3,}", words)
    assert number_text(1.0) in words


def test_no_derivative_is_told_by_its_own_name_alone():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    loss = nn.functional.cross_entropy(net(tg.Tensor(np.ones((1, 2), np.float32), name="x")), np.array([1]))
    for figure in (draw(loss, grad="symbol", loss="L"), draw(loss, grad="symbol", loss="L", lang="ko")):
        for sentence in figure.text().splitlines():
            for d, slope in re.findall(r"(∂\S+) (?:is|=) (.*?)\.(?:$| )", sentence):
                assert d != slope
    assert "∂L/∂weight₀ is xᵀ · ∂L/∂(x·weight₀)." in draw(loss, grad="symbol", loss="L").text()
