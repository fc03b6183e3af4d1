"""What losses ask of targets: shapes, types, labels; and the losses that few libraries have."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.testing import gradcheck

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
BITS, SIGNS, NUMBERS = (X > 0).astype(int), np.where(X > 0, 1, -1), np.array([0, 2, 1, 2])


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: F.binary_cross_entropy_with_logits(X, SIGNS), ValueError,
         r"takes targets from 0 to 1, but target\[0, 1\] is -1.*; write \(target \+ 1\) / 2"),
        (lambda: F.binary_cross_entropy(F.sigmoid(X), BITS * 2), ValueError, r"targets from 0 to 1, but target\[0, 0\] is 2"),
        (lambda: F.multilabel_soft_margin_loss(X, SIGNS), ValueError, "targets from 0 to 1"),
        (lambda: F.hinge_loss(X, BITS), ValueError, r"labels −1 and 1, but target\[0, 1\] is 0.*; write 2 \* target - 1"),
        (lambda: F.soft_margin_loss(X, NUMBERS[:, None] * np.ones(3)), ValueError, r"labels −1 and 1, but target\[0, 0\] is 0\.0$"),
        (lambda: F.hinge_embedding_loss(X, BITS), ValueError, "labels −1 and 1"),
        (lambda: F.margin_ranking_loss(X, X, BITS), ValueError, "labels −1 and 1"),
        (lambda: F.cosine_embedding_loss(X, X, BITS[:, 0]), ValueError, "labels −1 and 1"),
        (lambda: F.poisson_nll_loss(X, SIGNS), ValueError, r"takes counts of 0 or more, but target\[0, 1\] is -1"),
        (lambda: F.gaussian_nll_loss(X, X, X), ValueError, r"variances of 0 or more, but variance\[0, 1\] is -"),
        (lambda: F.kl_div(X, X), ValueError, r"takes probabilities of 0 or more, but target\[0, 1\] is -"),
        (lambda: F.nll_loss(X, NUMBERS * 1.0), TypeError, r"class numbers, which are whole, but got float64; write target\.astype\(int\)"),
        (lambda: F.nll_loss(X, np.eye(3)[NUMBERS]), TypeError, r"class numbers, .* write target\.argmax\(1\) of a one-hot one"),
        (lambda: F.multi_margin_loss(X, NUMBERS * 1.0), TypeError, "class numbers, which are whole"),
        (lambda: F.multi_margin_loss(X, np.eye(3)[NUMBERS]), TypeError, r"target\.argmax\(1\)"),
        (lambda: F.multi_margin_loss(X, NUMBERS + 1), IndexError, r"target\[1\] is 3, but there are 3 classes, 0 to 2"),
        (lambda: F.multi_margin_loss(X, -NUMBERS - 4), IndexError, r"target\[0\] is -4, but there are 3 classes"),
        (lambda: F.multi_margin_loss(X, NUMBERS, p=3), ValueError, "takes p=1 or p=2, but got 3"),
        (lambda: F.nll_loss(X, NUMBERS + 1), IndexError, r"target\[1\] is 3, but there are 3 classes"),
        (lambda: F.binary_cross_entropy(F.sigmoid(X), BITS, np.ones(4)), ValueError,
         r"takes a weight that broadcasts to the shape \(4, 3\), but got \(4,\)"),
        (lambda: F.binary_cross_entropy_with_logits(X, BITS, pos_weight=np.ones((2, 4, 3))), ValueError,
         r"takes a pos_weight that broadcasts to the shape \(4, 3\), but got \(2, 4, 3\)"),
        (lambda: F.multilabel_soft_margin_loss(X, BITS, np.ones(1)), ValueError, "weight for each of the 3 classes"),
        (lambda: F.multi_margin_loss(X, NUMBERS, weight=np.ones(2)), ValueError, "weight for each of the 3 classes"),
        (lambda: F.gaussian_nll_loss(X, X, np.ones((4, 2))), ValueError, r"a variance for each of \(4, 3\), .* but got \(4, 2\)"),
        (lambda: F.cosine_embedding_loss(X, X, SIGNS), ValueError, r"\(N, width\) twice and labels \(N,\)"),
        (lambda: F.cosine_embedding_loss(X, X[:, :2], SIGNS[:, 0]), ValueError, "must be equal"),
        (lambda: F.triplet_margin_loss(X, X, X[:2]), ValueError, "triplet_margin_loss .*must be equal"),
        (lambda: F.triplet_margin_loss(X, X, X, p=-1.0), ValueError, "triplet_margin_loss's p must be positive, but got -1.0"),
        (lambda: F.triplet_margin_loss(X, X, X, margin=0.0), ValueError, "margin must be positive"),
        (lambda: F.pairwise_distance(X, X, p=0.0), ValueError, "p must be positive"),
        (lambda: F.kl_div(X, np.abs(X), reduction="batch"), ValueError, "reduction is 'mean', 'sum' or 'none', but got 'batch'"),
        (lambda: F.kl_div(X[0, 0], 0.5, reduction="batchmean"), ValueError, "of a batch, but got a single number; write 'sum'"),
        (lambda: F.half_squared_error(X, X[:, :1]), ValueError, r"prediction of shape \(4, 3\) and a target of shape \(4, 1\)"),
        (lambda: F.hinge_loss(None, SIGNS), TypeError, "got None for the prediction"),
        (lambda: F.l1_penalty(nn.Linear(2, 2)), TypeError, r"takes tensors, but got a Linear: write model\.parameters\(\)"),
        (lambda: F.l2_penalty([]), ValueError, "got no parameters"),
        (lambda: F.l2_penalty(3), TypeError, "takes a tensor or several, but got int 3"),
    ],
)  # fmt: skip
def test_what_a_target_is_not(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize(
    "loss",
    [
        F.mse_loss, F.half_squared_error, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.poisson_nll_loss, F.kl_div,
        F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.multilabel_soft_margin_loss, F.hinge_loss,
        F.soft_margin_loss, F.hinge_embedding_loss, lambda y, t: F.gaussian_nll_loss(y, t, np.ones(4)),
        lambda y, t: F.margin_ranking_loss(y, t, t), lambda y, t: F.triplet_margin_loss(y, y, t),
        lambda y, t: F.cosine_embedding_loss(y, t, np.ones(4)),
    ],
)  # fmt: skip
def test_a_column_against_a_row_raises(loss):
    """(N,) against (N, 1) would broadcast to (N, N)."""
    y, t = np.full(4, 0.5), np.ones((4, 1))
    for pair in ((y, t), (t, y)):
        with pytest.raises(ValueError, match=r"\(4,\).*\(4, 1\)|\(4, 1\).*\(4,\)"):
            loss(*pair)


def test_nan_in_a_target_goes_on():
    bits = BITS.astype(float)
    bits[0, 0] = np.nan
    assert np.isnan(F.binary_cross_entropy_with_logits(X, bits))


LOSSES = [
    (nn.MSELoss, BITS), (nn.HalfSquaredError, BITS), (nn.L1Loss, BITS), (nn.HuberLoss, BITS), (nn.SmoothL1Loss, BITS),
    (nn.PoissonNLLLoss, BITS), (lambda: nn.PoissonNLLLoss(full=True), BITS), (nn.BCEWithLogitsLoss, BITS),
    (lambda: nn.BCEWithLogitsLoss(pos_weight=np.ones(3, np.float32)), BITS), (nn.MultiLabelSoftMarginLoss, BITS),
    (nn.KLDivLoss, BITS), (nn.CrossEntropyLoss, NUMBERS), (nn.NLLLoss, NUMBERS), (nn.HingeLoss, SIGNS),
    (nn.SoftMarginLoss, SIGNS), (nn.HingeEmbeddingLoss, SIGNS), (nn.MultiMarginLoss, NUMBERS),
]  # fmt: skip


@pytest.mark.parametrize(("make", "target"), LOSSES)
def test_whole_numbers_and_truths_widen_nothing(make, target):
    """Labels in int64 beside predictions in float32."""
    loss = make()
    targets = [target, target.astype(np.int8)] + ([target.astype(bool)] if target is BITS else [])
    found = []
    for t in targets:
        for wrap in (np.asarray, tg.Tensor):
            x = tg.Tensor(X, requires_grad=True)
            y = loss(x, wrap(t))
            y.backward()
            assert y.dtype == x.grad.dtype == np.float32
            found.append((y.item(), x.grad.tolist()))
    assert all(one == found[0] for one in found)


def test_the_book_s_loss():
    y, t = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0, 0.0], [2.0, 1.0]])
    assert F.half_squared_error(y, t) == F.sum_squared_error(y, t) == nn.HalfSquaredError()(y, t) == 0.5 * (4 + 1 + 16)
    assert F.half_squared_error(y, t, reduction="mean") == F.mse_loss(y, t) / 2
    x = tg.Tensor(y, requires_grad=True)
    F.half_squared_error(x, t).backward()
    assert x.grad.tolist() == (y - t).tolist()
    assert repr(nn.HalfSquaredError()) == "HalfSquaredError(reduction='sum')"


def test_hinge_pays_for_what_is_not_right_by_enough():
    y, t = np.array([2.0, 0.5, -1.0, 0.3]), np.array([1, 1, 1, -1])
    assert F.hinge_loss(y, t, reduction="none").tolist() == [0, 0.5, 2, 1.3]
    assert nn.HingeLoss(margin=3.0, reduction="sum")(y, t) == pytest.approx(1 + 2.5 + 4 + 3.3)
    gradcheck(lambda y: F.hinge_loss(y, t), [y])
    x = tg.Tensor([1.0], requires_grad=True)  # at the corner PyTorch's clamp, and so its other margins, pay
    F.hinge_loss(x, np.array([1])).backward()
    assert x.grad.tolist() == [-1]


def test_nothing_is_lost_at_probabilities_of_0():
    p, log_q = np.array([[1.0, 0.0]]), np.array([[-0.5, -np.inf]])
    assert F.kl_div(log_q, p, reduction="sum") == 0.5
    with np.errstate(divide="ignore"):
        log_p = np.log(p)
    assert F.kl_div(log_q, log_p, reduction="sum", log_target=True) == 0.5
    x = tg.Tensor([[1e4, -np.inf]], requires_grad=True)
    y = F.binary_cross_entropy_with_logits(x, np.array([[1.0, 0.0]]), pos_weight=np.array([3.0, 3.0]))
    assert y.item() == 0
    y.backward()
    assert x.grad.tolist() == [[0, 0]]


def test_weights_are_part_of_the_state():
    loss = nn.BCEWithLogitsLoss(np.ones(3), pos_weight=np.full(3, 2.0))
    assert list(loss.state_dict()) == ["weight", "pos_weight"]
    assert list(nn.MultiMarginLoss(weight=np.ones(3)).state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []
