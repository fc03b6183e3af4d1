"""Activations as layers: each calls the function of the same name in `functional`, and keeps its options as attributes.

x may have any shape, and y has the same. Where PyTorch takes `inplace=`, it is accepted, and changes nothing: each
result has memory of its own, because the way back needs the numbers that went in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.init import constant
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

# ---------------------------------------------------------------------------------------------------
# Steps and sigmoids


class Step(Function):
    """y = 1 for x > 0, else 0: it fires or it does not. Nothing is learnt through it, because its derivative is 0.

    at_zero: the value of y at x = 0.

    Source: Rosenblatt, *The perceptron* (1958).

    >>> float(Step()(0.5)), float(Step(at_zero=1.0)(0.0))
    (1.0, 1.0)
    """

    function = F.step
    at_zero: float = 0.0


class Sigmoid(Function):
    """y = 1 / (1 + e⁻ˣ), which rises from 0 to 1, and so can be read as a probability.

    >>> float(Sigmoid()(0.0))
    0.5
    """

    function = F.sigmoid


class LogSigmoid(Function):
    """y = −log(1 + e⁻ˣ), the logarithm of sigmoid. It stays finite where sigmoid itself is rounded to 0.

    >>> float(LogSigmoid()(-1e4))
    -10000.0
    """

    function = F.logsigmoid


class Tanh(Function):
    """y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), which rises from −1 to 1.

    >>> float(Tanh()(0.0))
    0.0
    """

    function = F.tanh


class Softsign(Function):
    """y = x / (1 + |x|), which rises from −1 to 1, more slowly than tanh.

    Source: Bergstra et al., *Quadratic polynomials learn better image features* (2009).

    >>> float(Softsign()(3.0))
    0.75
    """

    function = F.softsign


class Hardtanh(Function):
    """y = x between two bounds; below the lower one y is `min_val`, above the upper one `max_val`.

    min_val, max_val: the bounds.
    inplace: accepted, and changes nothing.

    >>> float(Hardtanh()(0.3)), float(Hardtanh(0.0, 6.0)(8.0))
    (0.3, 6.0)
    """

    function = F.hardtanh
    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False


class Hardsigmoid(Function):
    """y = (x + 3)/6, but at least 0 and at most 1: it is a sigmoid made of three straight lines.

    inplace: accepted, and changes nothing.

    Source: Courbariaux, Bengio and David, *BinaryConnect* (2015), with the slope of PyTorch.

    >>> float(Hardsigmoid()(0.0)), float(Hardsigmoid()(5.0))
    (0.5, 1.0)
    """

    function = F.hardsigmoid
    inplace: bool = False


# ---------------------------------------------------------------------------------------------------
# Rectifiers


class ReLU(Function):
    """y = max(x, 0), the rectifier: it keeps what is positive, and its derivative is 1 or 0.

    inplace: accepted, and changes nothing.

    Source: Nair and Hinton, *Rectified linear units improve restricted Boltzmann machines* (2010).

    >>> float(ReLU()(-2.0)), float(ReLU()(3.0))
    (0.0, 3.0)
    """

    function = F.relu
    inplace: bool = False


class ReLU6(Function):
    """y = max(x, 0), but at most 6: it is a rectifier whose outputs stay small enough for numbers of few bits.

    inplace: accepted, and changes nothing.

    Source: Krizhevsky, *Convolutional deep belief networks on CIFAR-10* (2010).

    >>> float(ReLU6()(8.0))
    6.0
    """

    function = F.relu6
    inplace: bool = False


class LeakyReLU(Function):
    """y = x for x > 0, else s·x: a rectifier that still learns where its input is negative.

    negative_slope: s, the slope for x < 0.
    inplace: accepted, and changes nothing.

    Source: Maas, Hannun and Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013).

    >>> float(LeakyReLU(0.1)(-2.0))
    -0.2
    """

    function = F.leaky_relu
    negative_slope: float = 0.01
    inplace: bool = False


class PReLU(Module):
    """y = x for x > 0, else w·x: a leaky ReLU whose slopes are learnt.

    x: (N, C, …), or any shape where there is one slope. Its weight w has the shape (num_parameters,). Leave w out of
        weight decay, which would pull it to 0 and make a ReLU of the layer.

    num_parameters: 1 for one slope, or C for one slope for each channel.
    init: the value of all slopes at first.
    dtype: the type of w; by default `tg.get_default_dtype()`.

    Raises ValueError for less than one slope.

    Source: He et al., *Delving deep into rectifiers* (2015).

    >>> import numpy as np
    >>> PReLU()(np.array([-4.0, 2.0], np.float32)).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: DType = None) -> None:
        self.num_parameters = count(num_parameters, "PReLU", "num_parameters")
        if self.num_parameters < 1:
            raise ValueError(f"PReLU needs at least one slope, but got num_parameters={num_parameters}")
        self.weight = Parameter(constant((self.num_parameters,), init, dtype=dtype))

    def forward(self, x: ArrayLike) -> Tensor:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Function):
    """y = x for x > 0, else α(eˣ − 1): it goes smoothly to −α, so that the mean of y is nearer to 0 than a ReLU's.

    alpha: α.
    inplace: accepted, and changes nothing.

    Source: Clevert, Unterthiner and Hochreiter, *Fast and accurate deep network learning by exponential linear units*
    (2016).

    >>> float(ELU()(2.0)), round(float(ELU()(-1.0)), 4)
    (2.0, -0.6321)
    """

    function = F.elu
    alpha: float = 1.0
    inplace: bool = False


class SELU(Function):
    """y = λx for x > 0, else λα(eˣ − 1), with α = 1.6733 and λ = 1.0507.

    With these, and with weights drawn by `init.lecun_normal`, the outputs of each layer keep mean 0 and variance 1.

    inplace: accepted, and changes nothing.

    Source: Klambauer et al., *Self-normalizing neural networks* (2017).

    >>> round(float(SELU()(1.0)), 4)
    1.0507
    """

    function = F.selu
    inplace: bool = False


class Softplus(Function):
    """y = log(1 + e^βx) / β, a smooth max(x, 0).

    beta: β; the larger it is, the sharper is the bend at 0.
    threshold: y = x where βx is above it. It is not needed, because nothing overflows, and so is ∞ (PyTorch's is 20).

    Raises ValueError, when it is called, for a β that is not positive.

    Source: Dugas et al., *Incorporating second-order functional knowledge for better option pricing* (2000).

    >>> round(float(Softplus()(0.0)), 4), float(Softplus()(1e4))
    (0.6931, 10000.0)
    """

    function = F.softplus
    beta: float = 1.0
    threshold: float = math.inf


# ---------------------------------------------------------------------------------------------------
# Gates: x times a function that rises from 0 to 1


class GELU(Function):
    """y = x·Φ(x), where Φ(x) is the probability that a standard normal number is below x.

    approximate: "none", or "tanh" for ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))), which is off by 5·10⁻⁴ at most.

    Source: Hendrycks and Gimpel, *Gaussian error linear units* (2016).

    >>> round(float(GELU()(1.0)), 4), round(float(GELU(approximate="tanh")(1.0)), 4)
    (0.8413, 0.8412)
    """

    function = F.gelu
    approximate: str = "none"


class SiLU(Function):
    """y = x·σ(x), also called swish: x times a gate that opens as x grows.

    inplace: accepted, and changes nothing.

    Source: Hendrycks and Gimpel, *Gaussian error linear units* (2016).

    >>> round(float(SiLU()(1.0)), 4)
    0.7311
    """

    function = F.silu
    inplace: bool = False


class Mish(Function):
    """y = x·tanh(log(1 + eˣ)): x times a gate that opens as x grows, as in `SiLU`.

    inplace: accepted, and changes nothing.

    Source: Misra, *Mish: a self regularized non-monotonic activation function* (2019).

    >>> round(float(Mish()(1.0)), 4)
    0.8651
    """

    function = F.mish
    inplace: bool = False


class Hardswish(Function):
    """y = x·hardsigmoid(x), which is 0 up to −3, x from 3 on, and x·(x + 3)/6 between: a `SiLU` without an exponential.

    inplace: accepted, and changes nothing.

    Source: Howard et al., *Searching for MobileNetV3* (2019).

    >>> float(Hardswish()(0.0)), float(Hardswish()(3.0))
    (0.0, 3.0)
    """

    function = F.hardswish
    inplace: bool = False


class GLU(Function):
    """y = a·σ(b), where a and b are the halves of x along an axis: one half says how much of the other passes.

    axis: the axis that is halved; its length must be even. y has half that length.

    Raises ValueError, when it is called, for an axis of odd length.

    Source: Dauphin et al., *Language modeling with gated convolutional networks* (2017).

    >>> import numpy as np
    >>> GLU()(np.array([3.0, 5.0, 0.0, 1e4])).tolist()
    [1.5, 5.0]
    """

    function = F.glu
    axis: int = -1


# ---------------------------------------------------------------------------------------------------
# Probabilities


class Softmax(Function):
    """yᵢ = exp xᵢ / Σⱼ exp xⱼ: positive numbers that add up to 1 along an axis, which can be read as probabilities.

    For training, give `CrossEntropyLoss` the numbers before the softmax (the logits): it contains the softmax.

    axis: the axis along which y adds up to 1.

    >>> import numpy as np
    >>> Softmax()(np.array([[0.0, 0.0], [1e4, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """

    function = F.softmax
    axis: int = -1


class LogSoftmax(Function):
    """yᵢ = xᵢ − log Σⱼ exp xⱼ, the logarithm of softmax. It stays finite where a probability is rounded to 0; `NLLLoss`
    takes it.

    axis: the axis along which exp y adds up to 1.

    >>> import numpy as np
    >>> LogSoftmax()(np.array([1e4, 0.0])).tolist()
    [0.0, -10000.0]
    """

    function = F.log_softmax
    axis: int = -1
