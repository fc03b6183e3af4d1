"""Softmax with the cross-entropy error: what comes back is y − t, and here is why.

1/S goes to three places, so three derivatives are added up where it forks: −S·(t₁ + t₂ + t₃), which is −S. Each exp
forks too: one branch brings back 1/S, the other −t/exp(a). Their sum times exp(a) is y − t.
"""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn
from viz import draw


def softmax(a):
    """y = exp(a) / S, where S is the sum of the exponentials."""
    e1, e2, e3 = np.exp(a[0]), np.exp(a[1]), np.exp(a[2])
    S = e1 + e2 + e3
    S.name = "S"
    r = np.reciprocal(S)
    y = [e1 * r, e2 * r, r * e3]  # what comes from above is written first
    for k, p in zip("₁₂₃", y, strict=True):
        p.name = f"y{k}"
    return y


def cross_entropy_error(y, t):
    """L = −Σ t·log(y)."""
    log1, log2, log3 = np.log(y[0]), np.log(y[1]), np.log(y[2])
    total = t[0] * log1 + t[1] * log2 + t[2] * log3
    total.name = "Σ t·log(y)"
    return total * -1


a = [tg.Tensor(x, requires_grad=True, name=f"a{k}") for k, x in zip("₁₂₃", (0.3, 2.9, 4.0), strict=True)]
t = [tg.Tensor(x, name=f"t{k}") for k, x in zip("₁₂₃", (0.0, 1.0, 0.0), strict=True)]
y = softmax(a)
L = cross_entropy_error(y, t)

differences = {f"a{k}": f"y{k} − t{k}" for k in "₁₂₃"}
upper = {(f"exp(a{k})", 1): f"−t{k}/exp(a{k})" for k in "₁₂₃"}
lower = {(f"exp(a{k})", 0): "1/S" for k in "₁₂₃"}
inverse = {("1/S", k): f"−t{j}·S" for k, j in enumerate("₁₂₃")}

figures = {
    "A-2 Softmax in operations": draw(y, grad="symbol", direction="forward", join_sums=True),
    "A-5 Softmax with loss in operations": draw(
        L, grad="symbol", join_sums=True, annotate={**differences, **upper, **lower, **inverse, "S": "1/S"}
    ),
}

y = [tg.Tensor(x, requires_grad=True, name=f"y{k}") for k, x in zip("₁₂₃", (0.02, 0.24, 0.74), strict=True)]
L = cross_entropy_error(y, t)

figures |= {
    "A-3 The cross-entropy error in operations": draw(L, grad="symbol", direction="forward", join_sums=True),
    "A-4 The cross-entropy error, backward": draw(L, grad="symbol", join_sums=True),
}


class Softmax(nn.Module):
    """The first as a layer."""

    def forward(self, a):
        """Compute y₁, y₂ and y₃, which add up to 1."""
        return softmax(a)


class CrossEntropyError(nn.Module):
    """The second as a layer."""

    def forward(self, y, t):
        """Compute L = −Σ t·log(y), from probabilities y."""
        return cross_entropy_error(y, t)


class SoftmaxWithLoss(nn.Module):
    """Softmax and cross-entropy as one layer."""

    def forward(self, a, t):
        """Compute L = −Σ t·log(softmax(a)), from scores a."""
        return cross_entropy_error(softmax(a), t)


error, both = CrossEntropyError(), SoftmaxWithLoss()
L = error(Softmax()(a), t)
figures["5-30 Softmax and the cross-entropy error as layers"] = draw(
    L, grad="symbol", collapse="all", names={"Cross entropy error": error}, annotate=differences
)
L = both(a, t)
figures["A-1 Softmax with loss as one layer"] = draw(
    L, grad="symbol", collapse="all", names={"Softmax with loss": both}, annotate=differences
)
