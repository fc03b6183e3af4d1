"""Every snippet of the README runs, in order, and gives what it says."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from viz import draw
from viz.__main__ import main as viz_main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(code, namespace):
    """Execute statements one by one; an expression followed by `# → text` must give that text."""
    lines = code.splitlines()
    checked = 0
    for statement in ast.parse(code).body:
        stated = re.search(r"#\s→\s(.*)$", lines[(statement.end_lineno or 1) - 1])
        if isinstance(statement, ast.Expr) and stated:
            value = eval(compile(ast.Expression(statement.value), "README", "eval"), namespace)
            shown = value if isinstance(value, str) else repr(value)
            assert shown.split() == stated.group(1).split(), f"{lines[statement.lineno - 1]} gives {shown}"
            checked += 1
        else:
            assert not stated, f"{lines[statement.lineno - 1]} is not an expression"
            exec(compile(ast.Module([statement], []), "README", "exec"), namespace)
    return checked


def test_snippets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 6
    namespace = {"__name__": "readme"}
    assert sum(run(block, namespace) for block in blocks) >= 8
    written = set(re.findall(r'"(out/[^"]+)"', README))
    assert written == {str(path.relative_to(tmp_path)) for path in (tmp_path / "out").iterdir()}


def test_a_snippet_that_lies_is_caught():
    with pytest.raises(AssertionError, match="gives 2"):
        run("1 + 1  # → 3", {})


def test_the_picture_is_the_snippet_s():
    apple, count, tax = (tg.Tensor(x, requires_grad=True) for x in (100.0, 2.0, 1.1))
    price = apple * count * tax

    def words(svg):
        return sorted(re.findall(r"<text[^>]*>(?:<tspan[^>]*>)?([^<]+)<", svg))

    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    committed = (ROOT / picture).read_text(encoding="utf-8")
    assert words(committed) == words(draw(price).svg())
    assert {"100", "220", "2.2", "110"} <= set(words(committed))


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make (\w+)", README)) <= targets


def test_numpy_is_at_least_what_it_says():
    needed = re.search(r"NumPy (\d+\.\d+)", README).group(1)
    assert f'"numpy>={needed}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert np.lib.NumpyVersion(np.__version__) >= f"{needed}.0"


# ---------------------------------------------------------------------------------------------------
# Finding one's way

WAY = README[README.index("## Finding one's way") :]


def pages_that_run(f):
    """The pages of the engine that a call enters."""
    entered = set()

    def see(frame, event, arg):
        page = Path(frame.f_code.co_filename)
        if event == "call" and page.parent.name == "engine":
            entered.add(page.stem)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        f()
    finally:
        sys.setprofile(before)
    return entered


def test_the_pages_that_record_and_differentiate_are_those_it_names():
    recorded, differentiated = re.search(
        r"`x \* w` is recorded by (.*?), and differentiated by (.*?)\.\n", WAY, re.DOTALL
    ).groups()
    x, w = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    assert pages_that_run(lambda: x * w) == set(re.findall(r"`(\w+)`", recorded))
    loss = (x * w).sum()
    assert pages_that_run(loss.backward) >= set(re.findall(r"`(\w+)`", differentiated))


def test_as_many_lines_run_as_it_says():
    """The number of lines that it states is off by ten at most."""
    expression, said = re.search(r'tinygrad_edu\.reading "(.*?)" --backward`.*?some (\d+)\.', WAY, re.DOTALL).groups()
    command = [sys.executable, "-m", "tinygrad_edu.reading", expression, "--backward"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    assert abs(int(re.search(r"(\d+) lines of \d+ functions", printed).group(1)) - int(said)) <= 10


def test_the_command_that_draws_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"`python -m viz (.*?)`", README)
    assert viz_main(shlex.split(command)) == 0
    assert (tmp_path / "out/neuron.svg").exists()


def test_every_extra_is_one():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {name for several in re.findall(r"`[^`]*\.\[([\w,]+)\]\"?`", README) for name in several.split(",")}
    assert {"all", "fast", "jax", "onnx", "serve", "video"} <= named <= set(extras)
    assert {"video", "jax", "trackers"}.isdisjoint(re.findall(r"\w+", extras["all"][0]))


def test_every_room_is_on_its_list():
    rooms = {path.parent.name for path in (ROOT / "tinygrad_edu").glob("*/__init__.py")}
    assert set(re.findall(r"\]\(tinygrad_edu/(\w+)\)", WAY)) == rooms
