"""Autoencoders and adversarial networks: sizes, formulas, and that they learn, replayed too."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.models import DCGAN, GAN, VAE, Autoencoder
from tinygrad_edu.models.gan import discriminator_loss, generator_loss
from tinygrad_edu.models.vae import kl_divergence, negative_elbo
from tinygrad_edu.nn import functional as F
from tinygrad_edu.testing import gradcheck


def rng():
    return np.random.default_rng(0)


def on_a_plane(n=128):
    """Examples of eight numbers from 0 to 1 that two numbers say."""
    z = rng().standard_normal((n, 2))
    return (1 / (1 + np.exp(-z @ rng().standard_normal((2, 8)) * 2))).astype(np.float32)


def trained(model, loss_of, x, run, steps=150):
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x):
        loss = loss_of(model, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = run(step)
    return [float(step(x)) for _ in range(steps)]


def test_two_numbers_are_enough():
    x = on_a_plane()
    losses = trained(Autoencoder(8, 2, (32,), generator=rng()), lambda m, x: F.mse_loss(m(x), x), x, tg.replay)
    assert losses[-1] < 0.1 * x.var() < 0.5 * losses[0]


def test_one_linear_layer_finds_what_principal_components_do():
    x = on_a_plane() - on_a_plane().mean(0)
    losses = trained(Autoencoder(8, 2, (), generator=rng()), lambda m, x: F.mse_loss(m(x), x), x, tg.replay, 400)
    left = np.square(np.linalg.svd(x, compute_uv=False)[2:]).sum() / x.size
    assert left * 0.999 < losses[-1] < left * 1.05


def elbo(model, x):
    logits, mean, log_var = model(x)
    return negative_elbo(logits, x, mean, log_var)


def test_the_divergence_is_that_of_the_distributions():
    """The divergence is the mean of log q(z) − log p(z) over many draws of z."""
    mean, log_var = np.array([[0.5, -1.0]]), np.array([[0.3, -0.7]])
    noise = rng().standard_normal((400_000, 2))
    z = mean + np.exp(log_var / 2) * noise
    drawn = (-0.5 * (noise**2 + log_var) + 0.5 * z**2).sum(-1).mean()
    assert kl_divergence(mean, log_var)[0] == pytest.approx(drawn, rel=0.01)
    gradcheck(kl_divergence, [mean, log_var], order=2)
    gradcheck(
        lambda a, m, v: negative_elbo(a, np.full((2, 3), 0.3), m, v, 0.5),
        [rng().standard_normal((2, n)) for n in (3, 2, 2)],
    )


def test_a_variational_autoencoder_learns_and_draws():
    x = on_a_plane()
    model = VAE(8, 2, (32,), generator=rng())
    losses = trained(model, elbo, x, tg.replay)
    assert losses[-1] < losses[0] - 0.3
    made = model.sample(2000, rng())
    assert made.min() >= 0.0
    assert made.max() <= 1.0
    np.testing.assert_allclose(made.mean(0), x.mean(0), atol=0.1)
    model.eval()
    assert (model(x)[0] == model(x)[0]).all()
    eager = trained(VAE(8, 2, (32,), generator=rng()), elbo, x, lambda f: f, 5)
    np.testing.assert_allclose(losses[:5], eager, rtol=1e-5)


def test_losses_of_the_two_players():
    real, fake = rng().standard_normal(5), rng().standard_normal(7)
    p, q = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    assert discriminator_loss(real, fake) == pytest.approx(-np.log(p).mean() - np.log(1 - q).mean())
    assert generator_loss(fake) == pytest.approx(-np.log(q).mean())
    gradcheck(discriminator_loss, [real, fake])
    gradcheck(generator_loss, [fake])


def test_a_generator_learns_where_examples_are():
    x = on_a_plane(256) ** 3
    model = GAN(8, 4, 32, generator=rng())
    optimizers = [
        optim.Adam(part.parameters(), lr=0.003, betas=(0.5, 0.999)) for part in (model.discriminator, model.generator)
    ]

    @tg.replay
    def step(x):
        made = model.sample(len(x))
        losses = []
        for optimizer, loss_of in zip(
            optimizers,
            [lambda: discriminator_loss(model(x), model(made.detach())), lambda: generator_loss(model(made))],
            strict=True,
        ):
            loss = loss_of()
            model.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss)
        return tuple(losses)

    before = np.abs(model.sample(1000, rng()).numpy().mean(0) - x.mean(0)).max()
    for _ in range(300):
        step(x)
    after = np.abs(model.sample(1000, rng()).numpy().mean(0) - x.mean(0)).max()
    assert after < 0.6 * before


def test_parameters_as_published():
    """PyTorch's example of DCGAN: 3,576,704 and 2,765,568."""
    model = DCGAN(100, 3, 64, 64)
    sizes = [sum(p.size for p in part.parameters()) for part in (model.generator, model.discriminator)]
    assert sizes == [3_576_704, 2_765_568]
    assert model.generator[1].weight.numpy().std() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize("size", [8, 32])
def test_images_of_other_sizes(size):
    model = DCGAN(5, 2, size, 3, generator=rng())
    made = model.sample(2)
    assert made.shape == (2, 2, size, size)
    assert np.abs(made.numpy()).max() <= 1
    generator_loss(model(made)).backward()
    assert all(p.grad is not None for p in model.parameters())
    for wrong in (4, 24):
        with pytest.raises(ValueError, match=f"power of 2 from 8 on, but got size={wrong}"):
            DCGAN(size=wrong)
