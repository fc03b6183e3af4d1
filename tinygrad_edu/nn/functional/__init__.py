"""Layers and losses as functions, usually imported as F: `F.cross_entropy(model(x), labels)`.

On arrays they give arrays, on tensors tensors. The pages: `layers`, `losses`, and `checks` of their settings; the
activations are those of `tinygrad_edu.ops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.nn.functional.layers import batch_norm, dropout, flatten, linear
from tinygrad_edu.nn.functional.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from tinygrad_edu.ops.elementwise import tanh
from tinygrad_edu.ops.neural import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsigmoid,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)

__all__ = [
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "flatten",
    "gelu",
    "huber_loss",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "nll_loss",
    "relu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.functional",
        __all__,
        {
            "one_hot": "write tg.one_hot(labels, classes)",
            "pad": "write np.pad(x, width)",
            "normalize": "write x / np.linalg.norm(x, axis=1, keepdims=True)",
            "embedding": "write weight[numbers]",
            "kl_div": "write np.sum(p * np.log(p / q))",
            "softmin": "write softmax(-x)",
            "conv2d": "it is not here yet",
            "max_pool2d": "it is not here yet; without overlap, write x.reshape(n, c, h // k, k, w // k, k).max(axis=(3, 5))",
            "avg_pool2d": "it is not here yet; without overlap, write x.reshape(n, c, h // k, k, w // k, k).mean(axis=(3, 5))",
        },
    )
