# %% [markdown]
# # 24. Autoencoder, VAE and GAN
#
# Three networks that learn what digits look like without being told which they are: one that says again what it read, one
# whose code is a distribution, and two that play against each other. What the second makes up is then given to a classifier
# as further examples.
#
# Sources: Hinton and Salakhutdinov (2006); Kingma and Welling, *Auto-encoding variational Bayes* (2014); Goodfellow et al.,
# *Generative adversarial nets* (2014).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import optim
from tinygrad_edu.data import datasets
from tinygrad_edu.models import GAN, VAE, Autoencoder, mlp
from tinygrad_edu.models.gan import discriminator_loss, generator_loss
from tinygrad_edu.models.vae import negative_elbo

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/24")
OUT.mkdir(parents=True, exist_ok=True)
tg.manual_seed(0)
generator = np.random.default_rng(0)

# %%
(train, labels), (test, test_labels) = datasets.digits()
print(f"{len(train)} digits of {train.shape[1]} pixels from 0 to 1 to learn from, {len(test)} to test with")


def learn(model, loss_of, steps, examples=train, lr=0.002):
    """Train on batches of 64 examples; returns the losses."""
    optimizer = optim.Adam(model.parameters(), lr=lr)

    @tg.replay
    def step(x):
        loss = loss_of(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [float(step(examples[generator.integers(0, len(examples), 64)])) for _ in range(steps)]


def show(rows, name):
    """A picture of rows of digits."""
    side = int(np.sqrt(rows[0].shape[1]))
    figure, axes = plt.subplots(len(rows), 10, figsize=(8, 0.85 * len(rows)))
    for axis, image in zip(axes.ravel(), np.concatenate([row[:10] for row in rows]), strict=True):
        axis.imshow(image.reshape(side, side), cmap="Greys", vmin=0, vmax=1)
        axis.axis("off")
    figure.savefig(OUT / f"{name}.png", dpi=150, bbox_inches="tight")


# %% [markdown]
# ## An autoencoder
#
# What it read has to pass through a few numbers. Principal components do the same with straight lines, and worse.

# %%
STEPS = 400 if QUICK else 4000
CODE = 8
coder = Autoencoder(train.shape[1], CODE)
learn(coder, lambda x: F.mse_loss(coder(x), x), STEPS)
error = float(np.square(coder(test).numpy() - test).mean())
mean = train.mean(axis=0)
axes = np.linalg.svd(train - mean, full_matrices=False)[2][:CODE]
of_components = float(np.square((test - mean) - (test - mean) @ axes.T @ axes).mean())
print(f"error with {CODE} numbers: {error:.4f}; of as many principal components {of_components:.4f}")
show([test, coder(test[:10]).numpy().clip(0, 1), (mean + (test[:10] - mean) @ axes.T @ axes).clip(0, 1)], "said_again")

# %% [markdown]
# ## A variational autoencoder
#
# The code of a digit is a normal distribution, and all codes together are to be like N(0, I): what is drawn from there is
# then decoded to a digit that nobody wrote. The loss is −ELBO, what saying again costs and the divergence.

# %%
vae = VAE(train.shape[1], CODE)


def minus_elbo(x):
    logits, mu, log_var = vae(x)
    return negative_elbo(logits, x, mu, log_var)


losses = learn(vae, minus_elbo, STEPS)
made_by_vae = vae.sample(200)
print(f"−ELBO from {np.mean(losses[:10]):.1f} to {np.mean(losses[-50:]):.1f}")

# %% [markdown]
# ## Two players
#
# The discriminator learns to tell digits from what the generator makes, the generator to be taken for real. Neither sees the
# other's digits again: what the generator knows of them is the slope that comes back through the discriminator.

# %%
gan = GAN(train.shape[1], 16)
players = [optim.Adam(part.parameters(), lr=5e-4, betas=(0.5, 0.999)) for part in (gan.discriminator, gan.generator)]


@tg.replay
def turn(x):
    """A step of each player."""
    made = gan.sample(len(x))
    tells = discriminator_loss(gan(x), gan(made.detach()))
    gan.zero_grad()
    tells.backward()
    players[0].step()
    fools = generator_loss(gan(made))
    gan.zero_grad()
    fools.backward()
    players[1].step()
    return tells, fools


for _ in range(2 * STEPS):
    tells, fools = turn(train[generator.integers(0, len(train), 64)])
made_by_gan = gan.sample(200).numpy()
print(f"the discriminator's loss {tells.item():.2f} (chance: {2 * np.log(2):.2f}), the generator's {fools.item():.2f}")
show([train, made_by_vae, made_by_gan], "made_up")


def nearest(made):
    """How far a digit that was made is from the nearest real one, on average, over how far two real ones are."""
    apart = np.sqrt(np.square(made[:, None] - train[None]).sum(-1))
    among = np.sqrt(np.square(test[:200, None] - train[None]).sum(-1))
    return float(apart.min(1).mean() / among.min(1).mean())


noise = np.clip(generator.normal(mean, train.std(axis=0), (200, len(mean))), 0, 1)
likeness = {"VAE": nearest(made_by_vae), "GAN": nearest(made_by_gan), "independent pixels": nearest(noise)}
print({name: round(value, 2) for name, value in likeness.items()})

# %% [markdown]
# ## As further examples
#
# A classifier has 10 labelled digits of each kind. The VAE saw all digits, but no labels. What lies between the codes of two
# digits of a kind is decoded to a further example of that kind.
#
# It does not help: the decoder's digits are blurred, and a classifier that learns from them reads sharp ones a little worse.
# Turning and shifting digits (lesson 9) does help, for it tells the classifier something that it did not know.

# %%
few = np.concatenate([np.flatnonzero(labels == k)[:10] for k in range(10)])


def accuracy(x, y):
    """Return the mean accuracy, on the test digits, of a few classifiers that learn from these digits."""
    return float(np.mean([of_one(x, y, seed) for seed in range(2 if QUICK else 5)]))


def of_one(x, y, seed):
    tg.manual_seed(seed)
    net = mlp(x.shape[1], 64, 10)
    optimizer = optim.Adam(net.parameters(), lr=0.003)

    @tg.replay
    def step(x, y):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(STEPS):
        batch = generator.integers(0, len(x), 64)
        step(x[batch], y[batch])
    return float((net(test).numpy().argmax(1) == test_labels).mean())


vae.eval()
TIMES = 5  # further examples for each
with tg.no_grad():
    codes = vae(train[few])[1].numpy().reshape(10, 10, CODE)  # kind, example
    first, second = generator.integers(0, 10, (2, 10, 10 * TIMES))
    share = generator.uniform(0, 0.5, (10, 10 * TIMES, 1)).astype(np.float32)
    kinds = np.arange(10)[:, None]
    between = codes[kinds, first] * (1 - share) + codes[kinds, second] * share
    further = tg.sigmoid(vae.decoder(between.reshape(-1, CODE))).numpy()
further_labels = np.repeat(np.arange(10), 10 * TIMES)
alone = accuracy(train[few], labels[few])
helped = accuracy(np.concatenate([train[few], further]), np.concatenate([labels[few], further_labels]))
print(f"accuracy from 100 digits {alone:.3f}, with {len(further)} made of them {helped:.3f}")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "error of the autoencoder, over that of components": error / of_components,
    "negative ELBO at first": float(np.mean(losses[:10])),
    "negative ELBO at last": float(np.mean(losses[-50:])),
    "distance of the VAE's digits": likeness["VAE"],
    "distance of the GAN's digits": likeness["GAN"],
    "distance of independent pixels": likeness["independent pixels"],
    "accuracy from few": alone,
    "accuracy with further ones": helped,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
