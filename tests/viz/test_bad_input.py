"""What a figure cannot be made of, or not be written as: one line that says what to do, and nothing written by half."""

import re
import shutil
import warnings

import numpy as np
import pytest

import tinygrad_edu as tg
import viz.picture
from tests.viz.figures import apples, leaf
from tinygrad_edu import models, nn
from viz import Graph, draw, worksheet
from viz.formats import render
from viz.formats.tikz import escape
from viz.picture import MOST_DOTS

EVERY = ("svg", "png", "pdf", "tex", "html", "json", "md", "txt", "dot", "pptx")


def freed():
    y = leaf(2.0, "x") * 3.0
    y.backward(retain_graph=False)
    return draw(y)


def freed_network():
    y = models.LeNet5()(np.ones((1, 1, 28, 28), np.float32)).sum()
    y.backward(retain_graph=False)
    return draw(y, style="blocks")


def stale():
    x = leaf(np.ones(3), "x")
    y = (x * x).sum()
    with tg.no_grad():
        x += 1.0
    return draw(y)


def stale_network():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    y = net(np.ones((1, 3), np.float32))
    with tg.no_grad():
        weight = next(iter(net.parameters()))
        weight += 1.0
    return draw(y, style="blocks")


def without_graphviz(figure):
    def drawn(monkeypatch):
        monkeypatch.setattr(render.shutil, "which", lambda name: None)
        monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
        return figure()

    return drawn


WRONG = {
    "a page too small": (lambda: draw(apples(), fit=(1.0, 0.5), font_size=30), ValueError, r"30 are wanted; draw less .* or fit it"),
    "a page too small for a network": (
        lambda: draw(models.LeNet5()(np.ones((1, 1, 28, 28), np.float32)), style="blocks", fit=(1.0, 0.5), font_size=30),
        ValueError, r"30 are wanted; draw less .* or fit it",
    ),
    "a freed graph": (freed, RuntimeError, r"freed by backward\(retain_graph=False\)"),
    "a freed network": (freed_network, RuntimeError, r"freed by backward\(retain_graph=False\)"),
    "a stale graph": (stale, RuntimeError, "was written"),
    "a stale network": (stale_network, RuntimeError, "was written"),
    "a value that is no number": (lambda: draw(apples(), values={"apple": object()}), TypeError, "what is written of 'apple' takes a text or a number"),
    "a number that is not the traced one": (lambda: draw(apples(), values={"apple": float("nan")}), ValueError, "'nan' is not what was traced: 100"),
    "the JSON of something else": (lambda: draw(Graph.from_json('{"version": 1}')), ValueError, "write it again with"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_one_line_says_what_to_do_and_nothing_is_written(name, tmp_path):
    make, error, said = WRONG[name]
    for format in ("svg", "tex"):
        with pytest.raises(error, match=said) as raised:
            make().save(tmp_path / f"a.{format}")
        assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "make", [lambda: draw(apples()), lambda: draw(nn.Linear(3, 2)(np.ones((1, 3), np.float32)), style="blocks")]
)
def test_what_needs_a_program_that_is_not_there_says_so_and_writes_nothing(make, tmp_path, monkeypatch):
    without = without_graphviz(make)(monkeypatch)
    for format in ("png", "pdf"):
        with pytest.raises(RuntimeError, match="pip install graphviz pygraphviz") as raised:
            without.save(tmp_path / f"a.{format}")
        assert "\n" not in str(raised.value)
    with pytest.raises(RuntimeError, match="pip install graphviz pygraphviz"):
        without.frames().save_all(tmp_path / "frames", "png")
    assert list(tmp_path.iterdir()) == []


def test_tex_is_written_where_there_is_no_latex(tmp_path, monkeypatch):
    figure = draw(apples())
    assert figure.scene
    monkeypatch.setattr(shutil, "which", lambda name: None if "tex" in name else f"bin/{name}")
    text = figure.save(tmp_path / "a.tex").read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith(r"% needs \usepackage{tikz}"), "it says what typesets it"


def test_no_font_for_hangul_is_warned_of_once_and_the_figure_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(viz.picture, "has_wide_font", lambda: False)
    for figure in (
        draw(leaf(2.0, "사과") * 3.0),
        draw(nn.Linear(3, 2)(np.ones((1, 3), np.float32)), style="blocks", lang="ko"),
    ):
        with pytest.warns(UserWarning, match="install one .*fonts-noto-cjk") as warned:
            figure.save(tmp_path / "a.png")
        assert len(warned) == 1
        assert "\n" not in str(warned[0].message)
        assert (tmp_path / "a.png").stat().st_size > 500
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure.save(tmp_path / "a.svg")


def test_names_with_control_characters_are_lines_that_can_be_printed(tmp_path):
    name = "a\x00b\x1b[31m\nc\u202e" + "d" * 300
    figures = [
        draw(leaf(2.0, name) * 3.0), draw(leaf(2.0, name) * 3.0, fit="16:9", weight="grad", title=name, caption=name),
        draw(nn.Linear(3, 2)(tg.Tensor(np.ones((1, 3), np.float32), name=name)), style="blocks", title=name),
    ]  # fmt: skip
    for figure in figures:
        for format in EVERY:
            if format in figure.formats and format != "json":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # of small letters: the name is long
                    content = figure.save(tmp_path / f"a.{format}").read_bytes()
                if format not in ("png", "pdf", "pptx"):
                    text = content.decode()
                    assert not any(ord(c) < 32 and c not in "\n\t" for c in text), format
                    assert "\u202e" not in text, format


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_drawn_as_such_in_every_format(number, tmp_path):
    said = {"nan": "NaN", "inf": "∞", "-inf": "−∞"}[str(number)]
    x = leaf(number, "x")
    for options in ({}, {"weight": "grad"}, {"fit": "16:9"}, {"show": ("value", "grad")}, {"check": True}):
        with np.errstate(all="ignore"):
            figure = draw(x * x, **options)
            assert said in [text.text for text in figure.scene.texts]
    for format in EVERY:
        assert figure.save(tmp_path / f"a.{format}").stat().st_size > 50
    assert Graph.from_json(figure.json()).values[0].data == pytest.approx(number, nan_ok=True)
    assert worksheet(figure, tmp_path / "sheet.pdf", values=True).stat().st_size > 500


def test_a_picture_of_more_dots_than_there_can_be_is_refused(tmp_path):
    figure = draw(apples())
    with pytest.raises(ValueError, match=r"larger than a PNG .* take dpi=(\d+) or fewer") as raised:
        figure.save(tmp_path / "a.png", dpi=1e9)
    assert list(tmp_path.iterdir()) == []
    most = float(re.search(r"dpi=(\d+)", str(raised.value))[1])
    left, bottom, right, top = figure.scene.bounds()
    assert max(right - left, top - bottom) * most / 72 == pytest.approx(MOST_DOTS, rel=0.01)
    with pytest.raises(ValueError, match="take dpi="):
        figure.frames().save(tmp_path / "a.gif", dpi=1e9)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no file can have"):
        draw(apples()).save(f"{tmp_path}/a\0.svg")


def test_latex_whose_braces_do_not_match_is_text():
    x = leaf(2.0, "x")
    for given in ("$x_{1$", "$}{$", r"$\frac{a}{b$"):
        tex = draw(x * x, title=f"A {given}").tikz()
        assert f"{{\\fontsize{{13}}{{15.6}}\\selectfont \\bfseries A {escape(given)}}}" in tex
