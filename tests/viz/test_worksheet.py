"""Worksheets, read back as the PDF that is printed."""

import io

import numpy as np
import pypdf
import pytest

import viz.picture
from tests.viz.figures import affine, apples, attention, fan_out, fruit, leaf
from tests.viz.test_places import xor
from viz import draw, worksheet
from viz.formats import render
from viz.worksheet import MILLIMETRE, PAPERS


def read(path):
    return list(pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages)


def words_of(page):
    return [line.strip() for line in page.extract_text().split("\n")]


def blanks(page):
    """The sizes of the rounded rectangles on a page, in millimetres: outlines of eight curves."""
    found, path, kinds = [], [], ""

    def see(operator, operands, cm, tm):
        nonlocal path, kinds
        name = operator.decode()
        if name in ("m", "l", "c"):
            path, kinds = ([], "") if name == "m" else (path, kinds)
            numbers = [float(x) for x in operands]
            path += [
                (cm[0] * x + cm[2] * y + cm[4], cm[1] * x + cm[3] * y + cm[5])
                for x, y in zip(numbers[::2], numbers[1::2], strict=True)
            ]
            kinds += name
        elif name == "S" and kinds == "m" + 8 * "c":
            (left, right), (bottom, top) = ((min(side), max(side)) for side in zip(*path, strict=True))
            found.append(((right - left) / MILLIMETRE, (top - bottom) / MILLIMETRE))

    page.extract_text(visitor_operand_before=see)
    return found


def test_blanks_can_be_written_in_however_the_figure_is_made_to_fit(tmp_path):
    pages = read(worksheet([draw(apples()), draw(fruit())], tmp_path / "a.pdf", values=True, key=False))
    sizes = [size for page in pages for size in blanks(page)]
    assert len(sizes) == (4 + 2) + (8 + 4), "derivatives but that of the price, and what is computed"
    assert min(width for width, _ in sizes) >= 22
    assert min(height for _, height in sizes) >= 9
    narrow = read(worksheet(draw(fruit()), tmp_path / "b.pdf", landscape=False, key=False))
    assert float(narrow[0].mediabox.width) == pytest.approx(PAPERS["A4"][0], abs=0.01)
    assert min(width for width, _ in blanks(narrow[0])) >= 22


@pytest.mark.parametrize(
    ("figure", "count"), [(lambda: draw(attention(), loss="L"), 7), (lambda: draw(xor(), fit="16:9"), 23)]
)
def test_a_figure_that_is_too_wide_goes_on_in_rows(tmp_path, figure, count):
    page, answer = read(worksheet(figure(), tmp_path / "a.pdf", landscape=False))
    sizes = blanks(page)
    assert len(sizes) == count, "each is asked for once"
    assert min(width for width, _ in sizes) >= 22
    assert min(height for _, height in sizes) >= 9
    assert {"A", "B"} <= set(words_of(page)), "the letters at the ends of a line that is cut"
    assert {"A", "B"} <= set(words_of(answer))


def test_answers_are_on_pages_of_their_own(tmp_path):
    figures = [("What is ∂price/∂apple?", draw(apples())), draw(fan_out(), grad="blank")]
    pages = read(worksheet(figures, tmp_path / "deep" / "a.pdf", title="Back", values=True, paper="letter"))
    half = next(k for k, page in enumerate(pages) if any("Answers" in line for line in words_of(page)))
    asked, answered = ([line for page in part for line in words_of(page)] for part in (pages[:half], pages[half:]))
    assert {"Back Name", "What is ∂price/∂apple?"} <= {line.removeprefix("1. ") for line in asked} | {"Back Name"}
    said = " ".join(asked)
    assert "Name" in said
    assert not {"2.2", "110", "200", "220"} & set(said.split())
    assert {"2.2", "110", "200", "220", "7"} <= set(" ".join(answered).split())
    for numbers in (asked, answered):
        assert {"1.", "2."} <= {line[:2] for line in numbers}, "each part counts its figures"
    assert {tuple(map(float, page.mediabox[2:])) for page in pages} <= {(612, 792), (792, 612)}


def test_only_what_is_asked_is_blank(tmp_path):
    def written(*figures, **options):
        return " ".join(
            read(worksheet(list(figures), tmp_path / "a.pdf", key=False, **options))[0].extract_text().split()
        )

    assert {"200", "220", "price"} <= set(written(draw(apples())).split())
    blank = written(draw(apples()), values=True)
    assert "200" not in blank.split()
    assert "100" in blank.split(), "what is given stays"
    assert "(5, 3)" in written(draw(affine(), loss="L"), values=True), "a shape is no answer"
    unnamed = [leaf(3.0, "a") * 5.0, leaf(4.0, "b") * 2.0]
    assert not {"15", "8"} & set(written(draw(unnamed, direction="forward"), values=True).split())


def test_formulas_are_answered_by_formulas(tmp_path):
    pages = read(worksheet(draw(leaf(2.0, "x") * leaf(3.0, "w"), grad="symbol"), tmp_path / "a.pdf"))
    assert len(pages) == 2
    assert "w" in words_of(pages[1])
    assert len(blanks(pages[0])) == 2


def test_korean_worksheets_say_so(tmp_path, monkeypatch):
    figure = draw(apples(), lang="ko")
    monkeypatch.setattr(viz.picture, "has_wide_font", lambda: True)
    assert worksheet(figure, tmp_path / "a.pdf").exists()
    monkeypatch.setattr(viz.picture, "has_wide_font", lambda: False)
    with pytest.warns(UserWarning, match="Hangul"):
        worksheet(draw(apples()), tmp_path / "a.pdf", title="역전파")


def test_what_is_no_worksheet_is_refused_and_nothing_is_written(tmp_path, monkeypatch):
    path = tmp_path / "a.pdf"
    long = leaf(0.5, "x")
    for _ in range(30):
        long = np.tanh(long * 2.0)
    for figures, options, error, said in (
        ([], {}, ValueError, "needs a figure"),
        ([3], {}, TypeError, "figure 1, takes what draw"),
        (draw(apples(), direction="forward"), {}, ValueError, r"figure 1 has nothing to fill in; .*values=True"),
        ([draw(apples()), draw(apples(), style="record")], {}, ValueError, "figure 2 is in the style 'record'"),
        (
            draw(long, collapse=None),
            {"landscape": True},
            ValueError,
            r"figure 1 does not fit on A4: .* points high; fold it",
        ),
        (draw(long, collapse=None), {"landscape": False}, ValueError, r"take landscape=True"),
        (draw(apples()), {"paper": "A5"}, ValueError, "choose one of 'A4', 'letter'"),
        (draw(apples()), {"title": 3}, TypeError, "title= takes a text"),
    ):
        with pytest.raises(error, match=said):
            worksheet(figures, path, **options)
    with pytest.raises(ValueError, match="'svg' is not known"):
        worksheet(draw(apples()), tmp_path / "a.svg")
    figure = draw(apples())
    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install graphviz pygraphviz"):
        worksheet(figure, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shape", "most"), [((2, 2), (22, 13)), ((3, 2), (22, 19.5)), ((2, 4), (43, 13))])
def test_blanks_of_arrays_have_room_for_each_number(tmp_path, shape, most):
    x = leaf(np.arange(1.0, 1.0 + shape[0] * shape[1]).reshape(shape), "x")
    (page, *_) = read(worksheet([draw((x * x).sum(), show=("value", "grad"))], tmp_path / "a.pdf"))
    sizes = blanks(page)
    assert max(width for width, _ in sizes) >= most[0]
    assert max(height for _, height in sizes) >= most[1]


def test_latex_in_questions_and_titles_is_read_without(tmp_path):
    file = worksheet([(r"What is $x_1$?", draw(apples()))], tmp_path / "a.pdf", title=r"The loss $\ell$")
    said = " ".join(page.extract_text() for page in read(file))
    assert "What is x₁?" in said
    assert "The loss ℓ" in said
    assert "$" not in said
