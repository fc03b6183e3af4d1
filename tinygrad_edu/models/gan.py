"""Generative adversarial networks: a generator that makes examples, and a discriminator that tells them from real ones.

In turns, the discriminator learns by `discriminator_loss(D(x), D(G(z).detach()))`, the generator by
`generator_loss(D(G(z)))`, each by an optimizer of its own.

Sources: Goodfellow et al., *Generative adversarial nets* (2014); Radford, Metz and Chintala, *Unsupervised representation
learning with deep convolutional generative adversarial networks* (2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.models.vae import standard_normal
from tinygrad_edu.nn import (
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LeakyReLU,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    Unflatten,
    init,
)
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


def discriminator_loss(real: Any, fake: Any) -> Any:
    """−log σ(D(x)) − log(1 − σ(D(G(z)))), each a mean: real examples are to be called so, made ones not.

    real, fake: logits of the discriminator.

    >>> float(discriminator_loss(np.zeros(3), np.zeros(3)).round(4))
    1.3863
    """
    return np.mean(F.softplus(-real)) + np.mean(F.softplus(fake))


def generator_loss(fake: Any) -> Any:
    """−log σ(D(G(z))), a mean: made examples are to be called real.

    It has the same aim as log(1 − σ(D(G(z)))), but a slope also where the discriminator is sure, as it is at first.

    fake: logits of the discriminator.

    >>> float(generator_loss(np.zeros(3)).round(4))
    0.6931
    """
    return np.mean(F.softplus(-fake))


class GAN(Module):
    """Both networks, of affine layers: `generator` from z to examples of numbers from 0 to 1, `discriminator` to logits.

    inputs: the numbers of an example.
    latent: those of z.
    hidden: the width between.
    generator: what weights and z are drawn from, if not from the generator that `manual_seed` sets.

    >>> net = GAN(64, 8)
    >>> made = net.sample(5)
    >>> made.shape, net.discriminator(made).shape
    ((5, 64), (5, 1))
    """

    def __init__(
        self, inputs: int, latent: int, hidden: int = 128, *, generator: np.random.Generator | None = None
    ) -> None:
        self.latent, self.source = latent, generator
        drawn: dict[str, Any] = {"generator": generator}
        self.generator = Sequential(
            Linear(latent, hidden, **drawn), ReLU(),
            Linear(hidden, hidden, **drawn), ReLU(),
            Linear(hidden, inputs, **drawn), Sigmoid(),
        )  # fmt: skip
        self.discriminator = Sequential(
            Linear(inputs, hidden, **drawn), LeakyReLU(0.2),
            Linear(hidden, hidden, **drawn), LeakyReLU(0.2),
            Linear(hidden, 1, **drawn),
        )  # fmt: skip

    def sample(self, count: int, generator: np.random.Generator | None = None) -> Tensor:
        """G(z) of so many z ~ N(0, I), in the graph: call `.detach()` for the discriminator's turn.

        count: how many. generator: where z is drawn from, if not from the model's own.
        """
        made: Tensor = self.generator(standard_normal((count, self.latent), np.float32, generator or self.source))
        return made

    def forward(self, x: ArrayLike) -> Tensor:
        """Logits that x are real ones."""
        logits: Tensor = self.discriminator(x)
        return logits


class DCGAN(GAN):
    """Both networks, of convolutions that step by 2: images (N, channels, size, size) of numbers from −1 to 1.

    latent: the numbers of z.
    channels: of the images.
    size: their height and width, a power of 2 from 8 on.
    features: the filters next to the image; there are twice as many at each step away from it.
    generator: what weights and z are drawn from, if not from the generator that `manual_seed` sets.

    Kernels begin normal of deviation 0.02, as the paper has them.

    Raises ValueError for another size.

    >>> net = DCGAN(8, size=16, features=4)
    >>> made = net.sample(2)
    >>> made.shape, net(made).shape
    ((2, 1, 16, 16), (2, 1))
    """

    def __init__(
        self,
        latent: int = 100,
        channels: int = 1,
        size: int = 64,
        features: int = 64,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        steps = size.bit_length() - 3  # from 4 × 4 to the image
        if size < 8 or size & (size - 1):
            raise ValueError(f"DCGAN makes images whose size is a power of 2 from 8 on, but got size={size}")
        self.latent, self.source = latent, generator
        widths = [features << i for i in reversed(range(steps))]
        up: list[Any] = [Unflatten(1, (latent, 1, 1)), ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
        for n, m in zip(widths, [*widths[1:], channels], strict=True):
            up += [BatchNorm2d(n), ReLU(), ConvTranspose2d(n, m, 4, 2, 1, bias=False)]
        self.generator = Sequential(*up, Tanh())
        down: list[Any] = []
        for n, m in zip([channels, *widths[:0:-1]], widths[::-1], strict=True):
            down += [
                Conv2d(n, m, 4, 2, 1, bias=False),
                *([BatchNorm2d(m)] if n != channels or down else []),
                LeakyReLU(0.2),
            ]
        self.discriminator = Sequential(*down, Conv2d(widths[0], 1, 4, 1, 0, bias=False), Flatten())
        for p in self.parameters():
            if p.ndim > 1:
                p.data[...] = init.normal(p.shape, 0.0, 0.02, generator=generator)
