"""What is watched has a reading, and what has a reading is watched."""

import ast
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.engine.recording import RECORDING, recording, watched
from tinygrad_edu.program.tape import READINGS, Tape

PACKAGE = Path(tg.__file__).parent


def watched_in(path):
    """The functions of a file that are marked as watched, with the classes that they are in."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    found = []

    def look(node, inside):
        for child in ast.iter_child_nodes(node):
            name = [*inside, child.name] if isinstance(child, ast.FunctionDef | ast.ClassDef) else inside
            if any(ast.unparse(d) == "watched" for d in getattr(child, "decorator_list", ())):
                found.append((module, ".".join(name)))
            look(child, name)

    look(ast.parse(path.read_text(encoding="utf-8")), [])
    return found


def test_each_watched_function_has_a_reading_and_each_reading_a_watched_function():
    marked = Counter(name for path in PACKAGE.rglob("*.py") for name in watched_in(path))
    assert Counter((f.__module__, f.__qualname__) for f in READINGS) == marked
    assert len(marked) > 30


def test_a_watched_function_is_itself_where_nobody_watches():
    @watched
    def power(x, /, n=2, *, scale=1):
        """xⁿ."""
        return scale * x**n

    assert power(3) == 9
    assert power(3, 3, scale=2) == 54
    assert power.__doc__ == "xⁿ."
    assert power.__name__ == "power"
    with pytest.raises(TypeError, match=r"power\(\) got an unexpected keyword argument 'm'"):
        power(3, m=2)


def test_a_watcher_decides_what_a_watched_function_does():
    class Told:
        def instead(self, function, args, kwargs):
            self.called = function.__name__, args, kwargs
            return "instead"

    @watched
    def f(*args, **kwargs):
        raise AssertionError("it was run as it is written")

    watcher = Told()
    assert recording(watcher=watcher).run(f, 1, two=2) == "instead"
    assert watcher.called == ("f", (1,), {"two": 2})
    assert RECORDING.get().watcher is None


def test_a_watcher_is_told_of_leaves_and_asked_for_results():
    class Told(Tape):
        leaves, ops = 0, ()

        def made(self, leaf):
            self.leaves += 1

        def computed(self, op, y, inputs, arrays, settings):
            self.ops = *self.ops, (op.name, inputs, settings)
            return super().computed(op, y, inputs, arrays, settings)

    watcher = Told()

    def f(x):
        with tg.no_grad():
            return tg.Tensor([1.0, 2.0]) + x.sum(axis=0)

    x = tg.Tensor(np.ones((3, 2)))
    y = recording(watcher=watcher).run(f, x)
    assert watcher.leaves == 1
    (first, _, settings), (second, (leaf, _), _) = watcher.ops
    assert (first, settings["axis"], second) == ("sum", 0, "add")
    assert y.inputs[0] is leaf
    assert y.op.name == "add"
    assert y.is_leaf  # to the one who computed it under no_grad


def test_a_leaf_to_the_caller_gets_the_gradient_though_what_it_was_computed_from_wants_one_later():
    w = tg.Tensor([1.0, 2.0], name="w")

    def f():
        y = (w * 3.0).requires_grad_()
        w.requires_grad_()
        (y * y).sum().backward()
        slope = y.grad
        w.requires_grad_(False)
        return slope, w.grad

    eager = f()
    assert [x if x is None else x.tolist() for x in eager] == [[6.0, 12.0], None]
    replayed = tg.replay(f)
    for _ in range(2):
        slope, none = replayed()
        assert slope.tolist() == [6.0, 12.0]
        assert none is None
