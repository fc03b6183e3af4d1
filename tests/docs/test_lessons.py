"""Each lesson runs, quickly, and ends in the numbers that it is to show."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

LESSONS = Path(__file__).parents[2] / "examples" / "lessons"


def between(low, high):
    return lambda number: low <= number <= high


def about(value, relative=1e-5):
    return lambda number: abs(number - value) <= relative * abs(value)


def exactly(value):
    return lambda number: number == value


EXPECTED = {
    "01_perceptron": {
        "AND": exactly([0, 0, 0, 1]),
        "NAND": exactly([1, 1, 1, 0]),
        "OR": exactly([0, 1, 1, 1]),
        "XOR": exactly([0, 1, 1, 0]),
        "lines that make XOR": exactly(0),
        "largest slope of a step": exactly(0.0),
        "epochs to learn XOR": exactly(None),
        "a line on XOR": between(0.4, 0.8),
        "a line on features by hand": between(0.97, 1),
        "the net on XOR": between(0.97, 1),
    },
}
"""What the last cell of a lesson prints, by name: `name: value`."""


def read(text):
    """The `name: value` lines of what a lesson printed."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue
    return found


@pytest.mark.parametrize("lesson", sorted(path.stem for path in LESSONS.glob("[0-9]*.py")))
def test_a_lesson_ends_in_its_numbers(lesson, tmp_path):
    quick = {**os.environ, "MPLBACKEND": "agg", "MPLCONFIGDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", LESSONS / f"{lesson}.py", "--quick"],
        cwd=tmp_path, env=quick, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    numbers = read(ran.stdout)
    for name, holds in EXPECTED[lesson].items():
        assert holds(numbers[name]), f"{name}: {numbers[name]}"
    assert list((tmp_path / "out" / "lessons" / lesson[:2]).iterdir()), "no figure was written"


def test_each_lesson_has_numbers_that_are_expected_and_its_place():
    names = sorted(path.stem for path in LESSONS.glob("[0-9]*.py"))
    assert names == sorted(EXPECTED)
    assert all(EXPECTED.values())


def test_numbers_are_read_from_what_is_printed():
    assert read("a: 1.5\nwords: no number\nb: [1, 2]\n") == {"a": 1.5, "b": [1, 2]}
