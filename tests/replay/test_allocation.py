"""A replayed step makes no arrays but those that it returns: every op that takes `out` writes there and makes none on its
way, and whole steps of training, from layers to optimizers, hold to it too."""

from __future__ import annotations

import contextvars
import gc
import itertools
import tracemalloc
from functools import partial

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.measuring import kept_bytes
from tinygrad_edu import nn, optim
from tinygrad_edu.engine.example import Drawn, Example, Fixed
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.nn import functional as F
from tinygrad_edu.program import replay

TABLE = {name: op for name, op in OPS.items() if name not in ("item", "alias", "full_svd", "complete_qr")}

FRESH = {
    **dict.fromkeys(["getitem"], "np.take with out= copies it first; a mask gives shapes that depend on values"),
    **dict.fromkeys(["sort", "argsort", "partition", "argwhere", "last_written"], "NumPy gives places in new arrays"),
    **dict.fromkeys(["first_places", "single_places", "other_places", "common_places"], "as many as values say"),
    **dict.fromkeys(["flatnonzero", "counted"], "as many as values say, or NumPy's own counts"),
    **dict.fromkeys(["p_norm", "power_log"], "needs several arrays on the way"),
    **dict.fromkeys(
        ["det", "slogdet", "inv", "solve", "cholesky", "is_singular"], "LAPACK, which NumPy calls on copies"
    ),
    **dict.fromkeys(["pinv", "eigh", "reduced_svd", "reduced_qr", "cofactor"], "LAPACK"),
    **dict.fromkeys(["median", "nanmedian", "quantile_at"], "NumPy sorts a copy"),
    **dict.fromkeys(["cut_off"], "zeros, made only where a gradient takes a limit"),
    **dict.fromkeys(["nanargmax", "nanargmin", "count_nonzero", "isclose", "cross"], "NumPy's are made of others"),
    **dict.fromkeys(["isnan", "isinf", "isfinite", "signbit"], "NumPy is wrong where out has gaps"),
    **dict.fromkeys(["argmax", "argmin"], "NumPy turns the axis to the end, in a copy"),
    "argmax_pool": "truths and numbers for each dimension",
    **dict.fromkeys(["sinc", "sinc_derivative", "tensordot"], "needs several arrays on the way"),
}
"""Ops whose results are new arrays in every run, and why."""

HELD = {
    "elu": (1, "for α > 1 a mask"),
    "nan_to_num": (4, "masks for NaN, ∞ and −∞"),
    "class_numbers": (4, "masks for what is left out, and what is wrong"),
    "constant_power": (8, "1/x, for negative powers that are no powers of two"),
    "logsumexp": (24, "over no axes, where the sums are as many as the numbers"),
    "einsum": (32, "large sums go to the linear algebra library, by way of arrays that suit it"),
    "scatter": (16, "places of the single numbers"),
    **dict.fromkeys(["rnn", "rnn_slopes"], (8, "a view for each step, which counts where states are single numbers")),
    "projected_lstm": (1, "the sums of one step"),
    **dict.fromkeys(
        ["lstm_slopes", "gru_slopes", "projected_lstm_slopes"],
        (20, "what came back to the gates, in derivatives of higher order"),
    ),
}
"""Ops that make an array on their way in some of their cases: the bytes for each number of the largest, and what for."""

UNBOUNDED = {
    "scatter_add": "its values are repeated along the index",
    **dict.fromkeys(["conv", "conv_transpose", "conv_weight"], "a block of patches at a time, of a megabyte or so"),
    **dict.fromkeys(["max_pool", "max_pool_gradient", "sum_pool", "spread_windows"], "a block of images on the way"),
}
"""Ops that make arrays on their way whose size does not follow from that of the largest, and why."""


def drawn(args):
    """The arrays among an example's arguments."""
    for arg in args:
        if isinstance(arg, list):
            yield from drawn(arg)
        elif isinstance(arg, np.ndarray):
            yield arg


def grown(example, arrays, size):
    """The example with arrays of about so many numbers: each length n > 1 is made k·n, so that what fitted still fits."""
    settings = dict(example.settings)
    shape = settings.get("shape", ())
    axes, longest = max(sum(n > 1 for n in x.shape) for x in arrays), max(x.size for x in arrays)
    k = max(1, round((size / longest) ** (1 / axes))) if axes and longest else 1

    def more(shape):
        return tuple([n * k if n > 1 else n for n in shape])

    def larger(arg):
        if isinstance(arg, np.ndarray):
            for axis, n in enumerate(arg.shape):
                arg = arg if n == 1 else np.repeat(arg, k, axis)
        if isinstance(arg, Drawn):
            return Drawn(more(arg.shape), arg.domain)
        if isinstance(arg, Fixed):
            return Fixed(larger(arg.value)) if isinstance(arg.value, np.ndarray) else arg
        if isinstance(arg, list):
            return [larger(part) for part in arg]
        return more(arg) if isinstance(arg, tuple) else arg

    if isinstance(shape, tuple) and shape:
        settings["shape"] = more(shape)
    return Example(tuple([larger(arg) for arg in example.args]), settings)


def node_of(op, example, dtype):
    """The op, recorded on the example's arrays: its inputs, settings and result; None where the arrays do not fit."""
    args, settings = example.draw(np.random.default_rng(0), op.domains)

    def tensor(arg):
        if isinstance(arg, list):
            return [tensor(part) for part in arg]
        return tg.Tensor(arg.astype(dtype) if arg.dtype.kind == "f" else arg) if isinstance(arg, np.ndarray) else arg

    try:
        with tracing():
            result = op(*map(tensor, args), **settings)
    except (ValueError, IndexError, TypeError, np.linalg.LinAlgError):
        return None
    y = result[0] if isinstance(result, tuple) else result
    while y.op is not op and y.inputs:
        y = y.inputs[0]
    return y if y.op is op else None


def calls(op, size=12_800):
    """The inputs, the settings and the results of the op, for each of its examples, as large as they fit."""
    for example, dtype in itertools.product(op.examples, ("float64", "float32")):
        node = node_of(op, example, dtype)
        if node is not None:
            arrays = [*parts(node), *drawn(example.draw(np.random.default_rng(0), op.domains)[0])]
            large = node_of(op, grown(example, arrays, size), dtype)  # none where lengths do not fit one another
            node = node if large is None else large
            yield [x.ndarray for x in node.inputs], node.settings, parts(node), isinstance(node.ndarray, tuple)


def parts(node):
    """The arrays of its results."""
    return list(node.ndarray) if isinstance(node.ndarray, tuple) else [node.ndarray]


def places(op, arrays, results, several, spread=False):
    """Arrays of sevens for `out`, and for `scratch` where the op takes it; spread: with gaps between their numbers."""

    def gaps(y):
        return np.full([2 * n for n in y.shape], 7, y.dtype)[(..., *[slice(None, None, 2)] * y.ndim)]

    out = [gaps(y) if spread else np.full_like(y, 7) for y in results]  # in memory as the results are
    given = {"out": tuple(out) if several else out[0]}
    if op.takes_scratch:
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
        given["scratch"] = np.full(shape, 7, results[0].dtype)
    return out, given


def in_a_replay(f):
    """Call f as a replay does: without warnings, and with small buffers for NumPy to convert in."""

    def run():
        np.seterr(all="ignore")
        np.setbufsize(1024)
        return f()

    return contextvars.copy_context().run(run)


def peak_of(f):
    """How many bytes more than before are held at a time while f runs for the third time, or the fourth: what another
    thread allocates meanwhile is there once.
    """
    f()
    gc.disable()
    tracemalloc.start()
    try:
        f()
        found = []
        for _ in range(2):
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            f()
            found.append(tracemalloc.get_traced_memory()[1] - before)
        return min(found)
    finally:
        tracemalloc.stop()
        gc.enable()


TAKES_OUT = [name for name, op in TABLE.items() if op.takes_out]


def test_what_takes_no_out_is_known():
    assert {name for name, op in TABLE.items() if not (op.takes_out or op.view)} == FRESH.keys() - {"getitem"}


@pytest.mark.parametrize("name", TAKES_OUT)
def test_numbers_are_the_same_bit_for_bit_where_out_says(name):
    op, tried = OPS[name], 0
    for arrays, settings, results, several in in_a_replay(lambda: list(calls(op, 600))):
        for spread in (False, True)[: 1 if several else 2]:
            out, given = places(op, arrays, results, several, spread)
            in_a_replay(partial(op.forward, *arrays, **settings, **given))
            for y, expected in zip(out, results, strict=True):
                assert y.tobytes() == np.ascontiguousarray(expected).tobytes(), (settings, spread)
                tried += 1
    assert tried


@pytest.mark.parametrize("name", [name for name in TAKES_OUT if name not in UNBOUNDED])
def test_no_array_is_made_on_the_way(name):
    op = OPS[name]
    for arrays, settings, results, several in in_a_replay(lambda: list(calls(op))):
        _, given = places(op, arrays, results, several)
        call = partial(op.forward, *arrays, **settings, **given)
        largest = max(x.size for x in (*arrays, *results))
        allowed = 20_000 + largest * HELD.get(name, (0,))[0]
        found = in_a_replay(partial(peak_of, call))
        assert found < allowed, (settings, [x.shape for x in arrays], results[0].dtype)


ODD = {
    "f": [[np.nan, np.inf, -np.inf, 0.0, -1e30, 7.0], [2.0], [-1.0], [np.nan]],
    "i": [[-99], [99], [0]],
    "b": [[True, False], [False]],
}
"""Values of each kind, that an op may not like."""


def strange(op):
    """Whether the op raises on some arrays of its examples' shapes; on the way it runs on all of them."""
    raised = []
    for arrays, settings, _, _ in calls(op, 1):
        for turn in range(4):
            values = [ODD.get(x.dtype.kind, ODD["i"])[turn % len(ODD.get(x.dtype.kind, ODD["i"]))] for x in arrays]
            given = [np.resize(v, x.shape).astype(x.dtype) for v, x in zip(values, arrays, strict=True)]
            try:
                op.forward(*given, **settings)
            except Exception as error:
                raised.append(error)
    return raised


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in TABLE if name != "power"])  # of integers: the plan looks at that
def test_what_raises_over_values_is_declared(name):
    op = OPS[name]
    raised = in_a_replay(lambda: strange(op))
    if not op.may_raise:
        assert not raised
    elif op.takes_out:
        assert raised, "it is declared to judge values, but takes them all"


# ---------------------------------------------------------------------------------------------------
# Whole steps


def network(widths, *between, last=()):
    layers = []
    for n, m in itertools.pairwise(widths):
        layers += [nn.Linear(n, m), *[make(m) for make in between]]
    return nn.Sequential(*layers[: len(layers) - len(between)], *last)


def activation(kind, *args):
    return lambda n: kind(*args)


RULES = [
    optim.AdamW, optim.RMSprop, optim.AdaGrad, optim.Momentum, optim.Adadelta, optim.NAdam, optim.RAdam, optim.Adamax, optim.Lion,
    optim.Rprop, optim.ASGD,
]  # fmt: skip

STEPS = {
    "784-50-10": lambda: (network((784, 50, 10), activation(nn.ReLU)), optim.SGD, F.cross_entropy),
    "batch norm, dropout, Adam": lambda: (
        network((100,) * 8, nn.BatchNorm1d, activation(nn.ReLU), activation(nn.Dropout, 0.2)),
        optim.Adam,
        F.cross_entropy,
    ),
    "Softmax": lambda: (network((100,) * 3, activation(nn.Softmax)), optim.SGD, F.mse_loss),
    "GELU tanh": lambda: (network((100,) * 3, activation(nn.GELU, "tanh")), optim.SGD, F.mse_loss),
    "log-likelihood": lambda: (network((100,) * 3, nn.BatchNorm1d, last=[nn.LogSoftmax()]), optim.SGD, F.nll_loss),
    "binary": lambda: (
        network((100,) * 3, activation(nn.Tanh), last=[nn.Sigmoid()]),
        optim.SGD,
        F.binary_cross_entropy,
    ),
    **{
        kind.__name__: lambda kind=kind: (network((100,) * 3, activation(kind)), optim.SGD, F.mse_loss)
        for kind in (nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.LogSigmoid, nn.LogSoftmax, nn.Sigmoid)
    },
    **{
        loss.__name__: lambda loss=loss: (network((100,) * 3, activation(nn.Tanh)), optim.SGD, loss)
        for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits)
    },
    **{kind.__name__: lambda kind=kind: (network((100,) * 3, activation(nn.Tanh)), kind, F.mse_loss) for kind in RULES},
}


def training(name):
    """A replayed step and its arguments, 100 examples of 100 numbers or more."""
    tg.manual_seed(0)
    model, kind, loss_of = STEPS[name]()
    optimizer = kind(model.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    n, m = model[0].weight.shape[0], [layer for layer in model if isinstance(layer, nn.Linear)][-1].weight.shape[1]
    x = rng.standard_normal((100, n)).astype(np.float32)
    classes = loss_of in (F.cross_entropy, F.nll_loss)
    y = rng.integers(0, m, 100) if classes else rng.random((100, m)).astype(np.float32)

    @replay
    def step(x, y):
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, x, y


@pytest.mark.parametrize("name", STEPS)
def test_a_replayed_step_makes_no_arrays(name):
    """12 KB at most at a time, less than a third of a matrix: a few vectors, and NumPy's buffers; and none for long."""
    step, x, y = training(name)
    for _ in range(3):
        step(x, y)
    assert peak_of(lambda: step(x, y)) < 12_000
    assert kept_bytes(lambda: step(x, y), times=20) < 400  # an object kept a step would be 480 or more


def test_a_replayed_step_of_attention_makes_no_weights():
    """Views, a column of sums a head, and NumPy's buffers; the weights of all heads are 160 KB."""
    STEPS["attention"] = lambda: (
        network((100,) * 3, lambda n: nn.TransformerEncoderLayer(n, 4, 100, 0.1, "gelu")),
        optim.AdamW,
        F.mse_loss,
    )
    try:
        step, x, y = training("attention")
    finally:
        del STEPS["attention"]
    for _ in range(3):
        step(x, y)
    assert peak_of(lambda: step(x, y)) < 24_000


def test_what_is_returned_is_all_that_is_new():
    tg.manual_seed(0)
    model = network((100,) * 3, activation(nn.GELU))
    run, x = replay(lambda x: model(x)), np.ones((100, 100), np.float32)
    for _ in range(3):
        run(x)
    assert 40_000 < peak_of(lambda: run(x)) < 50_000
