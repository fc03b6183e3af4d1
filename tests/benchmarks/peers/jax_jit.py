"""JAX: the whole step compiled by jax.jit."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from tests.benchmarks.peers import LR, SEVEN_LAYERS, problem, three_vectors


def expression():
    vectors = [jnp.asarray(v) for v in three_vectors()]
    run = jax.jit(jax.value_and_grad(lambda a, b, c: jax.nn.relu(a * b + c).sum(), argnums=(0, 1, 2)))

    def step(value=False):
        y, gradients = run(*vectors)
        jax.block_until_ready(gradients)
        return float(y) if value else None

    return step


def _stepping(update, state, x, labels):
    def step(value=False):
        nonlocal state
        loss, state = update(state, x, labels)
        jax.block_until_ready(state)
        return float(loss) if value else None

    return step


def net(widths):
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

    return _stepping(update, state, x, labels)


def modern_net():
    p = problem(SEVEN_LAYERS)
    layers = [
        {"w": jnp.asarray(w), "b": jnp.asarray(b), "scale": jnp.ones(b.shape), "shift": jnp.zeros(b.shape)}
        for w, b in zip(p.weights, p.biases, strict=True)
    ]
    running = [(jnp.zeros(b.shape), jnp.ones(b.shape)) for b in p.biases]
    zeros = jax.tree.map(jnp.zeros_like, layers)
    state = (layers, zeros, zeros, running, 0.0, jax.random.PRNGKey(0))
    x, labels = jnp.asarray(p.x), jnp.asarray(p.labels)

    def loss_of(layers, running, key, x, labels):
        h, tracked = x, []
        for i, (layer, (mean, var)) in enumerate(zip(layers, running, strict=True)):
            h = h @ layer["w"] + layer["b"]
            if i + 1 < len(layers):
                m, v = h.mean(axis=0), h.var(axis=0)
                h = (h - m) / jnp.sqrt(v + 1e-5) * layer["scale"] + layer["shift"]
                tracked.append((0.9 * mean + 0.1 * m, 0.9 * var + 0.1 * v * len(x) / (len(x) - 1)))
                key, now = jax.random.split(key)
                h = jnp.where(jax.random.bernoulli(now, 0.5, h.shape), jax.nn.relu(h) / 0.5, 0)
        loss = -jax.nn.log_softmax(h)[jnp.arange(len(labels)), labels].mean()
        return loss, ([*tracked, running[-1]], key)

    @jax.jit
    def update(state, x, labels):
        layers, first, second, running, t, key = state
        (loss, (running, key)), g = jax.value_and_grad(loss_of, has_aux=True)(layers, running, key, x, labels)
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, g)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
        layers = jax.tree.map(
            lambda p, m, v: p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), layers, first, second
        )
        return loss, (layers, first, second, running, t, key)

    return _stepping(update, state, x, labels)
