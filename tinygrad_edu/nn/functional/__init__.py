"""Layers and losses as functions, usually imported as F: `F.cross_entropy(model(x), labels)`.

On arrays they give arrays, on tensors tensors. The pages: `layers`, `convolution` and its `routes`, `recurrence`, `pooling`, `adaptive`, `resizing`,
`normalization`, `embedding`, `attention`, `activations` (most are ops, in `tinygrad_edu.ops`); the losses `regression`,
`losses` (of probabilities and classes), `margins`, with `distances` and `penalties`; and what they share, `targets`, `sizes` and `checks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.nn.functional.activations import glu, prelu, relu6, softplus, step
from tinygrad_edu.nn.functional.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from tinygrad_edu.nn.functional.attention import scaled_dot_product_attention
from tinygrad_edu.nn.functional.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    unfold,
)
from tinygrad_edu.nn.functional.distances import cosine_similarity, normalize, pairwise_distance
from tinygrad_edu.nn.functional.embedding import embedding
from tinygrad_edu.nn.functional.layers import (
    bilinear,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    flatten,
    linear,
    unflatten,
)
from tinygrad_edu.nn.functional.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    multilabel_soft_margin_loss,
    nll_loss,
)
from tinygrad_edu.nn.functional.margins import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    hinge_loss,
    margin_ranking_loss,
    multi_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from tinygrad_edu.nn.functional.normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from tinygrad_edu.nn.functional.penalties import l1_penalty, l2_penalty
from tinygrad_edu.nn.functional.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from tinygrad_edu.nn.functional.recurrence import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from tinygrad_edu.nn.functional.regression import (
    gaussian_nll_loss,
    half_squared_error,
    huber_loss,
    l1_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    sum_squared_error,
)
from tinygrad_edu.nn.functional.resizing import interpolate, pixel_shuffle, pixel_unshuffle
from tinygrad_edu.nn.functional.routes import conv2d_route, conv2d_threads, conv_by
from tinygrad_edu.ops.elementwise import tanh
from tinygrad_edu.ops.network.activations import elu, leaky_relu, relu, sigmoid, silu
from tinygrad_edu.ops.network.gaussian import gelu
from tinygrad_edu.ops.network.piecewise import hardsigmoid, hardswish, hardtanh
from tinygrad_edu.ops.network.smooth import mish, selu, softsign
from tinygrad_edu.ops.network.softmax import log_softmax, logsigmoid, softmax

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv2d_route",
    "conv2d_threads",
    "conv3d",
    "conv_by",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "embedding",
    "flatten",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "group_norm",
    "gru",
    "gru_cell",
    "half_squared_error",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "lstm",
    "lstm_cell",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rnn",
    "rnn_cell",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "softsign",
    "step",
    "sum_squared_error",
    "tanh",
    "triplet_margin_loss",
    "unflatten",
    "unfold",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.functional",
        __all__,
        {
            "one_hot": "write tg.one_hot(labels, classes)",
            "pad": "write np.pad(x, width)",
            "softmin": "write softmax(-x)",
        },
    )
