"""JAX: the whole step compiled by jax.jit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from tests.benchmarks.convnets import LR, problem


def step(network):
    p = problem(network)
    x, labels = jnp.asarray(p.x), jnp.asarray(p.labels)
    parameters = [(jnp.asarray(w), jnp.asarray(b)) for w, b in zip(p.weights, p.biases, strict=True)]
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros, zeros, 0.0, jax.random.PRNGKey(0))

    def loss_of(parameters, key, x, labels):
        given, h = iter(parameters), x
        for kind, *options in network:
            if kind == "conv":
                (w, b), pad = next(given), options[2]
                h = lax.conv_general_dilated(h, w, (1, 1), [(pad, pad)] * 2) + b[:, None, None]
            elif kind == "pool":
                h = lax.reduce_window(h, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            elif kind == "affine":
                w, b = next(given)
                h = h.reshape(len(h), -1) @ w + b
            elif kind == "relu":
                h = jax.nn.relu(h)
            else:
                key, now = jax.random.split(key)
                h = jnp.where(jax.random.bernoulli(now, 0.5, h.shape), h / 0.5, 0)
        return -jax.nn.log_softmax(h)[jnp.arange(len(labels)), labels].mean()

    @jax.jit
    def update(state, x, labels):
        parameters, first, second, t, key = state
        key, now = jax.random.split(key)
        loss, g = jax.value_and_grad(loss_of)(parameters, now, x, labels)
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, g)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
        parameters = jax.tree.map(
            lambda p, m, v: p - LR * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8),
            parameters,
            first,
            second,
        )
        return loss, (parameters, first, second, t, key)

    def learn():
        nonlocal state
        loss, state = update(state, x, labels)
        jax.block_until_ready(state)
        return float(loss)

    return learn
