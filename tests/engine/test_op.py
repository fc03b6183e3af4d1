"""An op explains itself: its parameters, its declaration, its page; and so do methods."""

import importlib
import inspect
import linecache
import pickle
import pydoc
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.engine.op import Op
from tinygrad_edu.engine.registry import COMPOSITES, OPS

EXPLAINED = {**{name: op for name, op in OPS.items() if op.__module__.startswith("tinygrad_edu.")}, **COMPOSITES}


def _help(thing):
    return pydoc.render_doc(thing, renderer=pydoc.plaintext)


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_op_explains_itself(name):
    """Its signature takes its first example, its source is its declaration with the rules, and `help` shows both."""
    op = EXPLAINED[name]
    signature = inspect.signature(op)
    assert not {"out", "scratch"} & set(signature.parameters) or name in COMPOSITES
    for drawn in op.examples:
        signature.bind(*drawn.args, **drawn.settings)
    source = inspect.getsource(op)
    assert re.search(rf"\b{op.name}\b", source)
    assert inspect.getsourcelines(op)[0] == source.splitlines(keepends=True)
    head, _, text = _help(op).partition("\n\n")
    assert op.__module__ in head
    assert [*re.findall(r"\w+", text.partition("(")[0])] == [op.__name__]
    assert all(parameter in text for parameter in signature.parameters)
    assert (op.__doc__ or "").split("\n")[0] in text
    if isinstance(op, Op):
        assert "vjp=" in source or op.vjp is None or isinstance(op.forward, np.ufunc)
        for rule in op.vjp if isinstance(op.vjp, tuple) else [op.vjp]:
            if inspect.isfunction(rule) and rule.__name__ == "<lambda>" and rule.__module__ == op.__module__:
                assert inspect.getsource(rule).strip().split("\n")[0] in source


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.__module__.startswith("tinygrad_edu.")])
def test_the_source_of_an_op_is_where_it_is_declared(name):
    """Its text stands in its file, at the line that is told."""
    op = OPS[name]
    file = Path(sys.modules[op.__module__].__file__)
    lines, first = inspect.getsourcelines(op)
    told = inspect.getsourcefile(inspect.unwrap(op))
    if told != str(file):  # of what no `def` declares, the first line tells where
        assert lines[0] == f"# {told}\n"
        first = int(told.removeprefix(f"{file}:"))
        lines = [*"".join(lines[1:]).split("\n\n\ndef ")[0].rstrip().splitlines(keepends=True), "\n"]
    page = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert "".join(page[first - 1 :]).startswith("".join(lines).rstrip())


def test_a_page_that_was_forgotten_is_made_again():
    linecache.clearcache()
    assert "np.exp" in inspect.getsource(tg.exp)
    linecache.checkcache()
    assert "np.exp" in inspect.getsource(tg.exp)


def test_the_class_explains_itself_not_an_op():
    assert list(inspect.signature(Op).parameters)[:3] == ["forward", "name", "symbol"]
    assert inspect.getsource(Op).startswith("class Op:")
    assert not hasattr(Op, "__wrapped__")


def test_the_branches_of_where_may_be_left_out_as_its_signature_says():
    assert inspect.signature(tg.where).bind([True]).arguments == {"condition": [True]}
    assert tg.where(tg.Tensor([0.0, 2.0]))[0].tolist() == [1]


def test_what_is_looked_up_computes_the_same():
    x = np.array([[1.0, -2.0]])
    assert np.array_equal(inspect.unwrap(tg.exp)(x), np.exp(x))
    assert np.array_equal(inspect.unwrap(tg.relu)(x), tg.relu(x))


def test_an_op_is_itself_as_an_attribute_of_a_class():
    class Layer:
        activation = tg.relu

    assert Layer.activation is tg.relu
    assert Layer().activation is tg.relu


def test_an_op_of_ones_own_explains_itself(tmp_path, monkeypatch):
    """Declared by a decorator, by a call, inside a function, of a NumPy function or of a lambda; and where no text is kept."""
    (tmp_path / "own_page.py").write_text(
        "import numpy as np\nfrom tinygrad_edu.op import Op, op\n\n"
        "@op(vjp=(lambda g, y, x: 3 * g,))\ndef triple(x):\n    return 3 * x\n\n"
        "sine = Op(np.sin, vjp=(\n    lambda g, y, x: g * np.cos(x),\n))\n"
        "jump = Op(np.floor)\n"
        "def make(k):\n    by_k = Op(lambda x: k * x, name='by_k', vjp=(lambda g, y, x: k * g,))\n    return by_k\n"
        "double = make(2)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    page = importlib.import_module("own_page")
    assert inspect.getsource(page.triple).startswith("@op(vjp=(lambda g, y, x: 3 * g,))\ndef triple(x):")
    assert inspect.getsourcelines(page.triple)[1] == 4
    at = tmp_path / "own_page.py"
    sine = f"# {at}:8\nsine = Op(np.sin, vjp=(\n    lambda g, y, x: g * np.cos(x),\n))\n"
    assert inspect.getsource(page.sine) == sine
    assert inspect.getsource(page.jump).startswith(f"# {at}:11\njump = Op(np.floor)\n")
    assert inspect.getsource(page.double).split("\n")[1].startswith("by_k = Op(lambda x: k * x")
    assert pickle.loads(pickle.dumps(page.sine)) is page.sine
    assert [str(inspect.signature(f)) for f in (page.triple, page.sine, page.double)] == ["(x)", "(x, /)", "(x)"]
    unseen = {}
    exec("import numpy as np\nfrom tinygrad_edu.op import Op\nf = Op(np.sin)", unseen)
    with pytest.raises(TypeError, match="got Op"):
        inspect.getsource(unseen["f"])
    assert "f(x, /)" in _help(unseen["f"]).replace("sin(", "f(")


def test_a_page_that_was_written_anew_is_read_anew(tmp_path, monkeypatch):
    page = tmp_path / "page_of_changes.py"
    page.write_text("import numpy as np\nfrom tinygrad_edu.op import Op\nf = Op(np.sin, vjp=(lambda g, y, x: g,))\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("page_of_changes")
    assert ":3\n" in inspect.getsource(module.f)
    page.write_text("# a line more\nimport numpy as np\nfrom tinygrad_edu.op import Op\n\nf = Op(np.cos)\n")
    module = importlib.reload(module)
    assert ":5\nf = Op(np.cos)\n" in inspect.getsource(module.f)


def test_a_signature_leaves_out_types_that_say_nothing():
    assert str(inspect.signature(tg.sum)) == "(x, axis: 'Axis' = None, *, keepdims: 'bool' = False)"
    assert str(inspect.signature(tg.matmul)) == "(a, b, /)"


METHODS = [
    name for name in dir(tg.Tensor) if name[0] != "_" and inspect.isfunction(inspect.getattr_static(tg.Tensor, name))
]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_explains_itself(name):
    method = getattr(tg.Tensor, name)
    text = inspect.getdoc(method)
    assert text
    assert len(text) > 20
    assert all(parameter in _help(method) for parameter in inspect.signature(method).parameters)
    for told in re.findall(r"See `tg\.(\w+)`", text):
        assert " ".join(inspect.getdoc(getattr(tg, told)).split()).startswith(text.partition(" See")[0].rstrip("."))


def test_the_text_of_a_method_is_that_of_its_op():
    assert inspect.getdoc(tg.Tensor.sum).startswith("y = Σ x, over all axes or some.")
    assert "sum(self, axis: 'Axis' = None" in _help(tg.Tensor.sum)
    assert ">>>" not in tg.Tensor.sum.__doc__
