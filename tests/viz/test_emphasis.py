"""What a figure puts weight on: derivatives by size and sign, and what is highlighted among the rest."""

import re

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import affine, apples, fan_out, layered, leaf, texts_of
from viz import draw, trace
from viz.__main__ import main
from viz.emphasis import largest, lit, sizes, thickness
from viz.formats.html import figure_data
from viz.layout.clearance import faults, overlapping
from viz.theme import THEMES, dash, shade


def expression():
    a, b, c, f = (leaf(x, name) for x, name in ((2.0, "a"), (-3.0, "b"), (10.0, "c"), (-2.0, "f")))
    e = a * b
    d = e + c
    y = d * f
    for tensor, name in ((e, "e"), (d, "d"), (y, "L")):
        tensor.name = name
    return y


def vanishing(depth):
    h = leaf(0.5, "x")
    for k in range(depth):
        h = tg.sigmoid(h * leaf(0.8, f"w{k}"))
    return h


def backward(figure):
    return {line.id.removesuffix("-backward"): line for line in figure.scene.lines if line.backward}


# ---------------------------------------------------------------------------------------------------
# Weight


def test_lines_are_as_thick_as_derivatives_are_large():
    figure = draw(vanishing(4), weight="grad")
    lines = backward(figure)
    uses = [use for use in figure.graph.uses if use.flows]
    assert len(uses) == 13
    for use in uses:
        assert lines[use.id].weight == pytest.approx(thickness(abs(use.grad), 1.0))
    chain = [lines[use.id].weight for use in uses if use.value in {v.id for v in figure.graph.values if v.op}]
    assert sorted(chain) == chain, "the further from the output, the thinner"
    assert faults(figure.scene) == 0


def test_lines_tell_the_sign_in_colour_and_in_grey():
    x = leaf(np.array([1.0, -2.0]), "x")
    figure = draw((x * x * 1.0).sum() + leaf(3.0, "a") * -2.0 + leaf(0.0, "b") * leaf(0.0, "c"), weight="grad")
    marks = {value.name: line.classes.split()[0] for value in figure.graph.values for line in figure.scene.lines
             if line.backward and line.classes.endswith(f" {value.id}")}  # fmt: skip
    assert (marks["a"], marks["x"], marks["b"], marks["L"]) == ("negative", "mixed", "nothing", "positive")
    colours = {theme: {shade(line)[0] for line in figure.scene.lines if line.backward} for theme in THEMES}
    assert colours["default"] == {"negative", "mixed", "backward"}
    assert {dash(line) for line in figure.scene.lines} == {"", "dashed", "dotted"}
    for theme in ("default", "dark"):
        assert len({getattr(THEMES[theme], part) for part in ("backward", "negative", "mixed", "forward")}) == 4
    svg = draw((x * -1.0).sum(), weight="grad", theme="print").svg()
    assert "stroke-dasharray" in svg
    assert not re.search(r"#(?!([0-9A-Fa-f]{2})\1\1)[0-9A-Fa-f]{6}", svg), "all of it is grey"


def test_arrays_weigh_by_the_root_of_the_mean_of_squares_however_large_they_are():
    rng = np.random.default_rng(0)
    x, w = leaf(rng.standard_normal((20, 30)), "X"), leaf(rng.standard_normal((30, 10)), "W")
    y = (np.tanh(x @ w) ** 2).sum()
    figure = draw(y, weight="grad")
    known = {value.name: value.size for value in figure.graph.values}
    for tensor, slope in zip((x, w), tg.grad(y, [x, w]), strict=True):
        assert known[tensor.name] == pytest.approx(np.sqrt(np.mean(np.asarray(slope) ** 2)))
    assert all(value.size is None for value in draw(y).graph.values), "only where it is asked for"
    assert largest(figure.graph) == max(size for size, _ in sizes(figure.graph).values())


def test_a_trunk_weighs_the_sum_and_a_closed_layer_what_it_passes_on():
    lines = backward(draw(fan_out(), weight="grad"))
    x = 3.0
    assert lines["v0-trunk"].weight > lines["u0"].weight == lines["u1"].weight
    assert lines["v0-trunk"].weight == pytest.approx(thickness(2 * x + 1, 2 * x + 1))
    closed = draw(layered(), weight="grad", collapse="all")
    assert all(line.weight for line in closed.scene.lines if line.backward)


def test_plain_data_has_weight_where_it_has_numbers():
    assert backward(draw(trace(expression()), weight="grad"))["u0"].weight


def test_the_scale_says_how_large_the_widths_are():
    written = [text.text for text in draw(expression(), weight="grad").scene.texts]
    assert {"|∂| = 6", "|∂| = 0.6", "|∂| = 0.06", "above 0", "below 0"} <= set(written)
    assert "some above, some below" not in written
    assert {"|∂| = 6", "양수", "음수"} <= {
        text.text for text in draw(expression(), weight="grad", lang="ko").scene.texts
    }


def test_infinite_and_nothing():
    figure = draw(np.sqrt(leaf(0.0, "x")) * 1.0 + leaf(1.0, "y"), weight="grad")
    assert backward(figure)["u0"].weight == thickness(np.inf, 1.0) == 5.0
    draw(leaf(0.0, "x") * leaf(0.0, "y"), weight="grad", gradient=0.0).svg()
    assert thickness(0.0, 0.0) == thickness(None, 1.0) == 0.8


@pytest.mark.parametrize("options", [{"direction": "forward"}, {"wrt": []}])
def test_weight_needs_derivatives(options):
    with pytest.raises(ValueError, match="there are none in numbers here"):
        draw(apples(), weight="grad", **options)
    with pytest.raises(ValueError, match=r"give ∂L/∂output: draw\(y, gradient=…\)"):
        draw(affine(), weight="grad")
    draw(affine(), weight="grad", gradient=np.ones((5, 3)))


# ---------------------------------------------------------------------------------------------------
# Highlighting


def marked(figure, mark):
    return {re.sub(r"-(forward|backward|above-text0|below-text0|text0|result.*)$", "", thing.id)
            for thing in (*figure.scene.shapes, *figure.scene.lines, *figure.scene.texts)
            if mark in thing.classes.split()}  # fmt: skip


def test_a_path_is_highlighted_and_the_rest_is_paler():
    y = expression()
    figure = draw(y, highlight=("a", "L"))
    names = {value.name: value.id for value in figure.graph.values}
    assert marked(figure, "lit") == {names["a"], "o0", "o1", "o2", "u0", "u2", "u4", "u6"}
    assert marked(figure, "pale") == {names["b"], names["c"], names["f"], "u1", "u3", "u5"}
    assert faults(figure.scene) == 0


def test_a_path_may_be_told_from_either_end_and_by_tensors():
    y = expression()
    a = y.inputs[0].inputs[0].inputs[0]
    assert draw(y, highlight=(a, y)).scene == draw(y, highlight=("L", "a")).scene
    with pytest.raises(ValueError, match=r"highlight=\(a, b\): neither of them is computed from the other"):
        draw(y, highlight=("a", "b"))


def test_a_node_is_highlighted_with_where_it_is_made_and_used():
    figure = draw(expression(), highlight="e")
    assert marked(figure, "lit") == {"o0", "u2"}
    assert "v0" in marked(draw(expression(), highlight="a"), "lit")
    both = draw(expression(), highlight=["e", ("c", "d")])
    assert {"o0", "u2", "u3", "o1"} <= marked(both, "lit")


def test_a_value_that_forks_takes_every_way_that_leads_there():
    x = leaf(3.0, "x")
    y = x * x
    z = y + np.exp(x)
    figure = draw(z, highlight=("x", y), names={"y": y})
    found = lit(figure.graph, figure.look.highlight)
    assert found.uses == {"u0", "u1"}
    assert found.ops == {"o0"}
    assert "v0-fork" in marked(figure, "lit")


def test_pale_things_are_drawn_in_a_lighter_colour_in_every_format(tmp_path):
    figure = draw(expression(), highlight=("a", "L"))
    pale = THEMES["default"].tint("backward", 35)
    svg = figure.svg()
    assert pale.lower() in svg.lower()
    assert 'stroke="#d55e00" stroke-width="2"' in svg.lower()
    assert "vizbackward!35!vizpaper" in figure.tikz()
    assert "vizaccent, line width=1pt" in figure.tikz()
    data = figure_data(figure, "", {})["views"][0]
    assert {line.get("looks") for line in data["lines"]} == {"lit", "pale"}
    pptx = pytest.importorskip("pptx")
    (slide,) = pptx.Presentation(str(figure.save(tmp_path / "a.pptx"))).slides
    lines = {shape.name: str(shape.line.color.rgb) for shape in slide.shapes if shape.name.endswith("backward")}
    assert lines["u1-backward"] == pale.removeprefix("#")
    assert lines["u0-backward"] == "D55E00"


def test_the_highlight_is_the_same_beside_itself_in_rows_and_with_layers_closed():
    twice = draw(expression(), highlight="e", direction="side-by-side")
    assert {shape.classes for shape in twice.scene.shapes if shape.id.endswith("o0")} == {"lit op circle"}
    long = vanishing(6)
    fitted = draw(long, highlight=("w2", long), fit=(10.0, 9.0))
    assert len({round(text.y) for text in fitted.scene.texts if text.role == "key"}) > 1, "it is in rows"
    assert not any(line.classes.startswith(("forward", "backward")) for line in fitted.scene.lines)
    y = layered()
    open_one = draw(y, highlight=("x", y))
    views = figure_data(open_one, "", {})["views"]
    assert len(views) > 1
    assert all(any(line.get("looks") == "lit" for line in view["lines"]) for view in views)


def test_what_is_folded_cannot_be_highlighted():
    y = layered()
    with pytest.raises(ValueError, match=r"inside what is folded .* collapse=None"):
        draw(y, highlight=y.inputs[0].inputs[0].inputs[0], collapse="all")


def test_what_is_highlighted_does_not_show_through_in_other_styles():
    for style in ("record", "plain"):
        for option in ({"highlight": "apple"}, {"weight": "grad"}, {"legend": True}, {"title": "x"}, {"caption": "x"}):
            with pytest.raises(ValueError, match=f"in the style '{style}'"):
                draw(apples(), style=style, **option)


@pytest.mark.parametrize(
    ("highlight", "error", "said"),
    [
        (3, TypeError, "highlight= takes a tensor, its name, a pair of them, from and to, or a list of these, but got int 3"),
        (("a", "b", "c"), ValueError, "a pair of where a path begins and where it ends, but got 3 things"),
        ("nope", ValueError, "no value is called 'nope'"),
        (leaf(1.0, "q"), ValueError, "is not in this figure"),
    ],
)  # fmt: skip
def test_a_highlight_that_is_not_understood(highlight, error, said):
    with pytest.raises(error, match=said):
        draw(expression(), highlight=highlight)


def test_the_command_line_weighs_and_highlights(tmp_path, capsys):
    file = tmp_path / "a.svg"
    assert (
        main(["a * b + c", "a=2", "b=-3", "c=1", "--weight", "grad", "--highlight", "a:L", "c", "-o", str(file)]) == 0
    )
    assert "|∂| = 3" in texts_of(file.read_text())
    with pytest.raises(SystemExit):
        main(["a * b", "a=2", "b=-3", "--highlight", "a:b:c"])
    assert "'a:b:c' is neither a name nor a path, as in x:y" in capsys.readouterr().err


def test_everything_keeps_its_distance():
    around = {"weight": "grad", "legend": True, "title": "A title", "caption": "A caption"}
    for figure in (
        draw(layered(), **around),
        draw(expression(), **around, flow="down", highlight=("a", "L")),
        *[draw(y, **around, fit="16:9", show=("value", "grad")) for y in (expression(), fan_out(), vanishing(6))],
    ):
        assert faults(figure.scene) == 0
        assert overlapping(figure.scene) == []
