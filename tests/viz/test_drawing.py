"""What is written on a figure."""

import re
from dataclasses import replace

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import SVG, affine, apples, attention, fan_out, fruit, groups_of, leaf, polynomial, texts_of
from tinygrad_edu import nn
from tinygrad_edu.engine.recording import tracing
from viz import draw, draw_backward
from viz.layout.clearance import haloed, overlapping, struck


def test_numbers_names_and_shapes():
    assert set(texts_of(draw(apples()).svg())) == {
        "apple", "count", "tax", "price", "×", "100", "2", "1.1", "200", "220", "2.2", "110", "1",
    }  # fmt: skip
    written = texts_of(draw(affine(), loss="L").svg())
    assert {"X", "(5, 2)", "∂L/∂X", "W", "(2, 3)", "∂L/∂W", "B", "(3,)", "∂L/∂B", "X·W", "dot"} <= set(written)


def test_small_arrays_are_shown_by_their_numbers_where_values_are_asked_for():
    w, x = leaf(np.array([[1.0, -1.0], [0.5, 2.0]]), "W"), leaf(np.array([1.0, 2.0]), "x")
    y = (tg.relu(x @ w) ** 2).sum()
    written = [text.text for text in draw(y, show=("value", "grad")).scene.texts]
    assert {"x", "W", "[1, 2]", "[[1, −1], [0.5, 2]]", "[2, 3]", "[4, 9]", "[4, 6]", "[−2, 14]"} <= set(written)
    assert "[[4, 6], [8, 12]]" in written
    assert not any("∂" in text for text in written)
    assert "(2, 2)" in texts_of(draw(y, show=("value", "shape")).svg())
    default = texts_of(draw(y).svg())
    assert "[1, 2]" not in default
    assert "(2, 2)" in default
    large = leaf(np.ones((9, 9)), "M")
    assert "M" in texts_of(draw((large * 2.0).sum(), show=("value", "grad")).svg()), "more numbers than are kept"
    h = w @ leaf(np.ones(2))
    mixed = texts_of(draw((h * 2.0).sum(), names={"h": h}, show=("value",)).svg())
    assert "[0, 2.5]" in mixed, "a result with a name, too"


@pytest.mark.parametrize("style", ["book", "record", "plain"])
@pytest.mark.parametrize("grad", ["number", "symbol"])
def test_leaves_and_results_are_not_said_twice(style, grad):
    x = leaf(0.5, "x")
    y = np.reciprocal(7 + np.exp(x * -5))
    figure = draw(y, names={"y": y}, loss="L", grad=grad, style=style)
    written = [word for text in texts_of(figure.svg()) for word in text.split()]
    for said in ("7", "−5", "x", "y"):
        assert written.count(said) == 1, said
    y = leaf(np.ones((5, 2)), "X") @ leaf(np.ones((2, 3)), "W")
    assert texts_of(draw(y, names={"Y": y}).svg()).count("X") == 1
    assert '"x"' not in draw(x * 2.0, grad="symbol").mermaid().split(":::leaf", 1)[1].replace("∂L/∂x", "")


def test_a_single_number_without_a_name_is_called_what_is_differentiated():
    x = leaf(3.0, "x")
    assert {"L", "11"} <= set(texts_of(draw(x * 2.0 + 5.0).svg()))
    assert "J" in texts_of(draw(leaf(3.0, "L") * 2.0).svg())
    y = x * 2.0
    assert "L" not in texts_of(draw([y, y + 1.0]).svg())
    assert "y" in texts_of(draw(y).svg())
    with tracing():
        assert draw(tg.Tensor(2.0) + 1.0).graph.values[-1].name is None


def test_a_backward_figure_calls_things_as_they_are_called():
    p, q = leaf(2.0, "count of apples"), leaf(3.0, "unit price")
    y = p * q
    y.name = "price"
    names = [value.name for value in draw_backward(y).graph.values if value.name]
    assert {"count of apples", "unit price", "∂price/∂(count of apples)", "∂price/∂(unit price)"} == set(names)
    figure = draw_backward(fruit())
    results = [text for text in figure.scene.texts if "-result-" in text.id]
    results.sort(key=lambda text: -text.y)
    assert [text.text for text in results] == [f"∂price/∂{x}" for x in ("apples", "apple", "orange", "oranges", "tax")]


def test_formulas_name_nothing_that_is_not_there():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3, dtype=float), nn.ReLU(), nn.Linear(3, 2, dtype=float))
    loss = nn.functional.cross_entropy(model(tg.Tensor(np.ones((5, 4)), name="x")), np.zeros(5, int))
    whole, folded = draw(loss, grad="symbol", collapse=None), draw(loss, grad="symbol", collapse="all")
    assert any("weight₂" in text for text in texts_of(whole.svg()))
    written = "".join(texts_of(folded.svg()))
    assert "weight" not in written
    assert set(re.findall("t[₀-₉]", written)) <= {value.symbol for value in folded.graph.values}
    assert not re.search(r"\d\.(weight|bias)", whole.svg() + folded.svg())
    assert "∂loss/∂weight₀" in draw(loss, wrt="weight₀", collapse=None).svg()


def test_formulas_are_written_as_one_writes_them():
    apple, count, tax = leaf(100.0, "apple"), leaf(2.0, "count"), leaf(1.1, "tax")
    assert "apple·count" in texts_of(draw(apple * count * tax, grad="symbol").svg())
    written = texts_of(draw(polynomial(), grad="symbol").svg())
    assert "9x² − 4x + 5" in written
    x = leaf(2.0, "x")
    scaled = texts_of(draw(np.tanh(0.1 * x), grad="symbol", loss="L").svg())
    assert not any("/∂0.1x" in text for text in scaled)
    assert "∂L/∂(0.1x)" in draw(leaf(np.ones(3), "x") * 0.1 + 1.0, loss="L").svg()
    written = texts_of(draw(attention(), loss="L", grad="symbol").svg())
    assert "∂L/∂(Q·Kᵀ) · K" in written
    assert not any("ᵀᵀ" in text for text in written)
    assert any("A ⊙ (∂L/∂" in text for text in written)


def test_names_come_from_the_caller():
    apple, count = leaf(100.0), leaf(2.0)
    price = apple * count
    weights = {"W1": leaf(3.0)}
    total = price * weights["W1"]
    assert {"apple", "count", "W₁", "total"} <= set(texts_of(draw(total).svg()))
    assert "fruit" in texts_of(draw(total, names={"fruit": apple}).svg())


def test_a_function_is_traced_and_named_by_its_arguments():
    figure = draw(lambda apple, count, tax: apple * count * tax, 100, 2, 1.1)
    assert [value.name for value in figure.graph.values if value.op is None] == ["apple", "count", "tax"]
    assert figure.graph.values[0].grad == pytest.approx(2.2)

    def price(x, *rest):
        return x * rest[0] + rest[1]

    assert [v.name for v in draw(price, 2, 3, 4).graph.values] == ["x", "rest[0]", None, "rest[1]", "price"]
    x = np.ones((2, 3), np.float32)
    layer = draw(nn.Linear(3, 1), x).graph
    assert [v.name for v in layer.values if v.op is None] == ["x", "weight", "bias"]
    assert {v.dtype for v in layer.values} == {"float32"}
    assert [v.name for v in draw(tg.relu, 2.0).graph.values] == ["x", "relu"]
    assert next(v.name for v in draw(lambda x, how: x * 2 if how == "twice" else x, 3, "twice").graph.values) == "x"
    with pytest.raises(TypeError, match="float"):
        draw(lambda x: 3.0, 2)
    with pytest.raises(TypeError, match="after a function"):
        draw(apples(), 3)


def test_formulas_come_from_the_rules():
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    t = x + y
    z = t**2
    plain = draw(z, grad="symbol", simplify=False)
    assert [use.symbol for use in plain.graph.uses] == ["∂z/∂z·2t·1", "∂z/∂z·2t·1", "∂z/∂z·2t", "∂z/∂z"]
    assert [use.symbol for use in draw(z, grad="symbol").graph.uses] == ["2t", "2t", "2t", "1"]
    assert "∂L/∂z·2t" in texts_of(draw(z, grad="symbol", loss="L").svg())
    both = texts_of(draw(z, show=("value", "grad", "formula"), simplify=False).svg())
    assert {"10", "∂z/∂z·2t·1", "25"} <= set(both)


def test_an_exercise_has_blanks_and_not_the_answers():
    svg = draw(fruit(), grad="blank").svg()
    assert not {"1.1", "110", "2.2", "3.3", "165", "650"} - {"1.1", "650"} & set(texts_of(svg))
    assert texts_of(svg).count("650") == 1  # the value; the derivative is blank
    assert sum("blank" in (group.get("class") or "") for group in groups_of(svg).values()) == 8
    assert 'label="165"' not in draw(fruit(), grad="blank").dot()


def test_the_legend_of_an_exercise_asks_too():
    x, w = leaf(2.0, "x"), leaf(3.0, "w")
    y = x * w
    figure = draw(y, grad="blank", legend={w: "by w = x, of course", x: None}, names={"y": y})
    written = texts_of(figure.svg())
    assert {"by w = ____________", "∂y/∂x = ____________"} <= set(written)
    assert sorted(text for text in written if text in "12") == ["1", "1", "1", "2", "2", "2"], "the keys, x, and ∂y/∂y"
    assert "of course" not in figure.svg() + figure.tikz() + figure.text()
    for key in (text for text in figure.scene.texts if text.role == "key" and "below" in text.id):
        (room,) = (text for text in figure.scene.texts if f"{text.id}-key" == key.id)
        assert key.box[2] < room.x - max(room.width, 34) / 2
    assert "by w = x, of course" in texts_of(draw(y, legend={w: "by w = x, of course"}).svg())


def test_an_annotation_that_is_a_number_must_be_the_traced_one():
    x = leaf(3.0, "x")
    y = x * x
    assert "2x" in texts_of(draw(y, annotate={x: "2x"}).svg())
    assert "3 too" in texts_of(draw(y, annotate={("x", 1): "3 too"}, values={y: "x²"}).svg())
    draw(y, annotate={x: 6.0, (x, 0): "3"})
    with pytest.raises(ValueError, match=r"'5'.*6\.0"):
        draw(y, annotate={x: "5"})
    with pytest.raises(ValueError, match="no use 7"):
        draw(y, annotate={(x, 7): "a"})


def test_checks_are_marked():
    written = texts_of(draw(apples(), check=True).svg())
    assert {"2.2 ✓", "110 ✓", "1.1 ✓", "200 ✓"} <= set(written)


def test_a_kink_is_no_derivative_even_where_the_convention_is_the_mean_of_both_slopes():
    def verdicts(y):
        return [use.verdict for use in draw(y, check=True).graph.uses if use.flows and use.op]

    assert verdicts(np.abs(leaf(0.0))) == ["kink"]
    assert verdicts(nn.functional.relu(leaf(0.0))) == ["kink"]
    assert verdicts(leaf(0.0) ** 2) == ["agrees"]
    assert verdicts((leaf(1000.0) - 1000.0) ** 2) == ["agrees", "agrees"], "much bent, but no kink"
    assert verdicts(np.abs(leaf(0.5)) * 1e6) == ["agrees", "agrees"]
    assert verdicts(np.exp(leaf(np.array([0.0, 3.0]))).sum()) == ["agrees", "agrees"]


def test_what_cannot_be_drawn_is_refused_with_what_can():
    for wrong in (3.0, None, np.ones(3), "x", [leaf(1.0), 3.0], []):
        with pytest.raises(TypeError, match="a figure is drawn of a Tensor, of several, or of a function"):
            draw(wrong)
    with pytest.raises(ValueError, match=r"no computation to draw.*requires_grad=True"):
        draw(tg.Tensor(3.0) * tg.Tensor(2.0))
    with pytest.raises(TypeError, match="names="):
        draw(apples(), names={leaf(1.0): "x"})


def test_a_function_with_several_results():
    def both(a, b):
        return a * b, a + b

    figure = draw(both, 2, 3)
    assert [figure.graph.values[k].name for k in (2, 3)] == ["both[0]", "both[1]"]
    assert "a is 2; ∂L/∂a is 4." in figure.text()
    with pytest.raises(TypeError, match="nothing was recorded"):
        draw(lambda a: (a * 2, 3.0), 1)


def test_unknown_choices_are_refused_with_the_known_ones():
    for option in (
        {"style": "nice"},
        {"theme": "pink"},
        {"direction": "up"},
        {"grad": "no"},
        {"show": "all"},
        {"lang": "xx"},
    ):
        with pytest.raises(ValueError, match="choose one of"):
            draw(apples(), **option)
    with pytest.raises(ValueError, match="jpg"):
        draw(apples()).save("a.jpg")
    with pytest.raises(ValueError, match="record"):
        draw(apples(), style="record", direction="side-by-side")


def test_a_fork_lies_on_the_lines_that_are_drawn():
    for direction in ("backward", "side-by-side"):
        scene = draw(fan_out(), direction=direction).scene
        ends = {point for line in scene.lines for point in (line.points[0], line.points[-1])}
        forks = [(shape.x, shape.y) for shape in scene.shapes if shape.shape == "fork"]
        assert forks
        assert set(forks) <= ends


def test_names_stay_beside_their_arrows_whatever_the_width_of_letters():
    groups = groups_of(draw(apples()).svg())
    anchors = {
        id: groups[id].find(f"{SVG}text").get("text-anchor") for id in ("v0-text0", "u4-result-text0", "o0-text0")
    }
    assert anchors == {"v0-text0": "end", "u4-result-text0": "start", "o0-text0": "middle"}


def test_a_text_under_a_line_has_a_halo():
    scene = draw(apples()).scene
    (x0, y), (x1, _) = scene.lines[0].points[:2]
    title = replace(scene.texts[0], id="group-title", x=(x0 + x1) / 2, y=y)
    assert haloed(replace(scene, texts=(title,))).texts[0].halo
    assert not any(text.halo for text in haloed(scene).texts)


def test_a_line_does_not_touch_a_circle_that_is_not_its_end():
    x = leaf(1.5, "x")
    h = np.tanh(x * 2.0)
    assert not struck(draw(np.log(np.exp(h) + x) * h + x + h).scene)
    scene = draw(apples()).scene
    circle = next(shape for shape in scene.shapes if shape.shape == "circle")
    r = circle.width / 2
    graze = replace(
        scene.lines[0],
        tail="a",
        head="b",
        points=((circle.x - r, circle.y + 0.9 * r), (circle.x + r, circle.y + 0.9 * r)),
    )
    assert struck(replace(scene, lines=(graze,))) == [(circle.id, graze.id)]


def test_directions():
    forward = draw(apples(), direction="forward")
    assert not any(line.backward for line in forward.scene.lines)
    backward = draw(apples(), direction="backward")
    assert all(line.backward for line in backward.scene.lines)
    assert not {"100", "2", "220"} & set(texts_of(backward.svg()))
    both = draw(apples(), direction="side-by-side", lang="ko")
    assert {"순전파", "역전파"} <= set(texts_of(both.svg()))
    assert len(both.scene.shapes) == 4
    assert overlapping(both.scene) == []


def test_themes_use_their_colours():
    assert "#d55e00" in draw(apples()).svg().lower()
    assert "#d55e00" not in draw(apples(), theme="print").svg().lower()
    assert "#16181d" in draw(apples(), theme="dark").svg().lower()


def test_the_backward_pass_is_a_graph_like_any_other():
    x = leaf(2.0, "x")
    y = x**3
    figure = draw_backward(y)
    assert [value.name for value in figure.graph.values][-1] == "∂y/∂x"
    assert figure.graph.values[-1].data == 12.0
    a, b = leaf(1.0, "a"), leaf(2.0, "b")
    c = a + b
    outputs = [use.value for use in draw_backward(c).graph.uses if use.op is None]
    assert [v.name for v in draw_backward(c).graph.values if v.id in outputs] == ["∂c/∂a", "∂c/∂b"]


class Branches(nn.Module):
    """One branch is a convolution; the other begins with a pool, which has no parameters."""

    def __init__(self):
        self.a, self.pool, self.b = nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(3, 1, 1), nn.Conv2d(1, 2, 1)

    def forward(self, image):
        return np.concatenate([self.a(image), self.b(self.pool(image))], axis=1)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_what_is_computed_of_data_alone_is_drawn_where_the_function_is_given(requires_grad):
    images = tg.Tensor(np.ones((1, 1, 6, 6), np.float32), requires_grad=requires_grad)
    said = draw(Branches(), images, collapse="all").text()
    assert "MaxPool2d pool takes image" in said
    assert "Conv2d a takes image" in said
    sequence = tg.Tensor(np.ones((1, 3, 2), np.float32), requires_grad=requires_grad)
    for layer in (nn.LSTM, nn.GRU, nn.RNN):  # they return (y, states), an LSTM (y, (h, c))
        figure = draw(layer(2, 1, batch_first=True, unroll=True), sequence, collapse=None)
        assert {"x", "weight_ih_l0"} <= {value.name for value in figure.graph.values}
        assert figure.text().count("takes x") == 1
        parts = [
            step
            for step in figure.text().split("\n")
            if step.startswith("indexing takes [[[1, 1]], [[1, 1]], [[1, 1]]]")
        ]
        assert len(parts) == 3


def test_results_within_results_are_drawn_and_none_is_none():
    def several(a):
        return a + 1, (a * 2, [a * 3]), None

    named = {value.name for value in draw(several, np.array(2.0)).graph.values}
    assert {"a", "several[0]", "several[1]", "several[2]"} <= named
    with pytest.raises(TypeError, match=r"returned str 'b'"):
        draw(lambda a: (a, (a, "b")), 2.0)
