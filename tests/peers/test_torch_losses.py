"""Losses beside PyTorch's: as functions and as modules, with every option and reduction; values, gradients of all inputs,
and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

pytestmark = pytest.mark.peers

RNG = np.random.default_rng(0)
X, Z = RNG.standard_normal((2, 6, 4)) * 2
ROW, IMAGES = X[0], RNG.standard_normal((2, 4, 3, 5))
P, Q = F.softmax(RNG.standard_normal((2, 6, 4)))
CERTAIN = np.eye(4)[[0, 3, 2, 2, 1, 0]]
NUMBERS, LEFT_OUT = np.array([0, 3, 3, 2, 1, 1]), np.array([0, 3, -100, 2, 1, 1])
PLACES = RNG.integers(4, size=(2, 3, 5))
BITS, SIGNS = (X * Z > 0).astype(float), np.where(X - Z > 0.3, 1, -1)
COUNTS, SPREAD = RNG.poisson(2.0, (6, 4)), RNG.uniform(0.1, 2, (6, 4))
WEIGHT, EACH = RNG.uniform(0.5, 2, 4), RNG.uniform(0.5, 2, (6, 4))
W, C = {"weight": WEIGHT}, {"pos_weight": WEIGHT}

LOSSES = [
    # function, module, inputs, options; both libraries call all alike
    ("mse_loss", "MSELoss", [X, Z], {}),
    ("l1_loss", "L1Loss", [X, Z], {}),
    ("huber_loss", "HuberLoss", [X, Z], {}),
    ("huber_loss", "HuberLoss", [X, Z], {"delta": 0.4}),
    ("smooth_l1_loss", "SmoothL1Loss", [X, Z], {}),
    ("smooth_l1_loss", "SmoothL1Loss", [X, Z], {"beta": 0.4}),
    ("smooth_l1_loss", "SmoothL1Loss", [X, Z], {"beta": 0.0}),
    ("poisson_nll_loss", "PoissonNLLLoss", [X, COUNTS * 1.0], {}),
    ("poisson_nll_loss", "PoissonNLLLoss", [X, SPREAD * 2], {"full": True}),
    ("poisson_nll_loss", "PoissonNLLLoss", [SPREAD, COUNTS * 1.0], {"log_input": False, "eps": 0.01}),
    ("gaussian_nll_loss", "GaussianNLLLoss", [X, Z, SPREAD], {}),
    ("gaussian_nll_loss", "GaussianNLLLoss", [X, Z, SPREAD[:, :1]], {"full": True}),
    ("gaussian_nll_loss", "GaussianNLLLoss", [X, Z, SPREAD[:, 0]], {"eps": 0.5}),
    *[("cross_entropy", "CrossEntropyLoss", [x, t], {**w, **o}) for w in ({}, W) for x, t, several in [
        (X, NUMBERS, [{}, {"label_smoothing": 0.1}, {"ignore_index": 1}, {"ignore_index": 3, "label_smoothing": 0.2}]),
        (X, LEFT_OUT, [{}, {"label_smoothing": 0.1}]), (X, P, [{}, {"label_smoothing": 0.1}]), (X, CERTAIN, [{}]),
        (IMAGES, PLACES, [{}, {"label_smoothing": 0.1}, {"ignore_index": 2}]), (ROW, np.array(3), [{}]), (ROW, P[0], [{}]),
    ] for o in several],
    *[("nll_loss", "NLLLoss", [x, t], o) for x, t, several in [
        (X, LEFT_OUT, [{}, W]), (X, NUMBERS, [{"ignore_index": 1}, {"ignore_index": 1, **W}]),
        (IMAGES, PLACES, [{}, W, {"ignore_index": 2}]), (IMAGES[:, :, 0], PLACES[:, 0], [W]), (ROW, np.array(2), [{}]),
    ] for o in several],
    *[("binary_cross_entropy", "BCELoss", [P, t], w) for t in (Q, BITS) for w in ({}, W, {"weight": EACH})],
    *[("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", [X, t], w) for t in (P, BITS)
      for w in ({}, W, C, {"weight": EACH, **C}, {"pos_weight": np.array(3.0)})],
    ("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", [X, BITS], {}),
    ("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", [X, BITS], W),
    ("kl_div", "KLDivLoss", [np.log(P), Q], {}),
    ("kl_div", "KLDivLoss", [np.log(P), Q], {"reduction": "batchmean"}),
    ("kl_div", "KLDivLoss", [np.log(P), np.log(Q)], {"log_target": True}),
    ("soft_margin_loss", "SoftMarginLoss", [X, SIGNS], {}),
    ("hinge_embedding_loss", "HingeEmbeddingLoss", [X, SIGNS], {}),
    ("hinge_embedding_loss", "HingeEmbeddingLoss", [X, SIGNS], {"margin": 0.5}),
    ("margin_ranking_loss", "MarginRankingLoss", [X, Z, SIGNS], {}),
    ("margin_ranking_loss", "MarginRankingLoss", [X, Z, SIGNS], {"margin": 0.7}),
    ("cosine_embedding_loss", "CosineEmbeddingLoss", [X, Z, SIGNS[:, 0]], {}),
    ("cosine_embedding_loss", "CosineEmbeddingLoss", [X, Z, SIGNS[:, 1]], {"margin": 0.2}),
    ("cosine_embedding_loss", "CosineEmbeddingLoss", [ROW, Z[0], np.array(-1)], {}),
    ("triplet_margin_loss", "TripletMarginLoss", [X, X + 0.3 * Z, Z], {}),
    ("triplet_margin_loss", "TripletMarginLoss", [X, Z, X + 0.5 * Z[::-1]], {"margin": 2.0, "p": 3.0, "swap": True}),
    ("triplet_margin_loss", "TripletMarginLoss", [ROW, Z[0], Z[1]], {"margin": 3.0, "p": 1.0, "eps": 1e-3}),
    ("multi_margin_loss", "MultiMarginLoss", [X, NUMBERS], {}),
    ("multi_margin_loss", "MultiMarginLoss", [X, NUMBERS], {"p": 2, "margin": 1.5, **W}),
    ("multi_margin_loss", "MultiMarginLoss", [ROW, np.array(2)], W),
    ("cosine_similarity", None, [X, Z], {}),
    ("cosine_similarity", None, [IMAGES, IMAGES[::-1] * 2 + 1], {"axis": 2, "eps": 1e-3}),
    ("pairwise_distance", None, [X, Z], {}),
    ("pairwise_distance", None, [X, Z], {"p": 3.0, "eps": 0.1, "keepdims": True}),
    ("pairwise_distance", None, [X, Z[:1]], {"p": 1.0}),
    ("normalize", None, [X], {}),
    ("normalize", None, [IMAGES], {"p": 4.0, "axis": -1}),
]  # fmt: skip

DIFFERENT = {
    "binary_cross_entropy": {
        1
    },  # PyTorch's gradient of the target is infinite at 0 and 1, ours that of the loss as limited
    "kl_div": {1},  # PyTorch's gradient of a target of 0 is −∞
}
ROUGH = {"binary_cross_entropy": 1e-9}  # to p and to 1 − p PyTorch's second derivative adds 10⁻¹²


def theirs_of(options):
    """The options as PyTorch calls them."""
    names = {"axis": "dim", "keepdims": "keepdim"}
    return {names.get(k, k): torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


def close(ours, theirs, tolerance=1e-10):
    ours = np.asarray(ours.numpy() if isinstance(ours, tg.Tensor) else ours)
    assert_close(ours, theirs.numpy(force=True), rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")  # PyTorch, of kl_div
@pytest.mark.parametrize(("name", "module", "inputs", "options"), LOSSES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_loss(name, module, inputs, options):
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    reductions = (
        [{}] if module is None or "reduction" in options else [{"reduction": r} for r in ("mean", "sum", "none")]
    )
    tolerance = ROUGH.get(name, 1e-10)
    for reduction in reductions:
        settings = {**options, **reduction}
        compare(
            lambda *xs, settings=settings: ours(*xs, **settings),
            lambda *xs, settings=settings: theirs(*xs, **theirs_of(settings)),
            inputs,
            tolerance,
            name,
        )
        if module is not None:
            y = getattr(nn, module)(**settings)(*inputs)
            z = getattr(torch.nn, module)(**theirs_of(settings))(*map(torch.tensor, inputs))
            close(y, z, tolerance)
    close(ours(*inputs, **options), theirs(*map(torch.tensor, inputs), **theirs_of(options)), tolerance)


def compare(ours, theirs, inputs, tolerance, name):
    xs = [tg.Tensor(x, requires_grad=True) if x.dtype.kind == "f" else x for x in inputs]
    us = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    y, z = ours(*xs), theirs(*us)
    close(y, z, tolerance)
    assert y.dtype == float
    leaves = [i for i, x in enumerate(inputs) if x.dtype.kind == "f"]
    rng = np.random.default_rng(1)
    v = rng.standard_normal(y.shape)
    g, h = tg.Tensor(v, requires_grad=True), torch.tensor(v, requires_grad=True)
    exact = [i for i in leaves if i not in DIFFERENT.get(name, ()) or not np.isin(inputs[i], (0, 1)).any()]
    first = tg.grad(y, [xs[i] for i in exact], g, create_graph=True)
    their_first = torch.autograd.grad(z, [us[i] for i in exact], h, create_graph=True)
    for a, b in zip(first, their_first, strict=True):
        close(a, b, tolerance)
    ws = [rng.standard_normal(a.shape) for a in first]
    pairs = [(a, b, w) for a, b, w in zip(first, their_first, ws, strict=True) if b.requires_grad]
    second = tg.grad(
        [a for a, _, _ in pairs], [*[xs[i] for i in exact], g], [w for _, _, w in pairs], allow_unused=True
    )
    try:
        their_second = torch.autograd.grad(
            [b for _, b, _ in pairs],
            [*[us[i] for i in exact], h],
            [torch.tensor(w) for _, _, w in pairs],
            allow_unused=True,
        )
    except RuntimeError as error:
        if "not implemented" not in str(error):
            raise
        return  # PyTorch has none of second order
    for a, b in zip(second, their_second, strict=True):
        if a is None or b is None:  # constant
            rest = a if b is None else b
            assert rest is None or np.allclose(rest.detach().numpy(), 0)
        else:
            close(a, b, tolerance)


def test_where_a_variance_is_too_small_its_gradient_goes_on():
    var = np.array([0.01, 0.5])
    compare(
        lambda y, t, v: F.gaussian_nll_loss(y, t, v, eps=0.1),
        lambda y, t, v: torch.nn.functional.gaussian_nll_loss(y, t, v, eps=0.1),
        [X[0, :2], Z[0, :2], var],
        1e-10,
        "",
    )


@pytest.mark.parametrize("size", [1e4, -1e4, 80.0])
def test_far_out_in_single_precision(size):
    x = np.array([[size, 0, -size], [size, size, 1]], np.float32)
    bits = (x > 0).astype(np.float32)
    for name, target, options in (
        ("cross_entropy", np.array([2, 0]), {}),
        ("binary_cross_entropy_with_logits", bits, {}),
        ("binary_cross_entropy_with_logits", bits, {"pos_weight": np.array([2, 3, 1], np.float32)}),
        ("multilabel_soft_margin_loss", bits, {}),
        ("soft_margin_loss", 2 * bits - 1, {}),
        ("multi_margin_loss", np.array([2, 0]), {}),
    ):
        a, b = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y = getattr(F, name)(a, target, **options)
        z = getattr(torch.nn.functional, name)(b, torch.tensor(target), **theirs_of(options))
        y.backward()
        z.backward()
        assert_close(y.numpy(), z.numpy(force=True), rtol=1e-6)
        assert_close(a.grad.numpy(), b.grad.numpy(), rtol=1e-5, atol=1e-7)
