"""The order of a graph and the walk back through it, long and wide graphs among them."""

import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.graphs import twice_and_minus_thrice
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine import graph
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.differentiate import differentiate
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.graph import Way, topological, unbroadcast
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.engine.transforms import jvp
from tinygrad_edu.testing import check_op

# ---------------------------------------------------------------------------------------------------
# Order


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_every_node_comes_after_its_inputs_and_once(edges):
    nodes = [leaf(1.0), leaf(2.0)]
    for i, j in edges:
        nodes.append(nodes[i % len(nodes)] + nodes[j % len(nodes)])
    order = topological([nodes[-1]])
    place = {id(node): k for k, node in enumerate(order)}
    assert len(place) == len(order)
    for node in order:
        assert all(place[id(x)] < place[id(node)] for x in node.inputs)


def test_constants_are_in_the_order_only_when_asked_for():
    x, c = leaf(1.0), Tensor([2.0])
    y = x * c
    assert [n is c for n in topological([y])] == [False, False]
    assert any(n is c for n in topological([y], through_constants=True))
    assert [n is y for n in topological([y], leaves=False)] == [True]


def test_leaves_of_equal_value_are_different_leaves():
    a, b = leaf(1.0), leaf(1.0)
    (a * 2 + b * 3).sum().backward()
    assert (a.grad.item(), b.grad.item()) == (2.0, 3.0)
    assert grad((a * b).sum() * 2 + a.sum(), [a, b])[0].item() == 3.0


@given(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=4), st.data())
def test_unbroadcasting_is_the_transpose_of_broadcasting(kinds, data):
    shape = tuple(data.draw(st.integers(0, 3)) if k else 1 for k in kinds)
    full = tuple(data.draw(st.integers(0, 3)) if n == 1 else n for n in shape)
    full = tuple(data.draw(st.lists(st.integers(0, 3), max_size=2))) + full
    rng = np.random.default_rng(0)
    x, g = rng.integers(-5, 5, shape).astype(float), rng.integers(-5, 5, full).astype(float)
    back = unbroadcast(g, shape)
    assert back.shape == shape
    assert np.vdot(back, x) == np.vdot(g, np.broadcast_to(x, full))


# ---------------------------------------------------------------------------------------------------
# The walk


ALONE = """
import importlib.util, sys, types

for name in ("tinygrad_edu", "tinygrad_edu.engine"):
    sys.modules[name] = types.ModuleType(name)  # empty: of it, nothing but these pages can be imported
for page in ("registry", "node", "graph"):
    name = f"tinygrad_edu.engine.{page}"
    spec = importlib.util.spec_from_file_location(name, f"{sys.argv[1]}/{page}.py")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])

import numpy as np
from tinygrad_edu.engine.graph import topological, unbroadcast, walk

times = types.SimpleNamespace(
    name="times", outputs=None, broadcasts=True, selects=False, by_result=False,
    rules=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
)

class StandIn:
    attached = cell = None
    needs_grad = True
    settings = {}
    def __init__(self, array, op=None, inputs=(), made_at=0):
        self.ndarray, self.op, self.inputs, self.made_at = np.asarray(array), op, inputs, made_at
        self.shape, self.ndim, self.dtype = self.ndarray.shape, self.ndarray.ndim, self.ndarray.dtype

x, w = StandIn(np.ones((4, 3))), StandIn(np.array([1.0, 2.0, 3.0]))
y = StandIn(x.ndarray * w.ndarray, times, (x, w), 1)
z = StandIn(y.ndarray * y.ndarray, times, (y, y), 2)
totals = {z: np.ones((4, 3))}
walk(topological([z]), totals)
print(totals[w].tolist(), totals[x][0].tolist(), unbroadcast(np.ones((4, 3)), (3,)).tolist())
"""


def test_the_pages_of_the_graph_walk_stand_ins_and_need_no_other():
    pages = Path(graph.__file__).parent
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(pages)], capture_output=True, text=True, check=True, cwd=pages
    )
    assert ran.stdout.strip() == "[8.0, 16.0, 24.0] [2.0, 8.0, 18.0] [4.0, 4.0, 4.0]"


def test_each_use_is_visited_once_with_its_contribution():
    a, b = Tensor(3.0, requires_grad=True, name="a"), Tensor(5.0, requires_grad=True, name="b")
    y = a * b + a
    seen = []
    totals = {y: np.array(1.0)}
    differentiate(
        topological([y]), totals, Way(lambda node, i, g: seen.append((node.op.name, node.inputs[i].name, float(g))))
    )
    assert seen == [("add", None, 1.0), ("add", "a", 1.0), ("multiply", "a", 5.0), ("multiply", "b", 3.0)]
    assert {x.name: float(g) for x, g in totals.items()} == {"a": 6.0, "b": 3.0}


def test_a_square_written_as_a_product_is_visited_twice():
    x = Tensor(3.0, requires_grad=True)
    seen = []
    y = x * x
    differentiate(topological([y]), {y: np.array(1.0)}, Way(lambda node, i, g: seen.append((i, float(g)))))
    assert seen == [(0, 3.0), (1, 3.0)]


def test_a_contribution_has_the_shape_of_its_input():
    w, b = Tensor(np.ones((2, 3)), requires_grad=True), leaf(1.0, 2.0, 3.0)
    y = w * 2 + b
    shapes = []
    differentiate(
        topological([y]), {y: np.ones((2, 3))}, Way(lambda node, i, g: shapes.append((node.op.name, i, g.shape)))
    )
    assert shapes == [("add", 0, (2, 3)), ("add", 1, (3,)), ("multiply", 0, (2, 3))]


def test_inputs_that_need_no_gradient_cost_no_rule():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, a, b: calls.append(0) or g * b, lambda g, y, a, b: calls.append(1) or g * a))
    def product(a, b):
        return a * b

    x = leaf(1.0)
    product(x, Tensor([2.0])).sum().backward()
    product(np.ones(1), x).sum().backward()
    assert calls == [0, 1]
    grad(product(x, x * 2).sum(), x)
    assert calls == [0, 1, 0, 1]


def test_a_gradient_asked_for_runs_only_the_rules_on_its_path():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, x: calls.append(1) or g,))
    def costly(x):
        return x + 0

    a, b = leaf(1.0), leaf(2.0)
    y = costly(a) * b
    assert grad(y.sum(), b).item() == 1.0
    assert calls == []
    assert grad(y.sum(), a).item() == 2.0
    assert calls == [1]


def test_a_shared_result_runs_its_rule_once():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, x: calls.append(1) or g,))
    def shared(x):
        return x + 0

    x = leaf(1.0)
    h = shared(x)
    (h + h * 2 + np.exp(h) + h).sum().backward()
    assert calls == [1]


# ---------------------------------------------------------------------------------------------------
# Long and wide graphs


def chain(x, n):
    for _ in range(n):
        x = x + 1.0
    return x


def test_a_chain_of_two_hundred_thousand_operations():
    x = Tensor(0.0, requires_grad=True)
    y = chain(x, 200_000)
    assert y.item() == 200_000
    y.backward()
    assert x.grad.item() == 1.0
    assert len(repr(y)) < 100
    assert float(evaluate(y, {x: 5.0})) == 200_005.0
    y.backward(retain_graph=False)
    assert x.grad.item() == 2.0


def test_a_long_chain_is_freed_without_the_collector(no_collector):
    x = Tensor(0.0, requires_grad=True)
    y = chain(x, 100_000)
    first = weakref.ref(y.inputs[0])
    del y
    assert first() is None


def test_no_walk_recurses():
    x = Tensor(0.5, requires_grad=True)
    y = x
    for _ in range(400):
        y = np.sin(y) * 1.5
    depth = 0
    frame = sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 70)
    try:
        dx = grad(y, x, create_graph=True)
        ddx = grad(dx, x)
        evaluate(dx, {x: 0.1})
        y.backward()
        dx.backward()
        repr(y)
        y.detach()
        z = y.clone()
        del y, dx, ddx
        z.backward(retain_graph=False)
        del z
    finally:
        sys.setrecursionlimit(limit)


def test_time_grows_as_the_length_of_a_chain():
    def seconds(n):
        x = Tensor(0.0, requires_grad=True)
        start = time.thread_time()  # of this thread alone: what else the machine does is not counted
        chain(x, n).backward()
        return time.thread_time() - start

    short = min(seconds(2_000) for _ in range(5))
    assert seconds(40_000) < 20 * 5 * short  # 20 times the length; quadratic would be 400


def diamonds(x, n):
    for _ in range(n):
        x = x + x
    return x


def test_sixty_stacked_diamonds_finish_at_once():
    x = Tensor(1.0, requires_grad=True)
    y = diamonds(x, 60)
    y.backward()
    assert x.grad.item() == 2.0**60
    assert grad(y, x, create_graph=True).item() == 2.0**60
    assert float(evaluate(y, {x: 3.0})) == 3.0 * 2**60
    assert len(topological([y])) == 61
    assert jvp(lambda t: diamonds(t, 60), 1.0, 1.0)[1].item() == 2.0**60


def test_second_derivative_of_stacked_diamonds():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(5):
        y = y * y * 1.0 + y * 0.0
    dx = grad(y, x, create_graph=True)  # y = x³²
    assert dx.item() == 32.0
    assert grad(dx, x).item() == 32.0 * 31.0


def test_diamonds_of_operations_with_several_outputs():
    x = leaf(1.0)
    y = x
    for _ in range(40):
        a, b = twice_and_minus_thrice(y)
        y = a + b * 0.5
    y.sum().backward()
    assert x.grad.tolist() == [0.5**40]


def test_one_computation_of_all_gradients_runs_once_a_walk():
    """A `Joint` rule is computed for the first input, and its gradients are handed to the others; nothing is kept of it."""
    runs = []

    def rule(g, y, a, b):
        runs.append(g)
        return g[0] * b, g[0] * a

    @op(vjp=Joint(rule, 2), outputs=1, arity=2, examples=[example((2,), (2,))])
    def product_and_sum(a, b):
        """y = a·b; and a + b, for the rule."""
        return a * b, a + b

    a, b = [Tensor([k, 2.0 * k], requires_grad=True) for k in (1.0, 3.0)]
    (product_and_sum(a, b) + product_and_sum(b, a)).sum().backward()
    assert len(runs) == 2  # once for each node
    assert a.grad.tolist() == [6.0, 12.0]
    assert b.grad.tolist() == [2.0, 4.0]
    none = runs[0][1]  # what came back to the second result: 0 in its shape, without memory
    assert none.shape == (2,)
    assert none.strides == (0,)
    held = weakref.ref(runs[0][0])
    del runs[:], none, a, b
    assert held() is None
    assert check_op(product_and_sum).checked
