"""Layers and losses as functions, usually imported as F: `F.cross_entropy(model(x), labels)`.

On arrays they give arrays, on tensors tensors. The pages: `layers`, `normalization`, `embedding`, `activations` (most are
ops, in `tinygrad_edu.ops`), `losses`, and `checks` of their settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.nn.functional.activations import glu, prelu, relu6, softplus, step
from tinygrad_edu.nn.functional.embedding import embedding
from tinygrad_edu.nn.functional.layers import batch_norm, bilinear, dropout, flatten, linear, unflatten
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
from tinygrad_edu.nn.functional.normalization import group_norm, layer_norm, rms_norm
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
)
from tinygrad_edu.ops.piecewise import hardsigmoid, hardswish, hardtanh
from tinygrad_edu.ops.smooth import mish, selu, softsign

__all__ = [
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "flatten",
    "gelu",
    "glu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mish",
    "mse_loss",
    "nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softsign",
    "step",
    "tanh",
    "unflatten",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.functional",
        __all__,
        {
            "one_hot": "write tg.one_hot(labels, classes)",
            "pad": "write np.pad(x, width)",
            "normalize": "write x / np.linalg.norm(x, axis=1, keepdims=True)",
            "kl_div": "write np.sum(p * np.log(p / q))",
            "softmin": "write softmax(-x)",
            "conv2d": "it is not here yet",
            "max_pool2d": "it is not here yet; without overlap, write x.reshape(n, c, h // k, k, w // k, k).max(axis=(3, 5))",
            "avg_pool2d": "it is not here yet; without overlap, write x.reshape(n, c, h // k, k, w // k, k).mean(axis=(3, 5))",
        },
    )
