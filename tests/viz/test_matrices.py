"""Arrays on figures: matrices in rows between brackets, in every format; shapes alone, and what was broadcast."""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import affine, attention, groups_of, leaf, texts_of
from viz import draw, trace
from viz.__main__ import main
from viz.formats.html import figure_data
from viz.layout.clearance import faults, overlapping
from viz.layout.matrix import shortened
from viz.layout.typesetting import typeset
from viz.record.broadcasts import broadcasts
from viz.worksheet import worksheet


def squares(rows=2):
    w = leaf(np.arange(2.0 * rows).reshape(rows, 2) - 1.5, "W")
    return (tg.relu(leaf(np.ones((1, rows)), "x") @ w) ** 2).sum()


@pytest.fixture(scope="module")
def figure():
    return draw(squares(), show=("value", "grad"), check=True)


def matrix(figure, said):
    return next(text for text in figure.scene.texts if text.text.startswith(said))


def test_a_matrix_is_set_in_rows_between_brackets(figure):
    text = matrix(figure, "[[−1.5, −0.5], [0.5, 1.5]]")
    scene = typeset(figure.scene)
    entries = [other for other in scene.texts if other.id.startswith(text.id + "-")]
    assert [entry.text for entry in entries] == ["−1.5", "−0.5", "0.5", "1.5"]
    first, second, third, fourth = entries
    assert first.y == second.y > third.y == fourth.y
    assert first.box[2] == pytest.approx(third.box[2]), "columns end at the same place"
    assert first.box[2] < second.box[0]
    left, right = [line for line in scene.lines if line.id.startswith(text.id + "-")]
    assert left.points[1][0] < min(entry.box[0] for entry in entries)
    assert right.points[1][0] > max(entry.box[2] for entry in entries)
    for line in (left, right):
        assert max(y for _, y in line.points) - min(y for _, y in line.points) > 2 * 14
        assert all(text.box[0] <= x <= text.box[2] and text.box[1] <= y <= text.box[3] for x, y in line.points)


def test_a_derivative_is_a_matrix_too_and_its_verdict_stands_beside_it(figure):
    (text,) = [text for text in figure.scene.texts if text.id == "u1-below-text0"]
    assert text.text == "[[0, 2], [0, 2]] ✓"
    parts = [other.text for other in typeset(figure.scene).texts if other.id.startswith(text.id)]
    assert parts == ["0", "2", "0", "2", " ✓"]


def test_nothing_lies_over_a_matrix(figure):
    for drawn in (figure, draw(squares(4), show=("value", "grad"), fit="16:9"), draw(squares(), show="value")):
        assert faults(drawn.scene) == 0
        assert overlapping(drawn.scene) == []


def test_every_format_sets_the_rows(figure, tmp_path):
    assert {"−1.5", "−0.5", "0.5"} <= set(texts_of(figure.svg()))
    assert not any("[[" in text for text in texts_of(figure.svg()))
    entries = [group for id, group in groups_of(figure.svg()).items() if id and re.search(r"-at\d-\d$", id)]
    assert len(entries) == sum(len(m.matrix.rows) * len(m.matrix.rows[0]) for m in figure.scene.texts if m.matrix)
    tex = figure.tikz()
    assert r"{$-$1.5}" in tex
    assert "[[" not in tex
    dot = figure.dot()
    assert '"u1-above-text0-at1-1"' in dot
    assert '"u1-above-text0-left"' in dot
    pptx = pytest.importorskip("pptx")
    (slide,) = pptx.Presentation(str(figure.save(tmp_path / "a.pptx"))).slides
    assert {"−1.5", "−0.5"} <= {shape.text_frame.text for shape in slide.shapes if shape.has_text_frame}
    assert "[[−1.5, −0.5], [0.5, 1.5]]" in figure.text(), "words have brackets within brackets"
    assert "[[" in figure.mermaid()


def test_plain_text_has_the_rows_too(figure, tmp_path, capsys):
    written = figure.save(tmp_path / "a.txt").read_text(encoding="utf-8")
    assert written.startswith(figure.text())
    assert "W = ⎡−1.5 −0.5⎤\n    ⎣ 0.5  1.5⎦\n" in written
    assert "∂L/∂W = ⎡0 2⎤\n        ⎣0 2⎦" in written
    assert "x = [1 1]" in written
    assert "⎡" not in draw(squares()).plain(), "only where numbers are asked for"
    blank = draw(squares(), show=("value", "grad"), grad="blank").plain()
    assert "⎣ 0.5  1.5⎦" in blank
    assert "∂" not in blank, "an exercise keeps its answers"
    assert main(["x @ W", "x=[[1, 2]]", "W=[[1, 2], [3, 4]]", "--show", "value", "-o", str(tmp_path / "b.txt")]) == 0
    assert "⎣3 4⎦" in (tmp_path / "b.txt").read_text(encoding="utf-8")
    assert main(["x @ W", "x=[[1, 2]]", "W=[[1, 2], [3, 4]]", "--show", "value"]) == 0
    assert "⎡1 2⎤" in capsys.readouterr().out


def test_the_page_gets_each_entry_with_its_place(figure):
    data = figure_data(figure, "", {})
    (text,) = [text for text in data["views"][0]["texts"] if text["id"] == "u1-above-text0"]
    assert [said for said, _, _ in text["entries"]] == ["−1.5", "−0.5", "0.5", "1.5"]
    assert len(text["brackets"]) == 2
    left = text["x"] - text["w"] / 2
    assert all(left <= x <= left + text["w"] for _, x, _ in text["entries"])
    json.dumps(data)


def test_a_frame_hides_the_entries_with_their_matrix(figure):
    first = set(texts_of(figure.frames()[0].svg()))
    assert "−1.5" in first
    assert "2" not in first, "the derivative comes later"
    animated = figure.frames().svg()
    assert re.search(r"#u1-below-text0-at0-0[,{]", animated)


def test_a_large_matrix_is_shortened_and_a_larger_one_is_named():
    x = leaf(np.arange(64.0).reshape(8, 8), "X")
    (text,) = [text for text in draw((x * 2.0).sum(), show="value").scene.texts if text.id == "u0-above-text0"]
    assert text.matrix.rows[0] == ("0", "1", "2", "…", "7")
    assert text.matrix.rows[3] == ("⋮", "⋮", "⋮", "⋱", "⋮")
    assert text.matrix.rows[4] == ("56", "57", "58", "…", "63")
    vector = draw((leaf(np.arange(8.0), "v") * 2.0).sum(), show="value")
    assert "[0, 1, 2, …, 7]" in [text.text for text in vector.scene.texts]
    assert shortened([["1", "2"]] * 3, 5) == (("1", "2"),) * 3
    cube = draw((leaf(np.ones((3, 3, 3)), "C") * 2.0).sum(), show="value")
    assert "[[" not in "".join(text.text for text in cube.scene.texts)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0,), (1, 1), (1, 1, 1)])
def test_arrays_with_little_in_them(shape):
    figure = draw((leaf(np.ones(shape), "A") * 2.0).sum(), show=("value", "grad", "shape"))
    ET.fromstring(figure.svg())


def test_blanks_are_as_large_as_the_matrices_that_are_asked_for(tmp_path):
    blank = draw(squares(), show=("value", "grad"), grad="blank")
    answer = draw(squares(), show=("value", "grad"))
    one = next(text for text in blank.scene.texts if text.id == "u1-below-text0")
    other = next(text for text in answer.scene.texts if text.id == "u1-below-text0")
    assert one.role == "blank"
    assert one.height > other.height
    assert one.width >= other.width
    pytest.importorskip("pypdf")
    assert worksheet([answer], tmp_path / "a.pdf", values=True).exists()


# ---------------------------------------------------------------------------------------------------
# Shapes


def test_shapes_alone_say_where_an_axis_was_broadcast():
    figure = draw((affine() * 2.0).sum(), show="shape", sizes={5: "N"})
    written = [text.text for text in figure.scene.texts]
    assert written.count("(N, 3)") == 3
    assert "→ (N, 3) along axis 0" in written
    assert "Σ over axis 0" in written
    assert "()" in written
    assert not any(re.search(r"∂|\d\.\d|\[", text) for text in written)
    assert faults(figure.scene) == 0
    korean = [text.text for text in draw(affine(), show="shape", lang="ko").scene.texts]
    assert "→ (5, 3), 축 0 방향" in korean
    assert "Σ, 축 0 방향" in korean


def test_what_is_not_broadcast_is_not_said_to_be():
    for y in (
        attention(),
        squares(),
        leaf(np.ones((3, 3))) @ leaf(np.ones((3, 3))),
        np.cross(leaf(np.ones((2, 3))), leaf(np.ones(3))),
    ):
        spread = {op for _, op in broadcasts(trace(y))}
        scalars = {
            use.op for use in trace(y).uses for value in trace(y).values if value.id == use.value and not value.shape
        }
        assert spread <= scalars


@pytest.mark.parametrize(
    ("a", "b", "f", "found"),
    [
        ((5, 3), (3,), np.add, {"u1": ((5, 3), (0,))}),
        ((5, 1), (1, 3), np.multiply, {"u0": ((5, 3), (1,)), "u1": ((5, 3), (0,))}),
        ((2, 5, 3), (3, 4), np.matmul, {"u1": ((2, 3, 4), (0,))}),
        ((5, 3), (3,), np.matmul, {}),
        ((4, 3), (), np.maximum, {"u1": ((4, 3), (0, 1))}),
    ],
)
def test_broadcasts_are_those_of_numpy(a, b, f, found):
    y = f(leaf(np.ones(a)), leaf(np.full(b, 2.0)))
    assert {use: spread for (use, _), spread in broadcasts(trace(y)).items()} == found


def test_a_layer_that_is_closed_says_nothing_of_what_was_broadcast_inside():
    model = tg.nn.Sequential(tg.nn.Linear(2, 3, dtype=float), tg.nn.ReLU())
    y = model(leaf(np.ones((4, 2)), "x"))
    assert any("along" in text.text for text in draw(y, show="shape").scene.texts)
    assert not any("along" in text.text for text in draw(y, show="shape", collapse="all").scene.texts)
