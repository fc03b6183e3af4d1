"""Frames as one file, each read back by the program that others read it with; and figures that show themselves."""

import builtins
import io
import os
import re
import sys
import warnings
import webbrowser
from types import SimpleNamespace

import numpy as np
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.oxml.ns import qn
from pptx.util import Pt

import tinygrad_edu as tg
import viz.picture
from tests.viz.figures import affine, apples, attention, fruit, leaf
from viz import draw
from viz.formats import render
from viz.formats.pptx import straightened
from viz.layout.typesetting import typeset

HEAD = "{http://schemas.openxmlformats.org/drawingml/2006/main}tailEnd"


@st.composite
def expressions(draw):
    """A sum of products of leaves, each used once or more."""
    leaves = [leaf(float(draw(st.integers(-9, 9))), name) for name in "abc"[: draw(st.integers(1, 3))]]
    y = draw(st.sampled_from(leaves))
    for _ in range(draw(st.integers(1, 4))):
        other = draw(st.sampled_from(leaves))
        y = draw(st.sampled_from([lambda p, q: p * q, lambda p, q: p + q, lambda p, q: np.tanh(p) - q]))(y, other)
    return y


# ---------------------------------------------------------------------------------------------------
# Slides


def read_slides(path):
    return list(Presentation(io.BytesIO(path.read_bytes())).slides)


def written_on(slide):
    texts = [
        run.text
        for shape in slide.shapes
        if shape.has_text_frame
        for p in shape.text_frame.paragraphs
        for run in p.runs
    ]
    return sorted(texts)


@pytest.mark.filterwarnings("ignore:on a slide the letters")
@settings(max_examples=max(4, settings.default.max_examples // 20), deadline=None)
@given(y=expressions(), grad=st.sampled_from(["number", "symbol", "blank"]))
def test_a_slide_holds_what_a_frame_shows_as_shapes_inside_it(tmp_path_factory, y, grad):
    figure = draw(y, grad=grad)
    frames, steps = figure.frames(), figure.steps
    slides = read_slides(frames.save(tmp_path_factory.mktemp("slides") / "a.pptx"))
    assert len(slides) == len(frames)
    for slide, step in zip(slides, sorted(set(steps.values())), strict=True):
        shown = [text.text for text in figure.scene.texts if steps[text.id] <= step and text.role != "blank"]
        assert written_on(slide) == sorted(shown)
        assert all(
            0 <= x.left <= x.left + x.width <= Pt(960) and 0 <= x.top <= x.top + x.height <= Pt(540)
            for x in slide.shapes
        )
    arrows = [x.name for x in slides[-1].shapes if any(True for _ in x.element.iter(HEAD))]
    assert sorted(arrows) == sorted(line.id for line in figure.scene.lines if line.tip)


def test_the_shapes_of_a_slide_can_be_edited(tmp_path):
    figure = draw(fruit())
    (slide,) = read_slides(figure.save(tmp_path / "a.pptx"))
    kinds = {shape.shape_type for shape in slide.shapes}
    assert MSO_SHAPE_TYPE.PICTURE not in kinds
    assert {MSO_SHAPE_TYPE.AUTO_SHAPE, MSO_SHAPE_TYPE.TEXT_BOX, MSO_SHAPE_TYPE.FREEFORM} <= kinds
    circles = [shape for shape in slide.shapes if shape.name in {op.id for op in figure.graph.ops}]
    assert [circle.text_frame.text for circle in circles] == ["×", "×", "+", "×"]
    backward = next(shape for shape in slide.shapes if shape.name == "u8-backward")
    assert str(backward.line.color.rgb) == "D55E00"
    assert "역" not in slide.notes_slide.notes_text_frame.text
    assert "apples is 2" in slide.notes_slide.notes_text_frame.text
    (dark,) = read_slides(draw(fruit(), theme="dark").save(tmp_path / "b.pptx"))
    assert str(dark.background.fill.fore_color.rgb) == "16181D"
    (own,) = read_slides(figure.save(tmp_path / "c.pptx", background="#FFF8E7"))
    assert str(own.background.fill.fore_color.rgb) == "FFF8E7"
    exercise = read_slides(draw(fruit(), grad="blank").frames().save(tmp_path / "d.pptx"))
    assert not any("165" in words for slide in exercise for words in written_on(slide))
    assert "165" not in exercise[0].notes_slide.notes_text_frame.text


@pytest.mark.filterwarnings("ignore:on a slide the letters")
def test_other_figures_are_slides_too(tmp_path):
    step = tg.replay(lambda x: (tg.tanh(x * 2.0) * x).sum())
    step(tg.Tensor(np.ones(3)))
    model = tg.nn.Sequential(tg.nn.Linear(2, 3, dtype=float), tg.nn.ReLU())
    y = model(leaf(np.ones((1, 2)), "x")).sum()
    for figure in (
        draw(step.plan),
        draw(apples(), style="record"),
        draw(y),
        draw(y, cloud=model),
        draw(affine(), legend=["X"]),
    ):
        (slide,) = read_slides(figure.save(tmp_path / "a.pptx"))
        effects = [ref.get("idx") for shape in slide.shapes for ref in shape.element.iter(qn("a:effectRef"))]
        assert set(effects) == {"0"}, "nothing has a shadow, in LibreOffice neither"
        assert {text.text for text in typeset(figure.scene).texts if text.role != "blank"} == set(written_on(slide))


def test_a_figure_too_wide_for_a_slide_is_warned_of_unless_it_was_fitted(tmp_path):
    y = leaf(0.5, "x")
    for _ in range(12):
        y = np.tanh(y)
    with pytest.warns(
        UserWarning, match=r"on a slide the letters of this figure are \d+\.\d points high; draw\(…, fit="
    ):
        draw(y).save(tmp_path / "a.pptx")
    with pytest.warns(UserWarning, match="on a slide the letters"):
        draw(y).frames().save(tmp_path / "a.pptx")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(y, fit="16:9").save(tmp_path / "a.pptx")
        draw(apples()).save(tmp_path / "a.pptx")


def test_a_line_keeps_its_bends_alone():
    points = [(0.0, 0.0), (1.0, 0.001), (2.0, 0.0), (3.0, 1.0), (4.0, 2.0)]
    assert straightened(points) == [(0.0, 0.0), (2.0, 0.0), (4.0, 2.0)]
    assert straightened(points[:2]) == points[:2]


# ---------------------------------------------------------------------------------------------------
# PDF, TeX


def test_a_pdf_has_a_page_for_each_frame_in_one_size(tmp_path):
    frames = draw(apples()).frames()
    file = pypdf.PdfReader(io.BytesIO(frames.save(tmp_path / "a.pdf").read_bytes()))
    assert len(file.pages) == len(frames) == 5
    assert len({tuple(page.mediabox) for page in file.pages}) == 1
    words = [page.extract_text().split() for page in file.pages]
    assert ["220" in page for page in words] == [False, True, True, True, True]
    assert ["110" in page for page in words] == [False] * 4 + [True]
    assert file.metadata.title == "Computational graph of price"


def test_one_slide_of_beamer_shows_each_thing_at_its_step(tmp_path):
    figure = draw(fruit())
    tex = figure.frames().save(tmp_path / "a.tex").read_text(encoding="utf-8")
    assert re.sub(r"\\[{}]", "", tex).count("{") == re.sub(r"\\[{}]", "", tex).count("}")
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", tex) for word in ("begin", "end"))
    assert begun == ["document", "frame", "adjustbox", "tikzpicture"] == ended[::-1]
    steps = sorted(set(figure.steps.values()))
    counted = [int(k) for k in re.findall(r"\\only<(\d+)->\{\\", tex)]
    assert sorted(counted) == sorted(steps.index(step) + 1 for step in figure.steps.values() if step > steps[0])
    assert all(
        line.startswith("\\only<") or line.endswith((";", "}", "]", "%", "\\centering")) for line in tex.splitlines()
    )
    assert not any(package in tex for package in ("kotex", "XeLaTeX"))


def test_a_figure_is_never_wider_than_the_line_and_says_what_it_needs():
    tex = draw(apples()).tikz().splitlines()
    assert tex[0] == r"% needs \usepackage{tikz} \usetikzlibrary{arrows.meta}"
    assert r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" in tex
    assert tex[-2:] == [r"\end{tikzpicture}", "}"]
    hangul = draw(leaf(2.0, "사과") * 2.0)
    assert r"\usepackage{kotex}" in hangul.tikz().splitlines()[0]
    assert "% !TEX program = xelatex" in hangul.tikz()
    slide = hangul.frames().tikz()
    assert slide.index(r"\usepackage{kotex}") < slide.index(r"\begin{document}")
    assert slide.startswith("% !TEX program = xelatex")


# ---------------------------------------------------------------------------------------------------
# Films


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_an_animation_has_every_frame(tmp_path, format):
    frames = draw(apples()).frames()
    film = Image.open(io.BytesIO(frames.save(tmp_path / f"a.{format}", 0.5, scale=1).read_bytes()))
    assert film.n_frames == len(frames)
    stills = [Image.open(io.BytesIO(frame.render("png", dpi=96))).convert("RGB") for frame in frames]
    assert film.size == stills[0].size
    times = []
    for k, still in enumerate(stills):
        film.seek(k)
        film.load()
        times.append(film.info["duration"])
        shown = np.asarray(film.convert("RGB"), int)
        assert np.abs(shown - np.asarray(still, int)).max() <= (40 if format == "gif" else 0), "a palette is coarser"
        assert tuple(shown[1, 1]) == (255, 255, 255)
    assert times == [500] * 4 + [2000]
    clear = Image.open(io.BytesIO(frames.save(tmp_path / f"b.{format}", scale=1, background="none").read_bytes()))
    for k in range(len(frames)):
        clear.seek(k)
        assert clear.convert("RGBA").getpixel((1, 1))[3] == 0


def test_films_of_wide_figures_stay_as_wide_as_players_show(tmp_path):
    y = leaf(0.5, "x")
    for _ in range(20):
        y = np.tanh(y)
    wide = draw(y, collapse=None, direction="forward").frames()
    picture = Image.open(io.BytesIO(wide[-1].render("png", dpi=wide.sharpness)))
    assert 3700 < picture.width < 3900
    assert draw(apples()).frames().sharpness == 192


def test_an_mp4_plays_for_as_long_as_it_should(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra video is not installed")
    path = draw(apples()).frames().save(tmp_path / "a.mp4", 0.2, scale=1)
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert (count, seconds) == (4 * 2 + 8, pytest.approx(1.6))
    reader = ffmpeg.read_frames(str(path))
    about = next(reader)
    reader.close()
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p")
    assert all(side % 2 == 0 for side in about["size"])


# ---------------------------------------------------------------------------------------------------
# Whole or not at all


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("PIL", "a.gif", r'a GIF needs Pillow, .*: pip install "tinygrad-edu\[viz\]"'),
        ("pypdf", "a.pdf", r'a PDF of several pages needs pypdf, .*: pip install "tinygrad-edu\[viz\]"'),
        ("pptx", "a.pptx", r'a PPTX needs python-pptx, .*: pip install "tinygrad-edu\[slides\]"'),
        ("imageio_ffmpeg", "a.mp4", r'an MP4 needs imageio-ffmpeg, .*: pip install "tinygrad-edu\[video\]"'),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch, module, name, said):
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == module]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeError, match=said):
        draw(apples()).frames().save(tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())


def test_a_frame_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    frames = draw(apples()).frames()
    frames.save_all(tmp_path / "steps", "svg")
    before = {path: path.read_bytes() for path in (tmp_path / "steps").iterdir()}
    drawn = []

    def failing(dot, *rest):
        drawn.append(dot)
        if len(drawn) == 3:
            raise RuntimeError("Graphviz failed: no more ink")
        return graphviz(dot, *rest)

    graphviz = render.graphviz
    monkeypatch.setattr(viz.picture, "graphviz", failing)
    with pytest.raises(RuntimeError, match="no more ink"):
        draw(fruit()).frames().save_all(tmp_path / "steps", "svg")
    drawn.clear()
    with pytest.raises(RuntimeError, match="no more ink"):
        draw(fruit()).frames().save(tmp_path / "steps" / "a.pdf")
    assert {path: path.read_bytes() for path in (tmp_path / "steps").iterdir()} == before


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, monkeypatch):
    path = draw(apples()).save(tmp_path / "a.txt")
    before = path.read_bytes()

    def full(self, content):
        with builtins.open(self, "wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match=r"cannot save .*a\.txt': No space left"):
        draw(fruit()).save(path)
    assert path.read_bytes() == before
    assert [other.name for other in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link.txt").symlink_to(tmp_path / "file.txt")
    draw(apples()).save(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert "apple is 100" in (tmp_path / "file.txt").read_text()
    if os.umask(os.umask(0o022)) == 0o022:
        assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o644


def test_hangul_warns_once_in_each_format_that_has_letters_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(viz.picture, "has_wide_font", lambda: False)
    y = leaf(100.0, "apple") * 2.0
    for figure in (draw(leaf(100.0, "사과") * 2.0), draw(y, values={y: "값"})):
        for name in ("a.pdf", "a.gif"):
            with pytest.warns(UserWarning, match="Hangul") as seen:
                figure.frames().save(tmp_path / name, scale=1) if name == "a.gif" else figure.frames().save(
                    tmp_path / name
                )
            assert len(seen) == 1
    draw(leaf(100.0, "사과") * 2.0).save(tmp_path / "a.pptx")  # the office supplies the font


# ---------------------------------------------------------------------------------------------------
# Notebooks, browsers


def test_frames_are_shown_in_a_notebook_as_the_page_that_one_steps_through():
    formatter = pytest.importorskip("IPython.core.formatters").DisplayFormatter()
    bundle, _ = formatter.format(draw(apples()).frames())
    assert bundle["text/html"].startswith('<iframe title="Computational graph of price" srcdoc="&lt;!doctype html&gt;')
    assert bundle["text/html"].count("<") == 2
    assert bundle["image/svg+xml"].count("@keyframes") == 4
    assert bundle["text/plain"].startswith("5 frames")
    shown, _ = formatter.format(draw(apples()))
    assert set(shown) == {"image/svg+xml", "text/plain"}
    steps, _ = formatter.format(draw(apples()).frames()[1])
    assert steps["image/svg+xml"].count("<svg") == 1


def test_frames_without_graphviz_are_words(monkeypatch):
    frames = draw(attention()).frames()
    assert len(frames) > 3
    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    assert "pip install" in frames._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize(("of", "name"), [("figure", "html"), ("frames", "html"), ("frame", "svg")])
def test_show_opens_the_browser_or_shows_below_the_cell(monkeypatch, of, name):
    frames = draw(apples()).frames()
    thing = {"figure": frames.figure, "frames": frames, "frame": frames[2]}[of]
    opened, displayed = [], []
    monkeypatch.setattr(webbrowser, "open", lambda uri: opened.append(uri) or True)
    path = thing.show()
    assert opened == [path.as_uri()]
    assert path.name == f"figure.{name}"
    assert "apple" in path.read_text(encoding="utf-8")
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    with pytest.raises(RuntimeError, match=r"no browser could be opened; the figure is in .*figure\."):
        thing.show()
    shell = SimpleNamespace(kernel=1)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=displayed.append))
    assert thing.show() is None
    assert displayed == [thing]
