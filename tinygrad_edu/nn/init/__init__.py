"""First values of weights: functions from a shape to an array, and twins with an underscore, which fill a tensor in
place.

    layer.weight.data = init.kaiming_normal(layer.weight.shape)
    init.kaiming_normal_(layer.weight)

The fans of a weight are n, the number of inputs that one output sums, and m, the number of outputs that one input goes
to. A layer that sums n inputs multiplies their variance by n·Var[w]. So a network neither saturates nor dies out when
Var[w] is about 1/n (`xavier`, `lecun`), or 2/n after a ReLU, which halves the signal's power (`kaiming`). `gain` makes
up for what other activations do to the signal; see `calculate_gain`.

`generator` draws the numbers; by default it is the generator that `tg.manual_seed` sets. `dtype` is the type of the
array; by default it is `tg.get_default_dtype()`.
"""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.nn.init.fans import calculate_gain, fans
from tinygrad_edu.nn.init.in_place import (
    constant_,
    dirac_,
    eye_,
    kaiming_normal_,
    kaiming_uniform_,
    lecun_normal_,
    lecun_uniform_,
    normal_,
    ones_,
    orthogonal_,
    sparse_,
    trunc_normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
    zeros_,
)
from tinygrad_edu.nn.init.scaled import (
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    xavier_normal,
    xavier_uniform,
)
from tinygrad_edu.nn.init.structured import dirac, eye, orthogonal, sparse
from tinygrad_edu.nn.init.values import constant, normal, ones, trunc_normal, uniform, zeros

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "fans",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "lecun_normal",
    "lecun_normal_",
    "lecun_uniform",
    "lecun_uniform_",
    "normal",
    "normal_",
    "ones",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros",
    "zeros_",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.init",
        __all__,
        {
            "he_normal": "write kaiming_normal(shape)",
            "he_uniform": "write kaiming_uniform(shape)",
            "glorot_normal": "write xavier_normal(shape)",
            "glorot_uniform": "write xavier_uniform(shape)",
            "truncated_normal": "write trunc_normal(shape, std=std)",
        },
    )
