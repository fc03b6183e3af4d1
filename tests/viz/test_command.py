"""python -m viz: an expression is parsed, drawn, and never run."""

import ast
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.__main__ import main, recorded
from viz.command import Expression, ExpressionError


def test_the_chapter_from_the_command_line(tmp_path, capsys):
    svg, folder = tmp_path / "apples.svg", tmp_path / "steps"
    values = ["apple=100", "count=2", "tax=1.1"]
    assert main(["(apple * count) * tax", *values, "-o", str(svg), "--frames", str(folder)]) == 0
    assert svg.read_text(encoding="utf-8").count("<svg") == 1
    assert len(list(folder.iterdir())) == 5
    assert main(["(apple * count) * tax", *values, "--name", "price"]) == 0
    assert "apple is 100; ∂price/∂apple is 2.2." in capsys.readouterr().out
    assert main(["(apple * count) * tax", *values, "--grad", "blank", "-o", str(tmp_path / "sheet.svg")]) == 0
    sheet = (tmp_path / "sheet.svg").read_text(encoding="utf-8")
    assert ">100<" in sheet
    assert "is 2.2" not in sheet
    assert ">2.2<" not in sheet


def test_it_is_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "viz", "relu(x*w + b)", "x=2", "w=-3", "b=1"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=True,
    )  # fmt: skip
    assert "ReLU takes −5 and gives L (0)" in done.stdout.decode()


def test_arrays_operations_and_settings():
    result = recorded("sum(softmax(x @ W, axis=-1) * [1, 0], axis=0)", ["x=[1, 2]", "W=[[1, -1], [0, 1]]"], None)
    assert result.item() == pytest.approx(0.5)
    assert Expression("2 ** 3 - -x / 4 @ y").names == ["x", "y"]
    assert Expression("clip(x, -1, 1)").compute({"x": np.array([-3.0, 0.5])}).tolist() == [-1.0, 0.5]


REFUSED = {
    "2 * x.real": 5,
    "__import__('os').system('true')": 1,
    "x[0]": 1,
    "x if x else 1": 1,
    "1 + (x < 2)": 8,
    "f(x)": 1,
    "x + 'a'": 5,
    "[i for i in x]": 1,
    "사과 * x.y": 6,
    "exp(x, **k)": 10,
    "(lambda: 1)()": 1,
    "exp(*x)": 5,
    "x + True": 5,
    "x + 1j": 5,
    "f'{x}'": 1,
    "(y := x)": 2,
    "x and y": 1,
    "x // 2": 3,
    "x % 2": 3,
    "(사과) & x": 6,
    "~x": 1,
    "sum(x, axis=x)": 13,
    "sum(x, axis='0')": 13,
    "{1: x}": 1,
    "(x, x)": 1,
    "x + )": 5,
    "": 1,
    "x\x00": 1,
    "x; y": 2,
}


@pytest.mark.parametrize("text", REFUSED)
def test_anything_but_arithmetic_is_refused_with_its_column(text):
    with pytest.raises(ExpressionError) as caught:
        Expression(text).compute({"x": 1.0, "사과": 1.0})
    assert caught.value.column == REFUSED[text]


INSTEAD = {
    "x^2": r"write x\*\*2",
    "2 * x ^ y": r"write 2 \* x\*\*y",
    "x.sum()": r"write sum\(x\)",
    "x.sum(axis=0)": r"write sum\(x, axis=0\)",
    "(x + 1).mean()": r"write mean\(x \+ 1\)",
    "np.exp(x)": r"write exp\(x\)",
    "math.sin(x)": r"write sin\(x\)",
    "x.T": r"write transpose\(x\)",
    "x[0]": r"write take\(x, 0, axis=0\)",
    "x % 2": r"write mod\(x, 2\)",
    "x // 2": r"write floor_divide\(x, 2\)",
    "x < 2": r"write less\(x, 2\)",
    "x if y else 1": r"write where\(y, x, 1\)",
    "not x": r"not is not arithmetic; write logical_not\(x\)",
    "~x": r"~ is not arithmetic; write logical_not\(x\)",
    "sofmax(x)": "did you mean softmax",
}


@pytest.mark.parametrize("text", INSTEAD)
def test_what_is_no_arithmetic_is_answered_with_what_to_write(text):
    with pytest.raises(ExpressionError, match=INSTEAD[text]):
        Expression(text)


@pytest.mark.parametrize("text", INSTEAD)
def test_and_what_it_says_to_write_works(text):
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    written = str(caught.value).partition("write ")[2]
    if written:
        value = Expression(written).compute({"x": np.array([[0.5, 1.0]]), "y": np.array([[1.0, 0.0]])})
        assert np.isfinite(value).all()


def test_operations_by_their_other_names():
    values = {"x": np.array([-0.5, 0.25])}
    for text, right in (
        ("abs(x)", abs),
        ("pow(x, 2)", np.square),
        ("mod(x, 2)", lambda x: x % 2),
        ("acos(x)", np.arccos),
    ):
        np.testing.assert_allclose(Expression(text).compute(values), right(values["x"]))


def test_an_expression_that_begins_with_a_minus_sign(capsys):
    for arguments in (["-x**2", "x=3"], ["x=3", "-x**2"][::-1], ["--name", "L", "-x**2", "x=3"], ["-x**2", "x=-3"]):
        assert main(arguments) == 0
        assert "−9" in capsys.readouterr().out
    assert main(["-log(y)", "y=1"]) == 0


def test_values_that_are_no_digits(capsys):
    assert main(["x * y", "x=nan", "y=-inf"]) == 0
    assert "x is NaN" in capsys.readouterr().out
    assert recorded("2 * pi * r", ["r=1"], None).item() == pytest.approx(2 * np.pi)
    assert recorded("pi * r", ["r=1", "pi=3"], None).item() == 3


def test_the_options_of_draw(tmp_path, capsys):
    file = tmp_path / "a.svg"
    call = ["relu(x @ W)", "x=[1, 2]", "W=[[1, -1], [0, 1]]", "-o", str(file)]
    assert main([*call, "--grad", "symbol", "--loss", "J", "--show", "value,grad", "--collapse", "none"]) == 0
    assert "J" in file.read_text(encoding="utf-8")
    assert main([*call, "--show", "shape", "--sizes", "2=N", "--collapse", "1"]) == 0
    assert "N" in file.read_text(encoding="utf-8")
    assert main(["x * y", "x=2", "y=3", "-o", str(file), "--annotate", "x=slope", "--values", "y=three"]) == 0
    assert {"slope", "three"} <= set(file.read_text(encoding="utf-8").replace("<", ">").split(">"))
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("tinygrad_edu ")


def test_a_mistake_is_answered_in_a_line(capsys):
    for arguments in (
        ["x * y", "x=2", "y=3", "--show", "valu"],
        ["x * y", "x=2", "y=3", "--collapse", "some"],
        ["x * y", "x=2", "y=3", "--sizes", "N=32"],
        ["x * y", "x=2", "y=3", "--annotate", "x"],
        ["x * y", "x=2", "y=3", "--colapse", "all"],
        ["a * b", "a=1", "b"],
        [],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("python -m viz: ")


def test_output_that_has_no_greek_letters():
    done = subprocess.run(
        [sys.executable, "-m", "viz", "-x*y + sqrt(z)", "x=2", "y=3", "z=4"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, check=True,
    )  # fmt: skip
    said = done.stdout.decode("cp1252")
    assert "dL/dx is -3" in said
    assert "?" not in said


def test_a_function_that_is_no_operation_is_named():
    with pytest.raises(ExpressionError, match="f is not an operation"):
        Expression("f(x)")
    with pytest.raises(ExpressionError, match="__import__ is not an operation"):
        Expression("__import__(x)")


def test_nothing_hangs_or_overflows():
    with pytest.raises(ExpressionError, match="too large"):
        Expression("9**9**9**9").compute({})
    with pytest.raises(ExpressionError, match="column"):
        Expression("(" * 5000 + "x" + ")" * 5000)
    with pytest.raises(ExpressionError, match="characters"):
        Expression("x" * 20_000)
    assert Expression("+".join("x" * 2000)).compute({"x": 1.0}) == 2000.0


def test_what_is_missing_is_named(capsys):
    for arguments, message in (
        (["a * b", "a=1"], "give it one: b=2"),
        (["a * b", "a=1", "b=2", "c=3"], "c is not in the expression"),
        (["a", "a=1", "a=2"], "a is given twice"),
        (["a * 2", "a"], "is not name=value"),
        (["a * 2", "a=x"], "the value of a"),
        (["1 + 2"], "no names"),
        (["a * 2", "a=1", "-o", "a.jpg"], "jpg"),
        (["a @ b", "a=[1, 2]", "b=[1, 2, 3]"], "matmul"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert message in capsys.readouterr().err


def test_a_long_expression_is_shown_where_it_is_wrong(capsys):
    with pytest.raises(SystemExit):
        main(["+".join("x" * 500) + " & y", "x=1", "y=2"])
    shown, caret, message = capsys.readouterr().err.splitlines()
    assert len(shown) < 130
    assert shown[caret.index("^")] == "&"
    assert message == "column 1001: & is not arithmetic here"


def test_what_is_not_finite_is_drawn_without_a_warning(capsys):
    assert main(["log(x)", "x=0"]) == 0
    assert "∞" in capsys.readouterr().out


@pytest.mark.parametrize(("written", "cure"), [
    ("2x", "write 2*x"), ("x²+2x+1", "write x**2+2*x+1"), ("2 x y", "write 2*x*y"), ("sin x", "write sin(x)"),
    ("x × y", "write x * y"), ("3(x+1)", "write 3*(x+1)"), ("max(x, y)", "write maximum(x, y)"),
    ("min(x, y+1)", "write minimum(x, y+1)"), ("lambda*x", "write lambda_ in its place"), ("z = 3*y", "write 3*y alone"),
    ("", "there is no expression"), ("x*[[1],[2,3]]", "fill the short ones up"),
])  # fmt: skip
def test_what_books_write_is_answered_with_what_to_write(capsys, written, cure):
    with pytest.raises(SystemExit):
        main([written, *[f"{name}=1" for name in "xy" if name in written]])
    assert cure in capsys.readouterr().err


@given(st.text(alphabet="xy12e. ()+*²·=^%<[,]", max_size=12))
def test_every_text_is_computed_or_refused_and_every_cure_can_be_read(text):
    try:
        Expression(text).compute({"x": 1.0, "y": 2.0})
    except ExpressionError as error:
        said = re.search("written here; write (.*)", str(error))
        if said:
            ast.parse(said[1], mode="eval")
    except Exception as error:
        raise AssertionError(text) from error


def test_pi_has_its_sign(capsys):
    assert main(["π * x", "x=1"]) == 0
    assert "3.142" in capsys.readouterr().out


def test_steps_and_exercises_are_files_too(tmp_path):
    (tmp_path / "version.1").mkdir()
    names = ("a.gif", "steps.pptx", "sheet.pdf")
    given = ["x * y", "x=2", "y=3"]
    assert main([*given, "-o", str(tmp_path / "a.gif"), "--scale", "0.5"]) == 0
    assert main([*given, "--frames", str(tmp_path / "steps.pptx"), "--sheet", str(tmp_path / "sheet.pdf")]) == 0
    assert [(tmp_path / name).read_bytes()[:4] for name in names] == [b"GIF8", b"PK\x03\x04", b"%PDF"]
    assert main([*given, "--frames", str(tmp_path / "version.1"), "--background", "none"]) == 0
    assert [path.name for path in sorted((tmp_path / "version.1").iterdir())] == ["01.svg", "02.svg", "03.svg"]
