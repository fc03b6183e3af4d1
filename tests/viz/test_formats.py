"""Figures in each format, step by step, and with or without Graphviz."""

import io
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import viz.picture
from tests.viz.figures import affine, apples, fan_out, fruit, groups_of, leaf, texts_of
from tinygrad_edu import nn
from viz import draw, trace
from viz.formats import render

# ---------------------------------------------------------------------------------------------------
# Formats


def test_every_format_is_written(tmp_path):
    for name in ("a.svg", "a.pdf", "a.png", "a.dot", "a.json", "a.md", "a.tex", "deep/er/a.txt"):
        path = draw(apples()).save(tmp_path / name)
        assert path.stat().st_size > 100
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    image = Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert (0xD5, 0x5E, 0x00) in colours
    assert image.width > 400


def test_the_figure_in_words():
    assert draw(apples()).text().splitlines()[:4] == [
        "apple is 100; ∂price/∂apple is 2.2.",
        "count is 2; ∂price/∂count is 110.",
        "tax is 1.1; ∂price/∂tax is 200.",
        "multiply takes apple (100) and count (2) and gives 200. Going back, 1.1 arrives; 2.2 goes to apple and 110 goes to count.",
    ]
    assert "역전파" in draw(apples(), lang="ko").text()
    assert "Going back, 1 arrives; 3 goes to x and 3 goes to x." in draw(fan_out()).text()
    assert len(draw(affine()).text().splitlines()) == 5


def test_mermaid():
    assert 'v0 -- "100<br/>∂ 2.2" --> o0' in draw(apples()).mermaid()
    assert 'v0["x<br/>∂ 7"]:::leaf' in draw(fan_out()).mermaid(), "a sum of several uses stands at the leaf"
    assert "∂ ∂" not in draw(affine()).mermaid()
    assert "∂" not in draw(fan_out(), direction="forward").mermaid()
    blank = draw(fan_out(), grad="blank").mermaid()
    assert blank.count("∂") == 1, "of an exercise, the derivative of the output"


def test_tikz():
    tikz = draw(apples()).tikz()
    assert tikz.count("\\draw[-{Latex") == 5
    assert tikz.count("{") == tikz.count("}")
    assert draw(fan_out(), grad="blank").tikz().count("rounded corners=3pt") == 5
    with pytest.raises(ValueError, match="record"):
        draw(apples(), style="record").tikz()


def test_tikz_hides_no_line_under_a_layer_and_draws_clouds():
    model, x = (
        nn.Sequential(nn.Sequential(nn.Linear(2, 3, dtype=float), nn.ReLU()), nn.Linear(3, 1, dtype=float)),
        leaf(np.ones((1, 2)), "x"),
    )
    y = model(x).sum()
    tikz = draw(y).tikz().splitlines()
    groups = [k for k, line in enumerate(tikz) if "dashed" in line]
    arrows = [k for k, line in enumerate(tikz) if "-{" in line and line.startswith("\\draw")]
    assert groups
    assert max(groups) < min(arrows)
    assert not any("fill" in tikz[k] for k in groups)
    assert sum("ellipse" in line for line in draw(y, cloud=model[0]).tikz().splitlines()) == 1


def test_tikz_has_the_colours_of_the_theme():
    dark = draw(apples(), theme="dark").tikz()
    assert "\\fill[vizpaper]" in dark
    assert {"vizpaper}{HTML}{16181D", "vizink}{HTML}{F0F0F0", "vizfill}{HTML}{1F2229"} <= set(
        re.findall(r"viz(?:paper|ink|fill)}{HTML}{\w+", dark)
    )
    assert "\\fill[vizpaper]" not in draw(apples()).tikz()


def test_tikz_writes_greek_and_says_what_needs_another_latex():
    y = leaf(2.0, "θ₁") * leaf(3.0, 'a "b"-`c`')
    tikz = draw(y).tikz()
    assert "{$\\theta$$_1$}" in tikz
    assert '"' not in tikz
    assert "LuaLaTeX" not in tikz
    assert "LuaLaTeX" in draw(leaf(2.0, "사과") * 2.0).tikz()


def test_a_leaf_used_often_stands_at_each_use_of_a_large_graph_in_every_style():
    x = leaf(0.5, "x")
    y = x
    for _ in range(150):
        y = np.tanh(y * x)
    for style in ("record", "plain"):
        assert len(re.findall(r'"u\d+-tag" \[', draw(y, style=style, collapse=None).dot())) == 151
    assert "-tag" not in draw(x * x + x * x, style="record").dot()


def test_the_same_program_gives_the_same_bytes_whatever_the_hash_seed():
    program = (
        "import numpy as np, tinygrad_edu as tg\nfrom viz import draw\n"
        "x, w = tg.Tensor(2., requires_grad=True, name='x'), tg.Tensor(3., requires_grad=True, name='w')\n"
        "y = np.tanh(x * w + x) * x\n"
        "import sys; sys.stdout.buffer.write((draw(y).dot() + draw(y, style='record').dot()).encode())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 1000


HOSTILE = (
    '"quoted" \\N \\n \\\\ end\\', "<b>bold</b>", "<script>alert(1)</script>", "&lt;x&gt; &amp; &#65;", "🍎 사과",
    "{a|b} <port>", "]]> --> <!--", "\\end{document}%", "%s $HOME `ls` '",
)  # fmt: skip


@pytest.mark.parametrize("style", ["book", "record", "plain"])
def test_hostile_labels_are_text(style):
    y = leaf(1.0)
    for label in HOSTILE:
        y = y + leaf(2.0, label)
    figure = draw(y, style=style)
    svg = figure.svg()
    assert set(HOSTILE) <= {text.strip("\xa0 ") for text in texts_of(svg)}
    assert "<script>" not in svg + figure.mermaid()
    assert figure.render("pdf")
    figure = draw(leaf(2.0, "x" * 10_000) * leaf(1.0, "\ud800\x00\x1b") * leaf(3.0, " "), style=style)
    assert max(map(len, texts_of(figure.svg()))) <= 40
    assert figure.render("png")


def test_a_name_that_latex_would_run_is_escaped():
    tikz = draw(leaf(2.0, "\\end{document}%$&#_^~") * 2.0).tikz()
    assert "\\end{document}" not in tikz
    assert "\\textbackslash{}end\\{document\\}\\%\\$\\&\\#\\_" in tikz


def test_hangul_warns_once_where_no_font_has_it(monkeypatch, tmp_path):
    figure = draw(leaf(100.0, "사과") * leaf(2.0, "개수"))
    monkeypatch.setattr(viz.picture, "has_wide_font", lambda: False)
    with pytest.warns(UserWarning, match="Hangul") as seen:
        figure.save(tmp_path / "a.png")
    assert len(seen) == 1
    figure.save(tmp_path / "a.svg")  # the reader's machine has the font
    monkeypatch.setattr(viz.picture, "has_wide_font", lambda: True)
    figure.save(tmp_path / "a.png")


def test_hangul_takes_the_room_that_it_needs():
    wide = draw(leaf(100.0, "사과사과") * 2.0).plan.places[0]
    narrow = draw(leaf(100.0, "abcd") * 2.0).plan.places[0]
    assert wide.width > 1.5 * narrow.width


def test_a_png_is_for_print_and_says_its_resolution(tmp_path):
    def saved(figure=None, **options):
        return Image.open(io.BytesIO((figure or draw(apples())).save(tmp_path / "a.png", **options).read_bytes()))

    usual = saved()
    assert usual.info["dpi"][0] == pytest.approx(240, abs=0.1)
    for options, dpi in (({"dpi": 300}, 300), ({"scale": 1}, 96), ({"scale": 3}, 288)):
        picture = saved(**options)
        assert picture.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)
        assert picture.width == pytest.approx(usual.width * dpi / 240, rel=0.01)
    assert usual.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)
    assert saved(background="none").convert("RGBA").getpixel((1, 1))[3] == 0
    with pytest.raises(ValueError, match="'nope' is not a colour that Graphviz knows"):
        saved(background="nope")
    assert saved(background="#FFF8E7").convert("RGB").getpixel((1, 1)) == (255, 248, 231)
    assert saved(draw(apples(), style="record"), background="none", dpi=200).info["dpi"][0] == pytest.approx(
        200, abs=0.1
    )
    white = 'fill="white" stroke="(none|transparent)"'
    assert re.search(white, draw(apples()).save(tmp_path / "a.svg").read_text(encoding="utf-8"))
    assert not re.search(white, draw(apples()).save(tmp_path / "a.svg", background="none").read_text(encoding="utf-8"))
    frames = draw(apples()).frames()
    for path in frames.save_all(tmp_path / "steps", "png", scale=1, background="none"):
        picture = Image.open(path)
        assert picture.convert("RGBA").getpixel((1, 1))[3] == 0
        assert picture.info["dpi"][0] == pytest.approx(96, abs=0.1)
    assert white not in frames.save(tmp_path / "b.svg", background="none").read_text(encoding="utf-8")
    for options, said in (
        ({"dpi": 0}, "dpi=0"),
        ({"dpi": 200, "scale": 2}, "one of them"),
        ({"background": "a b"}, "'none'"),
    ):
        with pytest.raises(ValueError, match=said):
            draw(apples()).save(tmp_path / "a.png", **options)
    with pytest.raises(ValueError, match=r"dpi= is for PNG.*\.svg"):
        draw(apples()).save(tmp_path / "a.svg", dpi=200)
    with pytest.raises(ValueError, match=r"background= is for svg, pdf, .* and pptx, not for \.html"):
        draw(apples()).save(tmp_path / "a.html", background="none")


# ---------------------------------------------------------------------------------------------------
# Step by step


def test_frames_show_more_and_more_and_nothing_moves():
    figure = draw(fruit())
    frames = figure.frames()
    assert len(frames) == 4 + 1 + 4  # forward, the output's derivative, backward
    whole = groups_of(figure.svg())
    shown = []
    for frame in frames:
        groups = groups_of(frame.svg())
        assert set(groups) <= set(whole)
        assert all(ET.tostring(groups[id]) == ET.tostring(whole[id]) for id in groups if id != "graph0")
        shown.append(set(groups))
    assert all(a < b for a, b in pairwise(shown))
    assert shown[-1] == set(whole)
    assert not any("backward" in id for id in shown[3])
    assert [id for id in shown[4] if id.endswith("backward")] == ["u8-backward"]


def test_frames_are_saved_and_animated(tmp_path):
    frames = draw(apples()).frames()
    paths = frames.save_all(tmp_path / "steps")
    assert [path.name for path in paths] == ["01.svg", "02.svg", "03.svg", "04.svg", "05.svg"]
    animation = frames.save(tmp_path / "a.svg").read_text(encoding="utf-8")
    ET.fromstring(animation)
    used, made = re.findall(r"animation:(at\w+)", animation), re.findall(r"@keyframes (\w+)", animation)
    assert sorted(used) == sorted(made) == [f"at{k}" for k in range(1, 5)]
    assert re.findall(r"#([\w-]+)[,{]", animation).count("u0-backward") == 1
    assert "prefers-reduced-motion" in animation
    assert len(frames[1:3]) == 2
    pages = [path.read_text(encoding="utf-8") for path in frames.save_all(tmp_path / "talk", "tex")]
    assert [page.count("\\draw[-{Latex") for page in pages] == [0, 0, 1, 3, 5]
    (extent,) = {page.split("every node")[1].splitlines()[1] for page in pages}
    assert re.fullmatch(r"\\path \(\S+\) rectangle \(\S+\);", extent), "each is as large as the whole"
    with pytest.raises(ValueError, match="format of a frame"):
        frames.save_all(tmp_path / "talk", "html")
    with pytest.raises(ValueError, match="style"):
        draw(apples(), style="record").frames()


# ---------------------------------------------------------------------------------------------------
# Graphviz there and not there


def test_without_graphviz_there_is_one_clear_error_and_words(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    figure = draw(apples())
    with pytest.raises(RuntimeError, match="pip install graphviz pygraphviz"):
        figure.svg()
    bundle = figure._repr_mimebundle_()
    assert "apple is 100" in bundle["text/plain"]
    assert "pip install" in bundle["text/plain"]
    assert trace(apples())
    assert figure.mermaid()


def test_a_notebook_shows_the_picture():
    bundle = draw(apples())._repr_mimebundle_()
    assert bundle["image/svg+xml"].count("<svg") == 1
    assert 'role="img"' in bundle["image/svg+xml"]
    assert "Computational graph of price" in bundle["image/svg+xml"]


def fake_dot(folder, program, language=sys.executable):
    path = folder / "dot"
    path.write_text(f"#!{language}\n{program}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_the_dot_on_the_path_comes_first(monkeypatch, tmp_path):
    program = (
        "import sys\nfrom pygraphviz import AGraph\nlayout, format = [a[2:] for a in sys.argv[1:]]\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write(f'{{layout}} {{format}}\\n')\n"
        "graph = AGraph(sys.stdin.read(), strict=False)\nsys.stdout.buffer.write(graph.draw(format=format, prog=layout))\n"
    )
    monkeypatch.setattr(shutil, "which", lambda name: None)
    expected = draw(apples()).svg()
    path = fake_dot(tmp_path, program)
    monkeypatch.setattr(shutil, "which", lambda name: path)
    assert draw(apples()).svg() == expected
    assert (tmp_path / "calls").read_text().splitlines() == ["dot json0", "nop2 svg"]


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_layout_that_takes_too_long_is_ended(monkeypatch, tmp_path):
    program = f"echo $$ > '{tmp_path / 'pid'}'\nexec sleep 60\n"
    path = fake_dot(tmp_path, program, "/bin/sh")  # which begins sooner than Python
    monkeypatch.setattr(shutil, "which", lambda name: path)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="timeout=60"):
        draw(apples(), timeout=1.5).svg()
    assert time.monotonic() - started < 50  # it would sleep for 60
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_graphviz_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "engine", lambda: [sys.executable, "-c", "import sys; sys.exit('no plugins here')"])
    with pytest.raises(RuntimeError, match="no plugins here"):
        draw(apples()).svg()
