"""Every op that PyTorch has, beside it: values, gradients and second derivatives, on all of the op's examples."""

import numpy as np
import pytest
import torch
from agreement import assert_close
from counterparts import COUNTERPARTS

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.testing.checks.arrays import arrays_in, filled

TABLE = {**OPS, **COMPOSITES}

WITHOUT = {
    "attention", "attention_slopes",  # as a function: test_torch_attention
    "conv", "conv_transpose", "conv_weight", "unfold_windows", "fold_windows",  # as functions: test_torch_convolution
    "max_pool", "max_pool_gradient", "argmax_pool", "sum_pool", "spread_windows",  # as functions: test_torch_pooling
    "rnn", "rnn_slopes", "lstm", "lstm_slopes", "gru", "gru_slopes", "projected_lstm", "projected_lstm_slopes",  # as layers: test_torch_recurrence
    "alias", "item", "astype", "sinc_derivative", "last_written", "scatter", "from_diagonal", "expand",
    "argument", "weighed", "cut_off", "full_svd", "complete_qr",
    "class_numbers", "cofactor", "quantile_at", "probability_cross_entropy",  # parts of other ops: tested through them
    "partition", "block", "rollaxis", "delete", "choose", "select", "piecewise", "ediff1d", "cross", "flatnonzero",
    "agreed", "is_singular", "counted", "first_places", "single_places", "other_places", "common_places", "union1d", "intersect1d", "setdiff1d",
    "setxor1d", "unique", "unique_values", "unique_counts", "unique_inverse", "unique_all", "histogram",
    "histogram_bin_edges",
    # torch has none, or no such signature, or no derivative
    "eigh", "reduced_svd", "svd",  # vectors up to a sign: compared by what does not depend on it, below
}  # fmt: skip


def flatten(result):
    if isinstance(result, list | tuple):
        return [part for value in result for part in flatten(value)]
    return [result]


class Both:
    """One example of an op, computed here and by torch."""

    def __init__(self, name, example, rng):
        self.op, self.theirs = TABLE[name], COUNTERPARTS[name]
        self.args, self.settings = example.draw(rng, self.op.domains)
        self.arrays = list(arrays_in(self.args))
        self.floating = [a.dtype.kind == "f" for a in self.arrays]
        self.rng = rng

    def ours(self):
        xs = [tg.Tensor(a, requires_grad=True) if f else a for a, f in zip(self.arrays, self.floating, strict=True)]
        turn = iter(xs)
        ys = flatten(self.op(*[filled(arg, turn) for arg in self.args], **self.settings))
        return ys, [x for x in xs if isinstance(x, tg.Tensor)]

    def torchs(self):
        xs = [torch.tensor(a, requires_grad=f) for a, f in zip(self.arrays, self.floating, strict=True)]
        turn = iter(xs)
        ys = flatten(self.theirs(*[filled(arg, turn) for arg in self.args], **self.settings))
        return ys, [x for x in xs if x.requires_grad]


def numbers(y):
    if isinstance(y, tg.Tensor):
        return y.numpy()
    if y is None:
        return None
    return y.detach().numpy(force=True) if isinstance(y, torch.Tensor) else np.asarray(y)


def same(ours, theirs, what):
    __tracebackhide__ = True
    for a, b in zip(ours, theirs, strict=True):
        a, b = numbers(a), numbers(b)
        a = np.zeros_like(b) if a is None and b is not None else a
        b = np.zeros_like(a) if b is None and a is not None else b
        if a is not None:
            assert a.shape == b.shape, f"{what}: shape {a.shape} here, {b.shape} in PyTorch"
            assert_close(a, b, rtol=1e-7, atol=1e-9, err_msg=what)


def gradients(ys, xs, vs, create_graph):
    if isinstance(xs[0], tg.Tensor):
        return tg.grad(ys, xs, vs, create_graph=create_graph, allow_unused=True)
    return torch.autograd.grad(ys, xs, vs, create_graph=create_graph, allow_unused=True)


def compare(both):
    ours, xs = both.ours()
    theirs, us = both.torchs()
    n = min(len(ours), len(theirs))  # lstsq gives ranks and residuals besides
    same(ours[:n], theirs[:n], "values")
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if isinstance(a, tg.Tensor) and a.requires_grad]
    pairs = [(a, b) for a, b in pairs if b.requires_grad]
    if not pairs or not xs:
        return
    vs = [both.rng.standard_normal(a.shape) for a, _ in pairs]
    ours_v = [tg.Tensor(v, requires_grad=True) for v in vs]
    theirs_v = [torch.tensor(v, requires_grad=True) for v in vs]
    first = gradients([a for a, _ in pairs], xs, ours_v, True)
    theirs_first = gradients([b for _, b in pairs], us, theirs_v, True)
    same(first, theirs_first, "gradients")
    pairs = [(a, b) for a, b in zip(first, theirs_first, strict=True) if a is not None and b is not None]
    pairs = [(a, b) for a, b in pairs if a.requires_grad and b.requires_grad]
    if not pairs:
        return
    ws = [both.rng.standard_normal(a.shape) for a, _ in pairs]
    second = gradients([a for a, _ in pairs], [*xs, *ours_v], ws, False)
    try:
        theirs_second = gradients([b for _, b in pairs], [*us, *theirs_v], [torch.tensor(w) for w in ws], False)
    except (NotImplementedError, RuntimeError) as error:
        if "derivative" not in str(error):
            raise
        return  # torch has none of second order
    same(second, theirs_second, "second derivatives")


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_op(name, rng):
    compared = 0
    for example in TABLE[name].examples:
        both = Both(name, example, rng)
        if name.startswith("nan") or 0 not in [n for a in both.arrays for n in a.shape]:
            try:
                both.torchs()
            except NotImplementedError:
                continue
            with np.errstate(all="ignore"):
                compare(both)
            compared += 1
    assert compared


def test_every_op_has_a_counterpart_or_none():
    assert set(TABLE) - set(COUNTERPARTS) == WITHOUT & set(TABLE)
    assert not set(COUNTERPARTS) - set(TABLE)
