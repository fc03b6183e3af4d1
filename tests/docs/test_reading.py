"""What ran: the lines that are printed are the engine's own, ran, and are all that did."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.reading import of_expression, what_ran
from tinygrad_edu.reading.__main__ import main
from tinygrad_edu.reading.listing import functions
from tinygrad_edu.reading.pages import numbered
from tinygrad_edu.reading.watch import Watch

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinygrad_edu"
LESSON = "(x*w + b).sum()"
LAYER = "((relu(x @ W + b) - t)**2).sum()"


def names(ran):
    return [function.name for function in ran.functions]


@pytest.fixture(scope="module")
def lesson():
    return of_expression(LESSON, backward=True)


# -- the engine --------------------------------------------------------------------------------------


def test_the_lesson_reads_from_the_operator_to_the_walk(lesson):
    said = [name for name in names(lesson) if name.split(".")[-1] in {
        "__mul__", "__add__", "apply", "sum", "backward", "topological", "walk", "expand", "fit", "unbroadcast",
        "add, declared", "multiply, declared", "sum, declared",
    }]  # fmt: skip
    assert [name.split(".")[-1] for name in said] == [
        "__mul__", "apply", "__add__", "sum", "sum", "backward", "backward", "topological", "walk", "sum, declared",
        "expand", "add, declared", "fit", "unbroadcast", "multiply, declared",
    ]  # fmt: skip
    assert len(set(names(lesson))) == len(lesson.functions)


def test_the_lesson_is_short(lesson):
    assert lesson.lines <= 240
    assert len(lesson.functions) <= 32


def test_the_lesson_has_no_word_of_replay(lesson):
    text = str(lesson)
    assert not re.findall(r"(?i)replay|tape|edits", text)
    (only,) = re.findall(r".*watch.*", text)  # where an op has been computed
    assert only.endswith(" if recording.watcher is not None: …")


def test_the_lesson_fits_six_pages(lesson, tmp_path):
    lesson.save(tmp_path / "lesson.pdf")
    written = (tmp_path / "lesson.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type /Page\b", written)) <= 6


def test_the_way_back_is_printed_only_if_it_is_asked_for():
    ran = of_expression(LESSON)
    assert "walk" not in names(ran)
    assert ran.result.requires_grad
    assert ran.title == LESSON


def lines_that_run(f, *args):
    """The lines of the package's functions that f runs, by another tracer: line by line, as a debugger does it."""
    ran: set[tuple[str, int]] = set()
    entered: Counter[tuple[str, int]] = Counter()

    def called(frame, event, _):
        if not frame.f_code.co_filename.startswith(str(PACKAGE)) or frame.f_code.co_name == "<module>":
            return None
        if frame.f_code.co_qualname == "watched.<locals>.asked":  # it calls the function, and nothing else
            return None
        entered[frame.f_code.co_filename, frame.f_code.co_firstlineno] += 1
        return stepped

    def stepped(frame, event, _):
        if event == "line":
            ran.add((frame.f_code.co_filename, frame.f_lineno))
        return stepped

    before = sys.gettrace()
    sys.settrace(called)
    try:
        f(*args)
    finally:
        sys.settrace(before)
    return ran, entered


@cache
def statement_starts(file):
    """For each line of a file, the first line of the inmost statement that it is in, and whether that is a head."""
    starts: dict[int, ast.stmt | ast.excepthandler | ast.match_case] = {}
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt | ast.excepthandler):
            starts.update(dict.fromkeys(range(node.lineno, node.end_lineno + 1), node))
    return starts


def f_sum(x, w, b):
    (x * w + b).sum().backward()


def f_layer(x, w, b):
    ((tg.relu(x @ w.T + b) - 1.0) ** 2).mean().backward()


def f_many(x, w, b):
    y = np.concatenate([np.exp(x[:, :2]), np.where(w > 1, w, b)[:, 1:]], axis=1)
    tg.grad(tg.softmax(y, axis=-1).sum() + np.linalg.norm(x), x, create_graph=True).sum().backward()


@pytest.mark.parametrize("f", [f_sum, f_layer, f_many])
def test_nothing_is_printed_that_did_not_run_and_nothing_that_ran_is_left_out(f):
    def leaves():
        x, w = (
            tg.Tensor([[0.5, 1, 1.5], [2, 2.5, 3]], requires_grad=True),
            tg.Tensor(np.ones((2, 3)), requires_grad=True),
        )
        return x, w, tg.Tensor(0.5, requires_grad=True)

    f(*leaves())  # what is kept from one call to the next is known to both
    ran, entered = lines_that_run(f, *leaves())
    page = what_ran(f, *leaves())
    printed = {(function.file, number) for function in page.functions for number in function.lines}
    for function in page.functions:
        text = Path(function.file).read_text(encoding="utf-8").splitlines()
        starts = statement_starts(function.file)
        for number, line in function.lines.items():
            cut = line.removesuffix(" …")
            assert text[number - 1] == line or (line.endswith(": …") and text[number - 1].startswith(cut)), line
            node = starts.get(number)
            if node is None or number < node.lineno:  # a rule in a decorator
                assert (function.file, number) in ran, line
                continue
            if isinstance(node, ast.FunctionDef | ast.Try | ast.ExceptHandler):
                continue  # the head of what was called; words that hold a body
            last = node.body[0].lineno - 1 if getattr(node, "body", None) else node.end_lineno
            span = range(node.lineno, max(last, node.lineno) + 1)
            inside = any((function.file, at) in ran for at in span)
            assert inside or re.match(r"\s*(else|finally):", line), f"{function.place}, {number}: {line}"
    missing = {(file, line) for file, line in ran if (file, line) not in printed and (file, line) not in entered}
    assert not missing
    assert sum(len(function.lines) for function in page.functions) == len(printed)


def test_what_an_import_runs_is_no_part_of_the_reading():
    code = (
        "import tinygrad_edu as tg; from tinygrad_edu.reading import what_ran\n"
        "x = tg.Tensor([1.0, 2.0], requires_grad=True)\n"
        "def f(x):\n    import tinygrad_edu.optim.adam, tinygrad_edu.data.loader\n    return x * x\n"
        "print(*[function.name for function in what_ran(f, x).functions])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["NumPyProtocols.__mul__", "Op.apply"]


def test_the_tracer_that_was_there_comes_back():
    def mine(frame, event, arg):
        return None

    before = sys.gettrace()
    sys.settrace(mine)
    try:
        with pytest.raises(ZeroDivisionError):
            what_ran(lambda: 1 / 0)
        assert sys.gettrace() is mine
    finally:
        sys.settrace(before)


# -- other code ----------------------------------------------------------------------------------------

MODULE = '''
import contextlib
import functools


def deco(f):
    """Wrap."""

    @functools.wraps(f)
    def wrapped(*args):
        return f(*args)

    return wrapped


rule = (lambda x: x + 1, lambda x: x - 1)


@deco
def everything(n):
    """Do it all. Then more."""
    found = []
    for i in range(n):
        if i == 7:
            break
        elif i == 1:
            continue
        else:
            found.append(i)
    else:
        found.append(-1)
    for i in []:
        found.append(i)
    else:
        found.append(-2)
    while True:
        if n: break
        n = -1
    while n < -99:
        n -= 1
    try:
        1 / 0
    except ValueError:
        found.append("value")
    except (
        ZeroDivisionError
    ) as error:  # told
        pass
    else:
        found.append("else")
    finally:
        found.append("finally")
    try:
        found.append("fine")
    except ValueError:
        found.append("never")
    else:
        found.append("else")
    with contextlib.suppress(KeyError), contextlib.suppress(
        OSError
    ):
        {}["x"]
        found.append("never")
    match found:
        case []:
            found.append("never")
        case [0, *others] if others:
            found.append("matched")
        case _:
            found.append("never")
    if n > 100: return None
    squares = [
        x * x if n else 0
        for x in range(3)
    ]

    @deco
    def inner(x):
        if (lambda: x)(): return rule[0](x)
        return "never"

    def uncalled():
        return "never"

    text = {"a: b": "é: ü"}; total = sum(inner(x) for x in squares if x)
    if "é" != text: total += 1; found.append(total)
    if text == "é": found.append("never")
    for f in lambda: 1, lambda: 2:
        found.append(f())
    return found
    found.append("never")
'''

PRINTED = """
def everything(n):
    found = []
    for i in range(n):
        if i == 7: …
        elif i == 1:
            continue
        else:
            found.append(i)
    else:
        found.append(-1)
    for i in []: …
    else:
        found.append(-2)
    while True:
        if n: break
    while n < -99: …
    try:
        1 / 0
    except ValueError: …
    except (
        ZeroDivisionError
    ) as error:  # told
        pass
    finally:
        found.append("finally")
    try:
        found.append("fine")
    except ValueError: …
    else:
        found.append("else")
    with contextlib.suppress(KeyError), contextlib.suppress(
        OSError
    ):
        {}["x"]
    match found:
        case []: …
        case [0, *others] if others:
            found.append("matched")
    if n > 100: …
    squares = [
        x * x if n else 0
        for x in range(3)
    ]
    @deco
    def inner(x): …
    def uncalled(): …
    text = {"a: b": "é: ü"}; total = sum(inner(x) for x in squares if x)
    if "é" != text: total += 1; found.append(total)
    if text == "é": …
    for f in lambda: 1, lambda: 2:
        found.append(f())
    return found
"""


@pytest.fixture
def printed(tmp_path):
    """Print what a function of a module runs."""

    def read(text, name, *args):
        path = tmp_path / f"written_{abs(hash(text))}.py"
        path.write_text(text, encoding="utf-8")
        namespace = {"__name__": path.stem}
        exec(compile(text, str(path), "exec"), namespace)
        watch = Watch(tmp_path)
        watch.run(namespace[name], *args)
        return {function.name: function for function in functions(watch)}

    return read


def test_every_kind_of_statement_is_printed_as_far_as_it_ran(printed):
    found = printed(MODULE, "everything", 3)
    assert list(found) == ["deco.wrapped", "everything", "deco", "everything.inner", "rule, declared"]
    assert "\n".join(found["everything"].lines.values()).strip() == PRINTED.strip()
    assert list(found["everything.inner"].lines.values()) == [
        "    def inner(x):",
        "        if (lambda: x)(): return rule[0](x)",
    ]
    assert list(found["rule, declared"].lines.values()) == ["rule = (lambda x: x + 1, lambda x: x - 1)"]
    assert found["everything"].sentence == "Do it all."
    assert found["deco.wrapped"].sentence == "Called in everything."
    assert found["everything.inner"].sentence == "Called in deco.wrapped."


@pytest.mark.parametrize("n", [0, 1, 8, 101])
def test_every_printed_line_of_another_run_is_a_line_that_ran(printed, n):
    lines = printed(MODULE, "everything", n)["everything"].lines
    text = MODULE.splitlines()
    assert all(text[number - 1].startswith(line.removesuffix(" …")) for number, line in lines.items())
    said = "\n".join(lines.values())
    assert ("if i == 7:\n            break" in said) == (n > 7)
    assert ("found.append(-1)" in said) == (n <= 7)
    assert ("if n > 100: return None" in said) == (n == 101)
    assert ("elif i == 1:" in said) == (n > 0)
    assert ("n = -1" in said) == (n == 0)


ENDLESS = """
def f(n):
    while True:
        n -= 1
        if n < 0: return n
"""


def test_a_loop_that_a_return_leaves(printed):
    assert "\n".join(printed(ENDLESS, "f", 2)["f"].lines.values()) == ENDLESS.strip()


# -- pages ---------------------------------------------------------------------------------------------


def test_the_page_says_what_the_names_stand_for(lesson):
    assert list(lesson.values) == ["x", "w", "b"]
    text = str(lesson)
    namespace = {"tg": tg}
    given = text.split("\n\n")[0].split("\n", 1)[1]
    exec("if True:\n" + given, namespace)
    assert namespace["x"].shape == namespace["w"].shape == (2, 3)
    assert namespace["b"].shape == ()
    assert all(namespace[name].requires_grad for name in "xwb")
    assert (namespace["x"] * namespace["w"] + namespace["b"]).sum().item() == lesson.result.item()


def test_values_are_given_by_name():
    ran = of_expression("x @ W + k", {"x": [1.0, 2.0], "W": [[1, 2], [3, 4]], "k": np.array([5, 6])})
    assert ran.result.tolist() == [12.0, 16.0]
    assert ran.values["k"] == "np.array([5, 6])"
    ran = what_ran(lambda a, *rest: a + rest[0], tg.Tensor(1.0), 2)
    assert ran.values == {"a": "tg.Tensor(1.0)", "rest": "(2,)"}
    assert ran.result.item() == 3.0
    assert tg.what_ran(np.exp, tg.Tensor(0.0)).result.item() == 1.0


def test_links_on_the_page_lead_to_functions_on_it(lesson):
    page = lesson.html()
    anchors = re.findall(r'<section id="(\w+)"', page)
    assert anchors == [f"f{i + 1}" for i in range(len(lesson.functions))]
    assert set(re.findall(r'href="#(\w+)"', page)) == set(anchors)
    back = names(lesson).index("backward")
    assert (back + 1,) in lesson.functions[back].calls.values()  # NumPy's errstate is between the two
    at = names(lesson).index("topological") + 1
    assert f'<a href="#f{at}">topological</a>(' in page
    assert re.sub(r"<[^>]+>", "", page).count("def ") == str(lesson).count("def ")
    assert lesson._repr_html_() == page
    markdown = lesson.markdown()
    assert set(re.findall(r"\(#(\w+)\)", markdown)) == set(re.findall(r'<a id="(\w+)">', markdown)) == set(anchors)


def test_html_code_is_the_printed_code(lesson):
    import html

    code = re.findall(r"<pre>(.*?)</pre>", lesson.html(), re.DOTALL)[1:]
    for function, said in zip(lesson.functions, code, strict=True):
        plain = html.unescape(re.sub(r"<[^>]+>", "", said)).splitlines()
        assert plain == numbered(function)


def test_a_page_in_the_checkout_links_the_files():
    page = (ROOT / "examples" / "reading_one_layer.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((\.\./[^)#]+)#L(\d+)\)", page)
    assert links
    for target, line in links:
        lines = (ROOT / "examples" / target).read_text(encoding="utf-8").splitlines()
        assert 1 <= int(line) <= len(lines)


def test_the_printed_layer_is_what_the_command_prints_today():
    """Its functions are the same; lines may have moved. If this fails, write it anew by the command in the assertion."""
    page = (ROOT / "examples" / "reading_one_layer.md").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "tinygrad_edu.reading", LAYER, "t=np.ones((2, 3))", "--backward"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    today = re.findall(r"^\d+\. (.+) · ", said, re.MULTILINE)
    assert re.findall(r"^## \d+\. `(.+)` · ", page, re.MULTILINE) == today, " ".join(command)


# -- the command line -----------------------------------------------------------------------------------


def test_the_command_prints_and_writes(tmp_path, capsys):
    assert main(["-x.sum()", "x=[1, 2]"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("What ran when you wrote -x.sum()\n    x = tg.Tensor([1., 2.], requires_grad=True)\n")
    for name in ("a.html", "a.md", "a.txt", "a.pdf"):
        assert main(["x * 2", "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 500
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["rellu(x)"], "rellu is not a function of this package; did you mean relu"),
        (["x *"], "'x *' is not an expression"),
        (["x * w", "--backward"], "write .mean() or .sum() first"),
        (["x", "y=1"], "y is given a value, but does not stand in x"),
        (["x", "1=y"], "'1=y' is not name=value, as in x=2"),
        (["x", "-o", "a.docx"], "a.docx ends in none of .html .md .pdf .txt"),
        ([], "the following arguments are required: expression"),
    ],
)
def test_the_command_says_what_is_wrong(given, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_pdf_without_matplotlib_says_what_to_install(lesson, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad-edu\[examples\]"'):
        lesson.save(tmp_path / "a.pdf")
