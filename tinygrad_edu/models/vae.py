"""A variational autoencoder: a code that is a distribution, so that new examples can be drawn.

The evidence lower bound of an example's log-likelihood is

    ELBO = E[log p(x | z)] − KL(q(z | x) ‖ N(0, I)),  z = μ + σ·ε,  ε ~ N(0, I)

whose first term is how well x is said again, and whose second how far its code is from what will be drawn.

Source: Kingma and Welling, *Auto-encoding variational Bayes* (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.models.autoencoder import layers
from tinygrad_edu.nn import Module
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


def standard_normal(
    shape: tuple[int, ...], dtype: Any = np.float32, generator: np.random.Generator | None = None
) -> Any:
    """ε ~ N(0, I): drawn anew in each run of a replayed function.

    shape, dtype: of the numbers. generator: where from, if not from the generator that `manual_seed` sets.

    >>> standard_normal((2, 3), generator=np.random.default_rng(0)).shape
    (2, 3)
    """
    return random.draw(random.Normal(np.float64), shape, dtype, generator, "noise")


def kl_divergence(mean: Any, log_var: Any) -> Any:
    """KL(N(μ, σ²) ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²), for each example: (N,).

    mean: μ, (N, latent). log_var: log σ², (N, latent).

    >>> kl_divergence(np.zeros((1, 3)), np.zeros((1, 3))).tolist(), kl_divergence(np.ones((1, 2)), np.zeros((1, 2))).tolist()
    ([0.0], [1.0])
    """
    return np.sum(np.square(mean) + np.exp(log_var) - 1 - log_var, axis=-1) * 0.5


def negative_elbo(logits: Any, x: Any, mean: Any, log_var: Any, beta: float = 1.0) -> Any:
    """−ELBO, the mean over the batch: the cross-entropy of pixels from 0 to 1, summed over an example, and β·KL.

    logits, x: (N, inputs). mean, log_var: (N, latent). beta: how much a code close to N(0, I) is worth.

    >>> float(negative_elbo(np.zeros((1, 2)), np.ones((1, 2)), np.ones((1, 2)), np.zeros((1, 2))).round(4))
    2.3863
    """
    said = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return np.mean(np.sum(said, axis=-1) + kl_divergence(mean, log_var) * beta)


class VAE(Module):
    """An encoder to μ and log σ², and a decoder of z = μ + σ·ε.

    inputs: the numbers of an example.
    latent: those of z.
    hidden: widths between, in reverse after z.
    generator: what weights and ε are drawn from, if not from the generator that `manual_seed` sets.

    Returns logits (N, inputs), μ and log σ² (N, latent), as `negative_elbo` takes them; in evaluation mode z = μ.

    >>> net = VAE(64, 2)
    >>> x = np.ones((5, 64), np.float32)
    >>> logits, mean, log_var = net(x)
    >>> logits.shape, mean.shape, negative_elbo(logits, x, mean, log_var).shape, net.sample(3).shape
    ((5, 64), (5, 2), (), (3, 64))
    """

    def __init__(
        self, inputs: int, latent: int, hidden: Sequence[int] = (128,), *, generator: np.random.Generator | None = None
    ) -> None:
        self.latent, self.generator = latent, generator
        self.encoder = layers([inputs, *hidden, 2 * latent], generator)
        self.decoder = layers([latent, *hidden[::-1], inputs], generator)

    def forward(self, x: ArrayLike) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of what is said again, μ and log σ²."""
        parts: Any = np.split(self.encoder(x), 2, axis=-1)
        mean, log_var = parts
        z = mean
        if self.training:
            z = mean + np.exp(log_var * 0.5) * standard_normal(mean.shape, mean.dtype, self.generator)
        return self.decoder(z), mean, log_var

    def sample(self, count: int, generator: np.random.Generator | None = None) -> Array:
        """New examples, numbers from 0 to 1: what z ~ N(0, I) is decoded to. (count, inputs)

        count: how many. generator: where z is drawn from, if not from the model's own.
        """
        z = standard_normal((count, self.latent), self.decoder[0].weight.dtype, generator or self.generator)
        return no_grad().run(lambda: F.sigmoid(self.decoder(z)).numpy())
