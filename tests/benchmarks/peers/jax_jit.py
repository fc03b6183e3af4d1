"""JAX: the whole step compiled by jax.jit."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tests.benchmarks.peers import LR, SEVEN_LAYERS, SMALL_NET, WIDE_NET, problem, three_vectors


def expression():
    vectors = [jnp.asarray(v) for v in three_vectors()]
    run = jax.jit(jax.value_and_grad(lambda a, b, c: jax.nn.relu(a * b + c).sum(), argnums=(0, 1, 2)))

    def step(value=False):
        y, gradients = run(*vectors)
        jax.block_until_ready(gradients)
        return float(y) if value else None

    return step


def _net(widths):
    p = problem(widths)
    state = [(jnp.asarray(w), jnp.asarray(b)) for w, b in zip(p.weights, p.biases, strict=True)]
    x, labels = jnp.asarray(p.x), jnp.asarray(p.labels)

    def loss_of(parameters, x, labels):
        h = x
        for w, b in parameters[:-1]:
            h = jax.nn.relu(h @ w + b)
        w, b = parameters[-1]
        return -jax.nn.log_softmax(h @ w + b)[jnp.arange(len(labels)), labels].mean()

    @jax.jit
    def update(parameters, x, labels):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, labels)
        return loss, jax.tree.map(lambda p, g: p - LR * g, parameters, gradients)

    def step(value=False):
        nonlocal state
        loss, state = update(state, x, labels)
        jax.block_until_ready(state)
        return float(loss) if value else None

    return step


def small_net():
    return _net(SMALL_NET)


def seven_layers():
    return _net(SEVEN_LAYERS)


def wide_net():
    return _net(WIDE_NET)
