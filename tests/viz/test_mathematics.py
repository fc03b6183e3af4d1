"""Names in mathematics: x1 as x₁, alpha as α, `$…$` through to LaTeX; words keep what was given."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.viz.figures import leaf, texts_of
from tinygrad_edu.formula.writing import of_path
from viz import draw, trace
from viz.layout.captions import in_lines
from viz.record.mathematics import GREEK, mathematical, readable
from viz.wording.labels import said


def net():
    y = leaf(2.0, "x1") * leaf(3.0, "alpha") + leaf(1.0, r"$\hat{\beta}_2$")
    y.name = "loss"
    return y


def test_names_are_written_as_mathematics_writes_them():
    figure = draw(net(), grad="symbol", loss="L")
    assert {"x₁", "α", "β̂₂", "∂L/∂loss·α", "∂L/∂loss·x₁"} <= set(texts_of(figure.svg()))
    assert "x1" not in "".join(texts_of(figure.svg()))


def test_words_keep_the_names_that_were_given():
    figure = draw(net())
    assert "multiply takes x1 (2) and alpha (3)" in figure.text()
    assert "β̂₂ (1)" in figure.text(), "what stands between dollars is no word"
    assert "$" not in figure.svg()


def test_latex_gets_what_stands_between_dollars():
    tex = draw(net(), show=("value", "grad", "formula")).tikz()
    assert r"{$\hat{\beta}_2$}" in tex
    assert r"\^" not in tex
    assert r"{x$_1$}" in tex
    assert r"{$\alpha$}" in tex
    y = leaf(1.0, r"$\hat{\beta}_2$") * leaf(3.0, "alpha")
    formula = draw(np.exp(y), names={"y": y}, loss="L", grad="symbol").tikz()
    assert r"exp(y)$\cdot$$\hat{\beta}_2$" in formula
    assert "xelatex" not in formula


def test_it_can_be_switched_off():
    figure = draw(net(), mathematics=False, grad="symbol", loss="L")
    assert {"x1", "alpha", r"$\hat{\beta}_2$", "∂L/∂loss·alpha"} <= set(texts_of(figure.svg()))


def test_two_names_that_would_look_alike_stay_as_they_are():
    written = texts_of(draw(leaf(1.0, "x1") * leaf(2.0, "x_1") * leaf(3.0, "y1")).svg())
    assert {"x1", "x_1", "y₁"} <= set(written)


def test_a_name_is_found_however_it_is_written():
    y = net()
    for name in ("x1", "x₁", "alpha", "α", r"$\hat{\beta}_2$", "β̂₂"):
        draw(y, wrt=name)
        draw(y, annotate={name: "slope"})
    with pytest.raises(ValueError, match="no value is called 'x2'"):
        draw(y, wrt="x2")


@pytest.mark.parametrize(
    "name", ["apple", "count of apples", "weight₀", "fc1.weight", "x1y", "_x1", "Wx", "h[0]", "x-1", "1x", "", "x_B"]
)
def test_other_names_stay(name):
    assert mathematical(name) == name


@pytest.mark.parametrize(
    "name", ["5 $ or 6", "$", "$$", "a$b", "x", "$name ${script}", "$5 or $6", of_path("net.1.0.weight")]
)
def test_what_is_no_latex_stays(name):
    assert readable(name) == name


@pytest.mark.parametrize(
    ("tex", "shown"),
    [
        (r"$x_{12}$", "x₁₂"), (r"$\mathbf{W}^\top$", "Wᵀ"), (r"$\bar x$", "x̄"), (r"$\theta^{(1)}_t$", "θ⁽¹⁾ₜ"),
        (r"$\tilde{\mu}$", "μ̃"), (r"$\nabla_\theta$", "∇_θ"), (r"rate $\eta$", "rate η"), (r"$\foo$", "foo"), (r"$a\,b$", "ab"),
    ],
)  # fmt: skip
def test_latex_can_be_read_elsewhere(tex, shown):
    assert readable(tex) == shown


def test_every_greek_letter_has_an_index():
    for name, letter in GREEK.items():
        assert mathematical(f"{name}1") == f"{letter}₁" or name == "lambda_"
        assert len(letter) == 1
    assert mathematical("lambda_1") == "λ₁"


def test_formulas_replace_names_and_nothing_else():
    x1, x10 = leaf(2.0, "x1"), leaf(3.0, "x10")
    y = np.exp(x1 * x10) + 2 * x1**2
    written = [text.text for text in draw(y, grad="symbol", simplify=False).scene.texts]
    assert any("x₁·x₁₀" in text for text in written)
    assert not any(re.search(r"x1", text) for text in written)


def test_a_graph_keeps_its_names_in_json():
    graph = trace(net())
    value = next(value for value in graph.values if value.tex)
    assert (value.name, value.tex) == ("β̂₂", r"$\hat{\beta}_2$")
    assert type(graph).from_json(graph.to_json()) == graph
    assert "x₁" in texts_of(draw(graph).svg())


def test_latex_in_titles_goes_through_and_can_be_read_elsewhere():
    x = leaf(2.0, "x")
    title = r"Loss $\frac{a + 1}{\hat{y}}$ of 5 $ & more, $x_1 + x_2$ and so on and on and on and on"
    figure = draw(x * x, title=title, caption=r"With $\alpha_1$ & so on.")
    tex = figure.tikz()
    for piece in (r"Loss $\frac{a + 1}{\hat{y}}$ of 5 \$ \& more,", r"$x_1 + x_2$", r"With $\alpha_1$ \& so on."):
        assert piece in tex
    assert r"\usepackage{amsmath}" in tex
    assert r"\usepackage{amsmath}" not in draw(x * x, title="plain").tikz()
    shown = " ".join(text.text for text in figure.scene.texts if text.role == "title")
    assert shown == "Loss (a + 1)/ŷ of 5 $ & more, x₁ + x₂ and so on and on and on and on"
    assert not any("\\" in text.text for text in figure.scene.texts)
    frames = figure.frames(titles=[f"step ${k}^2$" for k in range(len(figure.frames()))])
    assert "step $1^2$" in frames.tikz()
    panels = draw([x * x, leaf(3.0, "z") * 2.0], panels=True, titles=["$x^2$", r"$\nabla$ of z"])
    assert all(piece in panels.tikz() for piece in ("$x^2$", r"$\nabla$ of z"))


@given(st.lists(st.sampled_from(["the", "loss", r"$\hat{y} + 1$", "$x_1$", "$5", "&", r"$\frac{a}{b}$,"]), max_size=12))
def test_lines_of_a_title_are_never_broken_inside_of_latex(words):
    title = said(" ".join(words))
    lines = in_lines(title, 90.0, 14.0)
    assert " ".join(line.tex for line in lines) == title.tex
    if any(readable(word) != word for word in words) and " ".join(words).count("$5") == 0:
        assert " ".join(lines).split() == title.split()


def test_latex_in_annotations_and_in_the_name_of_the_loss_goes_through_and_can_be_read():
    x, w = leaf(2.0, "x"), leaf(3.0, "w")
    y = x * w
    y.name = "y"
    figure = draw(y, grad="symbol", loss=r"$\mathcal{L}$", annotate={x: r"$\frac{\partial L}{\partial x}$"})
    assert {"∂L/∂x", "∂L/∂y·x", "∂L/∂y"} <= {text.text for text in figure.scene.texts}
    tex = figure.tikz()
    assert r"$\frac{\partial L}{\partial x}$" in tex
    assert tex.count(r"$\mathcal{L}$") == 2
    assert "$" not in figure.text()


@pytest.mark.parametrize("name", ["$", "$x", "a$", "$ 5", "50% $"])
def test_dollars_that_are_no_latex_stay_dollars_in_formulas(name):
    y = leaf(2.0, name) * leaf(3.0, r"$\hat{w}$")
    y.name = "y"
    written = re.findall(r"\\node.*? \{(.*)\};", draw(y, grad="symbol", loss=name).tikz())
    assert len(written) == 7
    for line in written:
        assert "∂" not in line, "it is a sign of LaTeX between dollars, or none"
        for piece in re.findall(r"\$([^$]*)\$", line.replace(r"\$", "")):
            assert re.fullmatch(r"\\[a-z]+(\{\w\})?|-", piece), piece
