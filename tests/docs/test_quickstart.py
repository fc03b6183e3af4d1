"""The examples run, and do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, folder):
    ran = subprocess.run([sys.executable, "-W", "error", EXAMPLES / name], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_quickstart(tmp_path):
    said = run("quickstart.py", tmp_path)
    for line in ("= 220", "∂price/∂apple = 2.2", "∂price/∂count = 110.0", "∂price/∂tax = 200.0"):
        assert line in said
    accuracy = re.search(r"([\d.]+)% of 360 held-out digits read right, after [\d.]+ s", said).group(1)
    assert float(accuracy) >= 96
    assert re.search(r"a step takes \d+ µs, and \d+ µs replayed, as a program of \d+ lines", said)
    written = re.search(r"written: (.*)", said).group(1).split(", ")
    assert [Path(path).name for path in written] == ["apples.svg", "loss.png", "mlp.svg"]
    apples, loss, mlp = ((tmp_path / path).read_bytes() for path in written)
    assert loss.startswith(b"\x89PNG")
    for number in (b">220<", b">2.2<", b">110<", b">200<"):
        assert number in apples
    for layer in (b">Linear<", b">ReLU<", b">CrossEntropyLoss<"):
        assert layer in mlp


def test_replay_lesson(tmp_path):
    said = run("lessons/replay.py", tmp_path)
    assert "def program(x, t):" in said
    assert "subtract(p0_weight, " in said
    assert (tmp_path / "out" / "replay.svg").exists()
    assert "µs a run" in (tmp_path / "out" / "replay-memory.svg").read_text(encoding="utf-8")


def test_own_op(tmp_path):
    said = run("own_op.py", tmp_path)
    assert "dy/dx = [0.0, 4.0, 6.0], d²y/dx² = [0.0, 2.0, 2.0]" in said
    assert "derivatives agree" in said
    assert (tmp_path / "out" / "own_op.svg").exists()


def test_to_onnx(tmp_path):
    said = run("to_onnx.py", tmp_path)
    assert "takes ['batch', 8, 8], and gives ['batch', 10]" in said
    assert float(re.search(r"reads ([\d.]+)% of the test images rightly", said).group(1)) > 85
    assert float(re.search(r"by (\S+) at most", said).group(1)) < 1e-5
    assert "read again: gru.weight_ih_l0, " in said
    assert (tmp_path / "out" / "digits.svg").exists()
