"""What stands around figures: titles of figures, panels and frames, captions, and a legend of colours and marks."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import SVG, apples, fan_out, layered, leaf, texts_of
from viz import draw
from viz.__main__ import main
from viz.formats.html import figure_data
from viz.languages import WORDS
from viz.layout.clearance import faults, overlapping
from viz.layout.metrics import text_width, wrapped


def relu():
    on, off = leaf(2.0, "x"), leaf(-2.0, "x")
    return [tg.relu(on), tg.relu(off)]


def said_by(figure):
    return [text.text for text in figure.scene.texts]


def box_of(figure, beginning):
    texts = [text for text in figure.scene.texts if text.id.startswith(beginning)]
    return min(text.box[1] for text in texts), max(text.box[3] for text in texts)


# ---------------------------------------------------------------------------------------------------
# Titles and captions


def test_a_title_stands_above_and_a_caption_below_all_else():
    plain, figure = draw(apples()), draw(apples(), title="What apples cost", caption="With tax.\nWithout a bag.")
    left, bottom, right, top = plain.scene.bounds()
    assert box_of(figure, "title")[0] > top
    assert box_of(figure, "caption")[1] < bottom
    (title,) = [text for text in figure.scene.texts if text.id.startswith("title")]
    assert title.x == pytest.approx((left + right) / 2)
    assert [text.text for text in figure.scene.texts if text.role == "caption"] == ["With tax.", "Without a bag."]
    assert {text.box[0] for text in figure.scene.texts if text.role == "caption"} == {left}
    assert figure.scene.lines == plain.scene.lines, "nothing else moves"
    assert faults(figure.scene) == 0


def test_a_title_names_the_figure_for_those_who_do_not_see_it():
    figure = draw(apples(), title="What apples cost")
    assert figure.name == "What apples cost"
    assert ET.fromstring(figure.svg()).get("aria-label") == "What apples cost"
    assert "<title>What apples cost</title>" in figure.html()
    assert draw(apples()).name == "Computational graph of price"


def test_a_caption_is_said_in_words_too():
    figure = draw(apples(), caption="Prices with tax.")
    assert figure.text().splitlines()[-1] == "Prices with tax."
    assert "Prices with tax." in ET.fromstring(figure.svg()).findtext(f"{SVG}desc")


def test_long_words_are_wrapped_to_the_width_of_the_figure():
    figure = draw(apples(), title="A very long title " * 8, caption="one two three " * 30)
    left, _, right, _ = draw(apples()).scene.bounds()
    for text in figure.scene.texts:
        if text.role in ("title", "caption"):
            assert left - 1 <= text.box[0] < text.box[2] <= right + 1
    assert overlapping(figure.scene) == []
    assert wrapped("a bb " * 3, text_width("a bb")) == ["a bb"] * 3
    assert wrapped("unbreakable", 1.0) == ["unbreakable"]
    assert wrapped("", 10.0) == wrapped(" \n ", 10.0) == []


@pytest.mark.parametrize("format", ["svg", "tex", "dot", "png", "pdf", "html", "pptx"])
def test_titles_are_in_every_format(tmp_path, format):
    if format == "pptx":
        pytest.importorskip("pptx")
    figure = draw(apples(), title=r"The derivative $\alpha$ & more", caption="50% <b>", legend=True)
    content = figure.save(tmp_path / f"a.{format}").read_bytes()
    if format in ("svg", "html"):
        assert "The derivative α &amp; more" in content.decode()
    if format == "tex":
        assert r"The derivative $\alpha$ \& more" in content.decode()
        assert r"50\% \textless{}b\textgreater{}" in content.decode()


def test_what_no_line_can_show_is_not_in_a_title():
    assert "a�b" in said_by(draw(apples(), title="a\x00b\n\n"))
    assert said_by(draw(apples(), title="  ", caption="\n")) == said_by(draw(apples()))


# ---------------------------------------------------------------------------------------------------
# Panels


def test_panels_have_titles():
    figure = draw(relu(), panels=True, titles=("x > 0", "x ≤ 0"), title="ReLU")
    one, other = (next(text for text in figure.scene.texts if text.text == said) for said in ("x > 0", "x ≤ 0"))
    circles = [shape for shape in figure.scene.shapes if shape.shape == "circle"]
    assert one.y == other.y > max(shape.y + shape.height / 2 for shape in circles)
    assert one.x < other.x
    assert box_of(figure, "title-text")[0] > one.y
    assert faults(figure.scene) == 0
    sides = draw(apples(), direction="side-by-side", titles=["first", "then"])
    assert {"first", "then"} <= set(said_by(sides))
    assert "forward" not in said_by(sides)


def test_the_titles_of_panels_stand_close_above_them():
    figure = draw(apples(), direction="side-by-side")
    rest = [text.box[3] for text in figure.scene.texts if text.role != "title"]
    rest += [y for line in figure.scene.lines for _, y in line.points]
    low, _ = box_of(figure, "title")
    assert 0 < low - max(rest) < 14


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"titles": ["a", "b"]}, ValueError, "titles= are of panels, which stand side by side with panels=True"),
        ({"titles": ["a"], "direction": "side-by-side"}, ValueError, "titles= has 1 texts, but this figure has 2 panels"),
        ({"titles": ["a", "b"], "panels": True}, ValueError, "titles= has 2 texts, but this figure has 1 panel;"),
        ({"titles": "ab", "panels": True}, TypeError, r"titles= takes a text for each panel, as in \('x > 0', 'x ≤ 0'\), but got str"),
        ({"titles": [1, 2], "panels": True}, TypeError, "each of titles= takes a text, but got int 1"),
        ({"title": 3}, TypeError, "title= takes a text, which stands above the figure, but got int 3"),
        ({"title": None}, TypeError, "title= takes a text, which stands above the figure, but got NoneType None"),
        ({"caption": None}, TypeError, "caption= takes a text, which stands below the figure, but got NoneType None"),
        ({"caption": ["a"]}, TypeError, "caption= takes a text, which stands below the figure, but got list"),
    ],
)  # fmt: skip
def test_titles_that_are_not_understood_are_refused_at_once(options, error, said):
    with pytest.raises(error, match=said):
        draw(apples(), **options)


# ---------------------------------------------------------------------------------------------------
# Frames


def test_each_frame_has_its_title_alone():
    frames = draw(apples()).frames(titles=True)
    assert len(frames) == 5
    for k, frame in enumerate(frames):
        written = [text for text in texts_of(frame.svg()) if text.endswith(".") or "takes" in text or "Going" in text]
        title = " ".join(written)
        assert ("multiply takes" in title, "Going back" in title) == (k < 2, k > 2)
    assert "∂price/∂price is 1: here the way back begins." in texts_of(frames[2].svg())
    assert len({frame.scene.bounds() for frame in frames}) == 1, "nothing moves"


def test_titles_of_frames_may_be_given():
    frames = draw(apples()).frames(titles=["one", "two", "three", "four", "five"])
    for k, title in enumerate(["one", "two", "three", "four", "five"]):
        own = set(texts_of(frames[k].svg())) & {"one", "two", "three", "four", "five"}
        assert own == {title}
    assert "one" not in said_by(frames.figure), "the figure itself has none"
    with pytest.raises(ValueError, match="titles= are 1, but there are 5 frames"):
        draw(apples()).frames(titles=["one"])
    with pytest.raises(TypeError, match="titles= takes a text for each frame, or True, but got str"):
        draw(apples()).frames(titles="one")


def test_the_titles_of_steps_stand_between_the_figure_and_its_title():
    frames = draw(apples(), title="What apples cost").frames(titles=True)
    scene = frames[0].scene
    (title,) = [text for text in scene.texts if text.text == "What apples cost"]
    steps = [text for text in scene.texts if text.id.startswith("step")]
    rest = [text for text in scene.texts if text not in (title, *steps)]
    assert title.box[1] > max(text.box[3] for text in steps)
    assert min(text.box[1] for text in steps) > max(text.box[3] for text in rest)
    assert draw(apples(), title="What apples cost").scene.bounds()[3] < scene.bounds()[3]


def test_films_and_slides_show_one_title_after_another(tmp_path):
    frames = draw(apples()).frames(titles=["one", "two", "three", "four", "five"])
    animated = frames.svg()
    assert re.search(r"#step0-text0\{animation:at0to0 8s", animated)
    assert re.search(
        r"@keyframes at1to1\{0%,12\.50%\{opacity:0\}12\.51%,25\.00%\{opacity:1\}25\.01%,100%\{opacity:0\}\}", animated
    )
    still = re.search(r"prefers-reduced-motion:reduce\)\{(.*?)\}\}", animated)[1]
    assert "#step3-text0{opacity:0" in still
    assert "#step4" not in still
    tex = frames.tikz()
    assert re.search(r"\\only<1>\{.*one", tex)
    assert re.search(r"\\only<5->\{.*five", tex)
    pptx = pytest.importorskip("pptx")
    slides = pptx.Presentation(str(frames.save(tmp_path / "a.pptx"))).slides
    own = [{shape.text_frame.text for shape in slide.shapes if shape.has_text_frame} for slide in slides]
    assert [sorted(texts & {"one", "two", "three", "four", "five"}) for texts in own] == [
        ["one"],
        ["two"],
        ["three"],
        ["four"],
        ["five"],
    ]


def test_a_title_makes_no_frame_of_its_own():
    assert len(draw(apples(), title="Apples", caption="With tax.", legend=True).frames()) == len(
        draw(apples()).frames()
    )
    first = draw(apples(), title="Apples").frames()[0]
    assert "Apples" in texts_of(first.svg())


def test_steps_of_a_program_have_no_words_of_their_own():
    step = tg.replay(lambda x: (tg.tanh(x * 2.0) * x).sum())
    step(tg.Tensor(np.ones(3)))
    assert len(draw(step.plan).frames(titles=True)) == len(draw(step.plan).frames())


# ---------------------------------------------------------------------------------------------------
# A legend


def test_a_legend_says_what_is_on_the_figure_and_nothing_else():
    said = WORDS["en"]
    x = leaf(0.0, "x")
    kink = draw(tg.relu(x) * leaf(2.0, "w") + x, check=True, legend=True)
    assert {said[f"means_{what}"] for what in ("forward", "backward", "agrees", "kink")} <= set(said_by(kink))
    assert not {said[f"means_{what}"] for what in ("differs", "blank", "parameter", "layer")} & set(said_by(kink))
    assert {"✓", "∧"} <= set(said_by(kink))
    layers = set(said_by(draw(layered(), legend=True)))
    assert {said["means_parameter"], said["means_layer"]} <= layers
    assert said["means_box"] in said_by(draw(layered(), legend=True, collapse="all"))
    assert said["means_blank"] in said_by(draw(apples(), legend=True, grad="blank"))
    forward = said_by(draw(apples(), legend=True, direction="forward"))
    assert said["means_forward"] in forward
    assert said["means_backward"] not in forward


def test_a_legend_has_samples_that_look_as_on_the_figure():
    figure = draw(apples(), legend=True)
    lines = {line.id: line for line in figure.scene.lines if "sample" in line.classes}
    assert [(line.backward, line.tip, line.thickness) for line in lines.values()] == [
        (False, True, 1.0),
        (True, True, 2.5),
    ]
    assert faults(figure.scene) == 0
    assert overlapping(figure.scene) == []
    ET.fromstring(figure.svg())
    data = figure_data(figure, "", {})["views"][0]
    assert {"legend0-forward", "legend1-backward"} <= {line["id"] for line in data["lines"]}


def test_a_legend_may_number_derivatives_too():
    figure = draw(fan_out(), legend=[True, "x"])
    assert any(text.role == "legend" for text in figure.scene.texts)
    assert WORDS["en"]["means_backward"] in said_by(figure)
    assert draw(fan_out(), legend=False).scene == draw(fan_out()).scene


def test_a_legend_is_in_korean_and_fits_its_page():
    figure = draw(apples(), legend=True, lang="ko", fit="16:9", check=True)
    assert {"순전파 값", "역전파 미분", "수치 미분과 일치"} <= set(said_by(figure))
    assert figure.letter_height >= 12
    assert {len(words) for words in WORDS.values()} == {len(WORDS["en"])}


def test_the_command_line_gives_titles_captions_and_a_legend(tmp_path):
    file = tmp_path / "a.svg"
    arguments = ["x * 2", "x=3", "--title", "Twice", "--caption", "It is even.", "--legend", "-o", str(file)]
    assert main(arguments) == 0
    assert {"Twice", "It is even.", "a value, forward"} <= set(texts_of(file.read_text()))
    assert main(["x * 2", "x=3", "--direction", "side-by-side", "--titles", "one", "two", "-o", str(file)]) == 0
    assert {"one", "two"} <= set(texts_of(file.read_text()))
