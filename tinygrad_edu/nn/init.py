"""How weights begin: functions from a shape to an array, and each with an underscore, which fills a tensor in place.

    layer.weight.data = init.kaiming_normal(layer.weight.shape)
    init.kaiming_normal_(layer.weight)

A weight's fans are n, the inputs that one output sums over, and m, the outputs that one input goes to. A layer that
sums n inputs multiplies their variance by n·Var[w], so a network neither saturates nor dies out when Var[w] is about
1/n (`xavier`, `lecun`), or 2/n after a ReLU, which halves the signal's power (`kaiming`). `gain` makes up for what other
activations do to the signal: `calculate_gain`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.creation import get_default_dtype
from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import DType

Shape = tuple[int, ...]
P = ParamSpec("P")
T = TypeVar("T")  # a Tensor, or an array


# ---------------------------------------------------------------------------------------------------
# Fans and gains


def fans(shape: Shape) -> tuple[int, int]:
    """(n, m), the numbers of inputs and outputs that a weight of this shape connects.

    A matrix is (in, out); a convolution's kernel is (out, in/groups, height, width, …), and connects each input to every
    place of the window.

    >>> fans((784, 50)), fans((16, 3, 5, 5))
    ((784, 50), (75, 400))
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {shape} connects no inputs to outputs; it needs two axes or more")
    if len(shape) == 2:
        return shape
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much the spread of weights makes up for an activation that follows.

    1 for none (`linear`, `conv2d` and the like) and for `sigmoid`; 5/3 for `tanh`; √2 for `relu`; √(2/(1 + a²)) for
    `leaky_relu`, whose slope a is `param`, or 0.01; 3/4 for `selu`, as PyTorch has it (1 keeps the variance).

    Raises ValueError for another name.

    >>> round(calculate_gain("leaky_relu", 1.0), 4), round(calculate_gain("tanh"), 4)
    (1.0, 1.6667)
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise TypeError(f"the slope of a leaky ReLU is a number, but got {type(slope).__name__} {slope!r:.60}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain() knows {', '.join([*_GAINS, 'leaky_relu'])}, but got {nonlinearity!r:.60}")
    return _GAINS[nonlinearity]


_LINEAR = ["linear", *[f"conv{transpose}{n}d" for transpose in ("", "_transpose") for n in (1, 2, 3)]]
_GAINS = {**dict.fromkeys([*_LINEAR, "sigmoid"], 1.0), "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def _fan(shape: Shape, mode: str) -> int:
    """n or m, as the mode says."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is 'fan_in' or 'fan_out', but got {mode!r:.60}")
    return fans(shape)[mode == "fan_out"]


# ---------------------------------------------------------------------------------------------------
# Of any shape


def _array(draw: Any, dtype: DType) -> NDArray[Any]:
    return np.asarray(draw, dtype=get_default_dtype() if dtype is None else dtype)


def zeros(shape: Shape, *, dtype: DType = None) -> NDArray[Any]:
    """All 0."""
    return constant(shape, 0.0, dtype=dtype)


def ones(shape: Shape, *, dtype: DType = None) -> NDArray[Any]:
    """All 1."""
    return constant(shape, 1.0, dtype=dtype)


def constant(shape: Shape, val: float, *, dtype: DType = None) -> NDArray[Any]:
    """All `val`."""
    return _array(np.full(shape, val), dtype)


def uniform(
    shape: Shape, a: float = 0.0, b: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Uniform in [a, b)."""
    return _array(random.generator(generator).uniform(a, b, shape), dtype)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Normal, with this mean and standard deviation."""
    return _array(random.generator(generator).normal(mean, std, shape), dtype)


def trunc_normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Normal, drawn again where it is not in [a, b]: no weight begins far out. a and b are values, not deviations.

    Raises ValueError where fewer than one in a hundred numbers would be in [a, b].

    >>> w = trunc_normal((1000,), std=2.0, generator=np.random.default_rng(0))
    >>> bool(np.abs(w).max() <= 2)
    True
    """
    low, high = [math.erf((bound - mean) / (std * math.sqrt(2))) / 2 for bound in (a, b)] if std > 0 else (0.0, 0.0)
    if not high - low > 0.01:
        raise ValueError(
            f"of normal numbers of mean {mean} and deviation {std}, {max(high - low, 0):.2%} are between {a} and {b}; take "
            "wider bounds"
        )
    own = random.generator(generator)
    drawn = own.normal(mean, std, shape)
    outside = (drawn < a) | (drawn > b)
    while outside.any():
        drawn[outside] = own.normal(mean, std, int(np.count_nonzero(outside)))
        outside = (drawn < a) | (drawn > b)
    return _array(drawn, dtype)


# ---------------------------------------------------------------------------------------------------
# By fans


def xavier_uniform(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Uniform in ±gain·√(6/(n + m)), of standard deviation gain·√(2/(n + m)): for sigmoid and tanh.

    Source: Glorot & Bengio, *Understanding the difficulty of training deep feedforward neural networks*, 2010.
    """
    n, m = fans(shape)
    bound = gain * math.sqrt(6 / (n + m))
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def xavier_normal(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Normal, of standard deviation gain·√(2/(n + m)), which is √(1/n) where n = m: for sigmoid and tanh."""
    n, m = fans(shape)
    return normal(shape, 0.0, gain * math.sqrt(2 / (n + m)), generator=generator, dtype=dtype)


def kaiming_uniform(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Uniform in ±gain·√(3/n), of standard deviation gain·√(1/n): He's, for ReLU with the gain √2.

    a: the slope of a leaky ReLU below 0. mode: "fan_in" for n, which keeps the variance going forward; "fan_out" for m in
    its place, which keeps that of gradients. nonlinearity: what follows; see `calculate_gain`.

    Source: He et al., *Delving deep into rectifiers*, 2015.
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(shape, mode))
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def kaiming_normal(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Normal, of standard deviation gain·√(1/n): He's, √(2/n) for ReLU. See `kaiming_uniform`.

    >>> w = kaiming_normal((1000, 50), generator=np.random.default_rng(0))
    >>> round(float(w.std() / np.sqrt(2 / 1000)), 2)
    1.0
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(shape, mode))
    return normal(shape, 0.0, std, generator=generator, dtype=dtype)


def lecun_uniform(shape: Shape, *, generator: np.random.Generator | None = None, dtype: DType = None) -> NDArray[Any]:
    """Uniform in ±√(3/n), of standard deviation √(1/n): for SELU.

    Source: LeCun et al., *Efficient backprop*, 1998.
    """
    return kaiming_uniform(shape, nonlinearity="linear", generator=generator, dtype=dtype)


def lecun_normal(shape: Shape, *, generator: np.random.Generator | None = None, dtype: DType = None) -> NDArray[Any]:
    """Normal, of standard deviation √(1/n): for SELU. Source: see `lecun_uniform`."""
    return kaiming_normal(shape, nonlinearity="linear", generator=generator, dtype=dtype)


# ---------------------------------------------------------------------------------------------------
# Of a structure


def orthogonal(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """gain·Q, where the rows of Q are orthonormal, or its columns if those are fewer: lengths stay what they are.

    A weight of more than two axes counts as a matrix with the first axis as rows. Q is uniform among these matrices.

    Source: Saxe, McClelland and Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks* (2014).

    >>> q = orthogonal((2, 5), dtype=float)
    >>> bool(np.allclose(q @ q.T, np.eye(2)))
    True
    """
    fans(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    drawn = random.generator(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.copysign(1, np.diag(r))  # without it, Q would not be uniform
    return _array(gain * (q if rows >= columns else q.T).reshape(shape), dtype)


def sparse(
    shape: Shape,
    sparsity: float,
    std: float = 0.01,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Normal of this deviation, but in each column the share `sparsity` of the rows, rounded up, is 0. shape: a matrix.

    Raises ValueError for what is no matrix, and for a share outside [0, 1].

    Source: Martens, *Deep learning via Hessian-free optimization* (2010).
    """
    if len(shape) != 2:
        raise ValueError(f"sparse() makes a matrix, but got the shape {shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is a share between 0 and 1, but got {sparsity}")
    own = random.generator(generator)
    drawn = own.normal(0.0, std, shape)
    ranks = np.argsort(own.random(shape), axis=0)
    drawn[ranks < math.ceil(sparsity * shape[0])] = 0
    return _array(drawn, dtype)


def eye(shape: Shape, *, dtype: DType = None) -> NDArray[Any]:
    """1 on the diagonal, else 0: a linear layer that keeps what it gets. shape: a matrix.

    Raises ValueError for what is no matrix.
    """
    if len(shape) != 2:
        raise ValueError(f"eye() makes a matrix, but got the shape {shape}")
    return _array(np.eye(*shape), dtype)


def dirac(shape: Shape, groups: int = 1, *, dtype: DType = None) -> NDArray[Any]:
    """A kernel of a convolution that keeps its channels: 1 in the middle of the window from each channel to itself.

    shape: (out, in/groups, …) with one to three axes of a window; where there are more outputs than inputs, those beyond
    are 0. groups: so many blocks of outputs keep the channels of their own group.

    Raises ValueError for other shapes, and for outputs that make no such groups.

    >>> dirac((2, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    if len(shape) not in (3, 4, 5) or groups < 1 or shape[0] % groups:
        raise ValueError(
            f"dirac() makes a kernel (out, in/groups, …) of three to five axes, whose outputs make {groups} equal groups, but "
            f"got {shape}"
        )
    kernel = zeros(shape, dtype=dtype)
    middle = tuple([n // 2 for n in shape[2:]])
    each = shape[0] // groups
    for group in range(groups):
        for channel in range(min(each, shape[1])):
            kernel[(group * each + channel, channel, *middle)] = 1
    return kernel


# ---------------------------------------------------------------------------------------------------
# In place


def _in_place(make: Callable[Concatenate[Shape, P], NDArray[Any]]) -> Callable[Concatenate[T, P], T]:
    """The function that fills a tensor with what `make` gives for its shape and type, and returns the tensor."""

    drawn: Callable[..., NDArray[Any]] = make

    def fill(tensor: T, /, *args: P.args, **options: P.kwargs) -> T:
        if not isinstance(tensor, Tensor | np.ndarray):
            raise TypeError(f"init.{make.__name__}_() fills a tensor, but got {type(tensor).__name__} {tensor!r:.60}")
        if tensor.dtype.kind != "f":
            raise TypeError(f"init.{make.__name__}_() fills floating numbers, but got {tensor.dtype}")
        no_grad().run(tensor.__setitem__, ..., drawn(tensor.shape, *args, dtype=tensor.dtype, **options))
        return tensor

    taken = inspect.signature(make)
    parameters = [p for p in taken.parameters.values() if p.name != "dtype"]
    first = inspect.Parameter("tensor", inspect.Parameter.POSITIONAL_ONLY)
    vars(fill)["__signature__"] = taken.replace(parameters=[first, *parameters[1:]])
    fill.__name__ = fill.__qualname__ = f"{make.__name__}_"
    fill.__doc__ = f"Fill a tensor, in place, as `{make.__name__}` makes an array; returns the tensor."
    return fill


zeros_ = _in_place(zeros)
ones_ = _in_place(ones)
constant_ = _in_place(constant)
uniform_ = _in_place(uniform)
normal_ = _in_place(normal)
trunc_normal_ = _in_place(trunc_normal)
xavier_uniform_ = _in_place(xavier_uniform)
xavier_normal_ = _in_place(xavier_normal)
kaiming_uniform_ = _in_place(kaiming_uniform)
kaiming_normal_ = _in_place(kaiming_normal)
lecun_uniform_ = _in_place(lecun_uniform)
lecun_normal_ = _in_place(lecun_normal)
orthogonal_ = _in_place(orthogonal)
sparse_ = _in_place(sparse)
eye_ = _in_place(eye)
dirac_ = _in_place(dirac)

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.init",
        [
            "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "fans", "kaiming_normal", "kaiming_normal_",
            "kaiming_uniform", "kaiming_uniform_", "lecun_normal", "lecun_normal_", "lecun_uniform", "lecun_uniform_", "normal",
            "normal_", "ones", "ones_", "orthogonal", "orthogonal_", "sparse", "sparse_", "trunc_normal", "trunc_normal_", "uniform",
            "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform", "xavier_uniform_", "zeros", "zeros_",
        ],
        {
            "he_normal": "write kaiming_normal(shape)",
            "he_uniform": "write kaiming_uniform(shape)",
            "glorot_normal": "write xavier_normal(shape)",
            "glorot_uniform": "write xavier_uniform(shape)",
            "truncated_normal": "write trunc_normal(shape, std=std)",
        },
    )  # fmt: skip
