"""The memory map of a replayed program: that it is true, that all of it is there, and that it can be read."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.program.plan import elementwise
from viz import draw
from viz.formats import render
from viz.layout.clearance import overlapping
from viz.memory.steps import read_plan

ROOT = Path(__file__).parents[2]


def training(sizes=(20, 8, 3), optimizer=optim.SGD, norm=False, batch=16):
    """A recorded step of a network, and what to call it with."""
    rng = np.random.default_rng(0)
    layers = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m, generator=rng), *[nn.BatchNorm1d(m)] * norm, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    learner = optimizer(model.parameters(), lr=0.1)

    @tg.replay
    def step(x, t):
        loss = F.cross_entropy(model(x), t)
        learner.zero_grad()
        loss.backward()
        learner.step()
        return loss

    given = rng.standard_normal((batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)
    step(*given)
    return step, given


def small():
    return training()[0].plan


def deep():
    return training([30] + [20] * 6 + [10], optim.Adam, norm=True)[0].plan


def in_blocks():
    step, _ = training((784, 1024, 10))
    return step.plan


PLANS = {"small": small, "deep": deep, "in blocks": in_blocks}


@pytest.fixture(scope="module", params=PLANS)
def plan(request):
    return PLANS[request.param]()


def by_class(scene, name):
    return [shape for shape in scene.shapes if name in shape.classes.split()]


def edges(shape):
    return shape.x - shape.width / 2, shape.x + shape.width / 2


# ---------------------------------------------------------------------------------------------------
# Whether it is true


def test_a_short_program_line_by_line():
    w = tg.Tensor(np.ones(3), requires_grad=True, name="w")

    @tg.replay
    def f(x):
        y = np.exp(x * w)  # over x·w
        z = y[::-1] @ w  # y through a view
        return z, np.linalg.inv(np.eye(3) * y)  # which takes no out

    f(np.ones(3))
    memory = read_plan(f.plan)
    assert [column.op for column in memory.columns] == ["multiply", "exp", "matmul", "multiply", "inv"]
    assert [column.phase for column in memory.columns] == [""] * 5
    found = {
        kind: [[(bar.shape, bar.first, bar.last, bar.over) for bar in lane.bars] for lane in memory.lanes_of(kind)]
        for kind in ("argument", "buffer", "fresh")
    }
    assert found == {
        "argument": [[((3,), -1, 5, False)]],
        "buffer": [[((3,), 0, 1, False), ((3,), 1, 3, True)], [((), 2, 5, False)], [((3, 3), 3, 4, False)]],
        "fresh": [[((3, 3), 4, 5, False)]],
    }
    exp = memory.lanes_of("buffer")[0].bars[1]
    ((view, said),) = memory.views.items()
    assert exp.reads == [(2, view), (3, "")]
    assert exp.name in said
    assert [lane.nbytes for lane in memory.lanes_of("buffer")] == [24, 8, 72]
    assert {bar.nbytes for lane in memory.lanes_of("buffer")[:1] for bar in lane.bars} == {24}


def misread(memory, plan):
    """Where a line finds another value in memory than the one it is to read."""
    shown = {}
    for view in [*plan.views, *[line.value for line in plan.lines()]]:
        value = view
        while value.source is not None:
            value = value.source
        shown[view.name] = value.name
    lanes = memory.lanes_of("buffer", "block", "fresh")
    return [
        (k, read) for lane in lanes for bar in lane.bars for k, read in bar.reads if read and shown[read] != bar.name
    ]


def test_no_two_values_are_in_a_buffer_at_once(plan):
    memory, lines = read_plan(plan), plan.lines()
    assert misread(memory, plan) == []
    for lane in memory.lanes_of("buffer", "block", "fresh"):
        for a, b in pairwise(lane.bars):
            assert a.last < b.first or (a.last == b.first and b.over and elementwise(lines[b.first].op)), (a, b)
    assert any(bar.over for lane in memory.lanes_of("buffer") for bar in lane.bars)
    assert any(len(lane.bars) > 2 for lane in memory.lanes_of("buffer"))


def test_a_plan_that_overwrites_what_is_still_needed_is_seen_through():
    plan = small()
    lines = plan.lines()
    relu = next(line for line in lines if line.op.name == "relu")  # whose value the backward pass needs
    wrong = next(line for line in lines[lines.index(relu) + 1 :] if line.value.storage.kind == "buffer")
    wrong.value.storage.memory = relu.value.storage.memory
    assert misread(read_plan(plan), plan)


def test_bytes_add_up(plan):
    memory, figure = read_plan(plan), draw(plan)
    buffers = memory.lanes_of("buffer", "block")
    assert sum(lane.nbytes for lane in buffers) == memory.nbytes == plan.nbytes
    assert all(bar.nbytes <= lane.nbytes for lane in memory.lanes_of("buffer") for bar in lane.bars)
    told = str(plan).splitlines()[0]
    for part in ", ".join(figure.totals).split(", "):
        assert part in told
    assert {f"{lane.nbytes:,}" for lane in memory.lanes_of("buffer")} <= {text.text for text in figure.scene.texts}


def test_every_value_is_in_its_array_from_its_line_to_its_last_reader(plan):
    lines = plan.lines()
    bars = {bar.name: bar for lane in read_plan(plan).lanes_of("buffer", "block", "fresh") for bar in lane.bars}
    returned = {value.name for value in plan.outputs}
    for k, line in enumerate(lines):
        if line.how in ("out", "fresh") and line.value.name in bars and not line.value.source:
            bar = bars.pop(line.value.name)
            shown = {line.value.name}
            for view in [*plan.views, *[later.value for later in lines]]:
                shown |= {view.name} if view.source is not None and view.source.name in shown else set()
            readers = [j for j, later in enumerate(lines) if shown & {v.name for v in later.inputs}]
            assert bar.first == k
            assert bar.last == (len(lines) if bar.name in returned else max(readers, default=k))
            assert sorted({j for j, _ in bar.reads}) == readers
    parts = {part for line in lines for part in [v.name for v in plan.views if v.source is None]}
    assert all(name in parts or "[" in name for name in bars), "nothing else is drawn"


def test_forward_backward_and_update_are_told_apart(plan):
    memory = read_plan(plan)
    phases = [column.phase for column in memory.columns]
    assert set(phases) == {"forward", "backward", "update"}
    assert [phase for k, phase in enumerate(phases) if phase != phases[k - 1]] == ["forward", "backward", "update"]
    assert all(column.phase == "forward" for column in memory.columns if column.scope)
    slopes = [lane for lane in memory.lanes_of("kept") if lane.name.startswith("grad_of")]
    weights = [
        lane for lane in memory.lanes_of("kept") if lane.name.endswith(("_weight", "_bias")) and lane not in slopes
    ]
    assert len(slopes) == len(weights) > 3
    assert {phases[lane.bars[0].first] for lane in slopes} == {"backward"}
    assert {phases[lane.bars[-1].first] for lane in weights} == {"update"}
    assert all(len(lane.bars) == 1 and lane.changes for lane in slopes), "the gradients of last time are not read"
    assert all(lane.bars[-1].over and lane.bars[0].first == -1 for lane in weights), "written in place"


def test_without_gradients_no_line_has_a_phase():
    model = tg.replay(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    model(np.ones((2, 3), np.float32))
    w = tg.Tensor(np.ones(3), requires_grad=True)
    slope = tg.replay(lambda x: tg.grad(np.exp(x * w).sum(), w))  # which is returned: what is forward in it?
    slope(np.ones(3))

    @tg.replay
    def both(x):
        np.exp(x * w).sum().backward()
        return np.square(w.grad).sum()  # forward, though it depends on the gradient

    both(np.ones(3))
    for plan in (model.plan, slope.plan, both.plan):
        assert {column.phase for column in read_plan(plan).columns} == {""}
        assert not any(text.id.startswith("phase") for text in draw(plan).scene.texts)


def test_fresh_arrays_that_live_at_once_have_lanes_of_their_own():
    @tg.replay
    def f(x):
        a, b = np.linalg.inv(x), np.linalg.inv(x.T)
        c = np.linalg.inv(a @ b)
        return np.linalg.inv(c).sum()

    f(np.eye(3) * 2)
    memory = read_plan(f.plan)
    lanes = memory.lanes_of("fresh")
    assert [len(lane.bars) for lane in lanes] == [2, 2]
    assert all(a.last < b.first for lane in lanes for a, b in pairwise(lane.bars))
    bars = by_class(draw(f.plan).scene, "fresh")
    assert {shape.shape for shape in bars if "bar" in shape.classes} == {"dashed"}
    assert any(text.text == "fresh" for text in draw(f.plan).scene.texts)


# ---------------------------------------------------------------------------------------------------
# Whether all of it is there


def test_each_instruction_is_drawn_once_in_order(plan):
    figure = draw(plan, collapse=None)
    cells = by_class(figure.scene, "instruction")
    assert [cell.id for cell in cells] == [f"line{k}" for k in range(len(plan.lines()))]
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(map(edges, cells)))
    for k, (cell, line) in enumerate(zip(cells, plan.lines(), strict=True)):
        assert cell.title.startswith(f"{k + 1}. {line.op.name}")
        assert (
            cell.fill[0]
            == {"forward": "forward", "backward": "backward", "update": "parameter"}[figure.memory.columns[k].phase]
        )


def test_a_bar_begins_under_the_line_that_writes_it_and_ends_under_the_last_that_reads_it(plan):
    figure = draw(plan, collapse=None)
    shapes = {shape.id: shape for shape in figure.scene.shapes}
    for lane in figure.memory.lanes_of("buffer", "block", "fresh"):
        for bar in lane.bars:
            left, right = edges(shapes[bar.id])
            assert left == pytest.approx(shapes[f"line{bar.first}"].x, abs=0.01)
            if bar.first < bar.last < len(figure.memory.columns):
                assert right == pytest.approx(shapes[f"line{bar.last}"].x, abs=0.01)
            assert (shapes[bar.id].y, shapes[bar.id].height) == (shapes[lane.id].y, shapes[lane.id].height)
            ticks = [shape for shape in by_class(figure.scene, "read") if shape.id.startswith(f"{bar.id}-")]
            assert len(ticks) == len({(k, bool(view)) for k, view in bar.reads})
            for tick, k in zip(ticks, dict.fromkeys(bar.reads), strict=True):
                assert tick.x == pytest.approx(shapes[f"line{k[0]}"].x, abs=1.5)
                assert (tick.y > shapes[bar.id].y) == bool(k[1]), "above, if through a view"
    lanes = sorted((shapes[lane.id] for lane in figure.memory.lanes if lane.id in shapes), key=lambda shape: -shape.y)
    assert all(a.y - a.height / 2 > b.y + b.height / 2 for a, b in pairwise(lanes))


def test_names_and_shapes_are_written_where_there_is_room():
    plan = small()
    figure = draw(plan, sizes={16: "N"})
    texts = {text.id: text for text in figure.scene.texts}
    shapes = {shape.id: shape for shape in figure.scene.shapes}
    for lane in figure.memory.lanes_of("buffer"):
        for bar in lane.bars:
            said = [text.text for id, text in texts.items() if id.startswith(f"{bar.id}-text")]
            shape = str(bar.shape).replace("16", "N")
            assert " ".join(said).removesuffix(" returned") in (f"{bar.name} {shape}", bar.name)
            assert f"{bar.name} {shape}" in shapes[bar.id].title
        if bar.last < len(figure.memory.columns) - 4:  # there is room beside it
            assert " ".join(said) == f"{bar.name} {shape}"
    assert [text.text for text in texts.values() if text.text.endswith(" returned")] == [
        f"{plan.outputs[0].name} () returned"
    ]
    assert "No room" not in " ".join(text.text for text in texts.values())
    assert {"arguments", "buffers", "kept between runs"} <= {text.text for text in texts.values()}
    assert {"x 1,280", "t 128"} <= {text.text for text in texts.values()}


def test_what_has_no_room_is_counted():
    figure = draw(deep(), collapse=None)
    notes = " ".join(text.text for text in figure.scene.texts if text.id.startswith("legend-note"))
    bars = [bar for lane in figure.memory.lanes_of("buffer", "fresh") for bar in lane.bars]
    named = {text.id.partition("-")[0] for text in figure.scene.texts if text.id.startswith("bar")}
    assert f"No room for {len(bars) - len(named):,} names." in notes
    assert f"No room for {len(figure.memory.columns):,} symbols." in notes
    drawn = {shape.id for shape in by_class(figure.scene, "kept") if "lane" in shape.classes}
    missing = [lane for lane in figure.memory.lanes_of("kept") if lane.id not in drawn]
    total = sum(lane.nbytes for lane in missing)
    assert f"Not drawn: {len(missing)} more kept between runs ({total:,} bytes)." in notes
    assert len(drawn) == 16


def test_a_larger_buffer_is_higher():
    figure = draw(small())
    heights = {shape.id: shape.height for shape in figure.scene.shapes}
    pairs = sorted((lane.nbytes, heights[lane.id]) for lane in figure.memory.lanes_of("buffer"))
    assert pairs[0][1] < pairs[-1][1]
    for (a, low), (b, high) in pairwise(pairs):
        assert low < high or (a == b and low == high)


# ---------------------------------------------------------------------------------------------------
# Times


def test_times_stand_under_their_lines():
    step, given = training((784, 1024, 10))
    assert by_class(draw(step.plan).scene, "time") == []
    assert not any("µs" in text.text for text in draw(step.plan).scene.texts)
    assert "µs" not in draw(step.plan).text()
    step.profile(*given, runs=2)
    figure = draw(step.plan)
    shapes = {shape.id: shape for shape in figure.scene.shapes}
    bars = by_class(figure.scene, "time")
    seconds = [instruction.seconds for instruction in step.plan.instructions]
    assert len(bars) == len(seconds) < len(step.plan.lines())
    for bar, time in zip(bars, seconds, strict=True):
        assert bar.height / max(bar.height for bar in bars) == pytest.approx(time / max(seconds), abs=1e-6)
    columns = figure.memory.columns
    several = [k for k, column in enumerate(columns) if k and column.instruction == columns[k - 1].instruction]
    assert len(several) == 1, "one stretch of two lines runs in blocks"
    left, right = edges(shapes[f"line{several[0] - 1}"])[0], edges(shapes[f"line{several[0]}"])[1]
    assert shapes[f"time{several[0] - 1}"].x == pytest.approx((left + right) / 2)
    assert len(by_class(figure.scene, "blocks")) == 1
    total = sum(seconds) * 1e6
    said = re.search(r"([\d,.]+) µs a run", figure.totals[-1])[1]
    assert float(said.replace(",", "")) == pytest.approx(total, rel=1e-3)


def test_lines_that_are_left_out_keep_their_time():
    plan = deep()
    start, stop, _ = draw(plan).gaps[0]
    for seconds, total in ((2e-3, 2311), (1e-6, 312)):
        for k, instruction in enumerate(plan.instructions):
            instruction.seconds = seconds if k == stop - 1 else 1e-6
        figure = draw(plan)
        assert stop - start == 312
        (said,) = (text.text for text in figure.scene.texts if text.id == f"time{start}-text0")
        assert float(said.replace(",", "")) == pytest.approx(total, rel=5e-3)
        longest = max(by_class(figure.scene, "time"), key=lambda bar: bar.height)
        assert longest.height == pytest.approx(50), "of those that are drawn"


# ---------------------------------------------------------------------------------------------------
# Long programs


def test_a_long_program_leaves_out_what_repeats():
    plan = deep()
    whole, auto, least = (draw(plan, collapse=collapse) for collapse in (None, "auto", "all"))
    count = [len(by_class(figure.scene, "instruction")) for figure in (whole, auto, least)]
    assert count[0] == len(plan.lines()) > 400 > 300 >= count[1] > count[2]
    assert {whole.memory.columns[k].phase for start, stop, _ in auto.gaps for k in range(start, stop)} == {"update"}
    for figure, shown in ((auto, count[1]), (least, count[2])):
        hidden = [k for start, stop, _ in figure.gaps for k in range(start, stop)]
        assert len(hidden) + shown == len(plan.lines())
        assert f"⋯: {len(hidden)} instructions that repeat those before them." in [t.text for t in figure.scene.texts]
        assert len(by_class(figure.scene, "gap")) == len(figure.gaps)
        ops = [column.op for column in figure.memory.columns]
        for start, stop, times in figure.gaps:
            period = (stop - start) // times
            assert period * times == stop - start
            assert all(ops[k] == ops[k - period] for k in range(start, stop + period))
    assert len(by_class(draw(plan, max_nodes=10**6).scene, "instruction")) == count[0]
    assert draw(plan, max_nodes=1).gaps == least.gaps


def test_repeats_are_found_wherever_they_are():
    @tg.replay
    def f(x):
        for _ in range(20):
            x = np.sin(np.cos(x)) * 2.0
        x = np.exp(x)
        for _ in range(9):
            x = np.tanh(x) + 1.0
        return x

    f(np.ones(3))
    figure = draw(f.plan, collapse="all")
    assert figure.gaps == [(3, 57, 18), (63, 77, 7)]
    assert [text.text for text in figure.scene.texts if text.id.startswith("gap")] == ["⋯ 18×", "⋯ 7×"]


@pytest.mark.parametrize("collapse", [None, "auto", "all"])
def test_texts_do_not_overlap(plan, collapse):
    scene = draw(plan, collapse=collapse).scene
    assert overlapping(replace(scene, shapes=())) == []
    left, _, right, _ = scene.bounds()
    assert right - left < 1150
    ids = [thing.id for thing in (*scene.shapes, *scene.texts)]
    assert len(ids) == len(set(ids))


# ---------------------------------------------------------------------------------------------------
# In each format


def test_it_needs_graphviz_only_for_pictures(monkeypatch, tmp_path):
    figure = draw(small())
    png, pdf = (figure.save(tmp_path / f"map.{format}").read_bytes() for format in ("png", "pdf"))
    assert png.startswith(b"\x89PNG")
    assert pdf.startswith(b"%PDF")
    assert "layout=nop2" in figure.dot()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    svg, html, data, tex, words = (
        figure.save(tmp_path / f"map.{format}").read_text(encoding="utf-8")
        for format in ("svg", "html", "json", "tex", "txt")
    )
    root = ET.fromstring(svg)
    ids = {group.get("id") for group in root.iter("{http://www.w3.org/2000/svg}g")}
    assert {thing.id for thing in (*figure.scene.shapes, *figure.scene.texts)} == ids - {None}
    said = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said == [text.text for text in figure.scene.texts]
    assert "<svg" in html
    assert not re.search(r"https?:|<script", html.replace("http://www.w3.org/2000/svg", ""))
    assert [column["op"] for column in json.loads(data)["columns"]] == [c.op for c in figure.memory.columns]
    assert tex.count("\\filldraw") == len(figure.scene.shapes)
    assert min(tex.count(rf"\fontsize{{{size}}}") for size in ("6.5", "5")) > 5
    assert words == figure.text()
    assert figure._repr_mimebundle_()["image/svg+xml"] == svg
    with pytest.raises(ValueError, match="'md' is not known; choose one of 'svg'"):
        figure.save(tmp_path / "map.md")


def test_words_say_each_line_and_each_value():
    figure = draw(small())
    lines = figure.text().splitlines()
    assert lines[1] == "1. matmul, Sequential.0"
    assert len(lines) == 1 + len(figure.memory.columns) + len(figure.memory.lanes)
    value = figure.memory.lanes_of("buffer")[0].bars[0]
    assert f"{value.name} (16, 8) float32, 512 bytes, lines 1–2" in figure.text()
    assert "throughout" in figure.text()
    assert "until line" in figure.text()
    assert draw(small(), lang="ko").text() != figure.text()
    assert "순전파" in [text.text for text in draw(small(), lang="ko").scene.texts]


def test_themes_change_colours_alone():
    plain, dark = (draw(small(), theme=theme).svg() for theme in ("default", "dark"))
    assert re.sub(r"#[0-9A-F]{6}|white", "", plain) == re.sub(r"#[0-9A-F]{6}|white", "", dark)
    assert plain != dark
    assert "#000000" in plain
    assert "#000000" not in dark
    grey = set(re.findall(r"#([0-9A-F]{6})", draw(small(), theme="print").svg()))
    assert all(colour[:2] == colour[2:4] == colour[4:] for colour in grey)


def test_frames_run_the_program_line_by_line(tmp_path):
    figure = draw(small())
    frames = figure.frames()
    assert len(frames) == len(figure.memory.columns) + 1
    shown = [set(re.findall(r'<g id="([^"]+)"', frame.svg())) for frame in frames]
    assert all(a < b for a, b in pairwise(shown))
    for k, seen in enumerate(shown):  # the frame after line k
        assert {f"line{j}" for j in range(len(figure.memory.columns))} & seen == {f"line{j}" for j in range(k)}
        bars = {bar.id for lane in figure.memory.lanes for bar in lane.bars if bar.first < k}
        assert {shape.id for shape in by_class(figure.scene, "bar")} & seen == bars
    assert frames.save(tmp_path / "run.svg").read_text(encoding="utf-8").count("@keyframes") == len(frames) - 1


PRINT = """
import sys
from tests.viz.test_memory import deep
from viz import draw
figure = draw(deep())
sys.stdout.buffer.write((figure.svg() + figure.json() + figure.dot() + figure.tikz()).encode())
"""


def test_two_runs_give_the_same_bytes():
    def printed(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, check=True, cwd=ROOT)
        return run.stdout

    first, second = printed("1"), printed("2")
    assert len(first) > 100_000
    assert first == second


# ---------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrt": np.ones(3)}, r"wrt= says how a graph is drawn, but this is a plan; its figure takes collapse, max_nodes,"),
        ({"style": "plain"}, "style= says how a graph is drawn"), ({"check": True}, "check= says"),
        ({"collapse": 1}, "collapse='1' is not known; choose one of 'auto', 'all', 'None'"),
        ({"theme": "pink"}, "theme='pink' is not known"), ({"lang": "fr"}, "lang='fr' is not known"),
    ],
)  # fmt: skip
def test_what_a_plan_has_no_use_for_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw(small(), **options)


def test_numbers_are_for_functions():
    with pytest.raises(ValueError, match="numbers= says"):
        draw(small(), 1.0)


def test_an_empty_program_can_be_drawn():
    same = tg.replay(lambda x: x)
    same(np.ones(3))
    figure = draw(same.plan)
    assert figure.totals[0].startswith("0 instructions, 0 buffers of 0 bytes")
    ET.fromstring(figure.svg())
