"""Figures as LaTeX typesets them: whatever a figure writes compiles, fits the line, and has all of its letters."""

import re
import shutil
import subprocess
import warnings

import numpy as np
import pypdf
import pytest

import tinygrad_edu as tg
from examples.figures import figures
from tests.viz.figures import affine, attention, fruit, leaf
from tests.viz.test_fit import lstm_cell
from tests.viz.test_places import micrograd, xor
from tinygrad_edu import models
from viz import draw

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(
        shutil.which("pdflatex") is None, reason="pdflatex is not installed: apt install texlive-pictures"
    ),
]


def typeset(folder, document, engine="pdflatex"):
    """The pages of a document, and what LaTeX complains of."""
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed: apt install texlive-xetex texlive-lang-korean")
    (folder / "a.tex").write_text(document, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, timeout=300)
    said = ran.stdout.decode(errors="replace").splitlines()
    faults = [line for line in said if re.match(r"!|Overfull|Missing character", line)]
    assert ran.returncode == 0, faults
    return pypdf.PdfReader(folder / "a.pdf").pages, faults


def document(pictures, size="10pt"):
    """An article that has each picture on a page of its own, and loads what the pictures say they need."""
    needed = dict.fromkeys(part for tex in pictures for part in re.search(r"% needs (.*)", tex)[1].split(" "))
    body = "\n\\newpage\n".join(pictures)
    head = rf"\documentclass[{size}]{{article}}\usepackage[a4paper, margin=20mm]{{geometry}}"
    return "\n".join([head, *needed, r"\begin{document}", body, r"\end{document}"])


def engine_of(*pictures):
    return "xelatex" if any("!TEX program = xelatex" in tex for tex in pictures) else "pdflatex"


@pytest.mark.parametrize("size", ["10pt", "12pt"])
def test_every_figure_of_the_chapter_compiles_and_is_no_wider_than_the_line(tmp_path, size):
    pictures = [figure.drawing.tikz() for figure in figures()]
    assert engine_of(*pictures) == "pdflatex"
    pages, faults = typeset(tmp_path, document(pictures, size))
    assert faults == []
    assert len(pages) == len(pictures)
    assert "price" in pages[0].extract_text()


def test_a_figure_in_steps_is_one_slide_that_is_uncovered(tmp_path):
    (steps,) = (figure.steps for figure in figures() if figure.number == "5-19")
    pages, faults = typeset(tmp_path, steps.tikz())
    assert faults == []
    assert len(pages) == len(steps)
    assert len(pages[0].extract_text()) < len(pages[-1].extract_text())


def made():
    text = leaf(2.0, "a_b{c}%$#&~^\\ <>|\"`'") * leaf(3.0, "− ∞ ≤ ✓ é")
    names = leaf(2.0, r"$\hat{y}_1$") * leaf(3.0, "alpha") + leaf(1.0, "h_t") * leaf(2.0, "x1")
    matrix = (tg.relu(leaf([1.0, 2.0], "x") @ leaf([[1.0, -1.0], [0.5, 2.0]], "W")) ** 2).sum()
    net = models.LeNet5()(np.ones((1, 1, 28, 28), np.float32))
    yield draw(text)
    yield draw(names, grad="symbol", title=r"Loss & 50 % of $\mathcal{L}$", caption="100 % of it_all.")
    yield draw(matrix, show=("value", "grad"))
    yield draw(attention(), loss="L", grad="symbol", fit="16:9")
    yield draw(affine(), show="shape", loss="L")
    yield draw(micrograd(), fit="A4", weight="grad", legend=True)
    yield draw(lstm_cell(), fit="column")
    yield draw(fruit(), check=True)
    yield draw(fruit(), grad="blank")
    yield draw(xor(), theme="dark", fit="16:9")
    yield draw(net, style="blocks", fit="16:9")


def test_whatever_is_on_a_figure_compiles(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pictures = [figure.tikz() for figure in made()]
    assert engine_of(*pictures) == "pdflatex"
    pages, faults = typeset(tmp_path, document(pictures))
    assert faults == []
    assert len(pages) == len(pictures)


def test_hangul_is_set_by_xelatex(tmp_path):
    price = leaf(2.0, "사과 개수") * leaf(100.0, "사과 값")
    net = models.LeNet5()(np.ones((1, 1, 28, 28), np.float32))
    pictures = [draw(price, lang="ko", title="사과의 값").tikz(), draw(net, style="blocks", lang="ko").tikz()]
    assert engine_of(*pictures) == "xelatex"
    pages, faults = typeset(tmp_path, document(pictures), "xelatex")
    assert faults == []
    assert "사과" in pages[0].extract_text()
    assert "합성곱" in pages[1].extract_text()
    frames = draw(price, lang="ko").frames()
    assert len(typeset(tmp_path, frames.tikz(), "xelatex")[0]) == len(frames) > 1
