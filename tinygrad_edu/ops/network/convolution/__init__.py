"""Convolution: its three operations, and the routes by which they are computed."""

from tinygrad_edu.ops.network.convolution.routes import Route, Sum, forced, route, threads
from tinygrad_edu.ops.network.convolution.trilinear import conv, conv_transpose, conv_weight
from tinygrad_edu.ops.network.convolution.unrolling import fold_windows, unfold_windows
from tinygrad_edu.ops.network.convolution.windows import Windows

__all__ = [
    "Route",
    "Sum",
    "Windows",
    "conv",
    "conv_transpose",
    "conv_weight",
    "fold_windows",
    "forced",
    "route",
    "threads",
    "unfold_windows",
]
