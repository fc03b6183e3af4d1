"""GPT: its size, its past, what it generates, and what it does not take."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.models import GPT
from tinygrad_edu.models.gpt import Cache, drawn, on_arrays
from tinygrad_edu.nn import functional as F


def small(**settings):
    tg.manual_seed(0)
    return GPT(**{"vocab_size": 11, "block_size": 12, "n_layer": 2, "n_head": 2, "n_embd": 8, **settings})


def seeded():
    return np.random.default_rng(7)


def size(model):
    return sum(p.size for p in model.parameters())


def test_parameters_as_published():
    """GPT-2 has 124,439,808 of them: 12 blocks of width 768, 50,257 tokens, 1,024 places."""
    one = GPT(vocab_size=1, block_size=1, n_layer=1, n_head=12, n_embd=768)
    block = sum(p.size for p in one.h[0].parameters())
    assert size(one) + 11 * block + (50_257 - 1 + 1_024 - 1) * 768 == 124_439_808
    assert [name for name, _ in one.named_parameters()][:5] == [
        "wte.weight", "wpe.weight", "h.0.ln_1.weight", "h.0.ln_1.bias", "h.0.attn.c_attn.weight",
    ]  # fmt: skip
    assert size(small(tied=False)) == size(small()) + 8 * 11


def test_it_begins_without_preferences():
    model = small(n_layer=4)
    logits = model(np.arange(10)[None])
    assert F.cross_entropy(logits[0], np.arange(1, 11)).item() == pytest.approx(np.log(11), rel=0.05)


@pytest.mark.parametrize("settings", [{}, {"tied": False}, {"bias": False}, {"approximate": "none"}], ids=str)
def test_later_tokens_change_no_earlier_logits(settings):
    model, tokens = small(**settings), np.arange(9) % 5
    changed = np.where(np.arange(9) < 6, tokens, 10)
    a, b = model(tokens).numpy(), model(changed).numpy()
    np.testing.assert_array_equal(a[:6], b[:6])
    assert (a[6:] != b[6:]).any(axis=-1).all()


def test_read_in_pieces_it_says_the_same():
    model = on_arrays(small())
    tokens = np.random.default_rng(0).integers(0, 11, (3, 12))
    for cuts in ([1] * 12, [5, 1, 6], [3, 3, 3, 3]):
        caches, found, place = [Cache(12) for _ in model.h], [], 0
        for cut in cuts:
            found.append(model(tokens[:, place : place + cut], caches))
            place += cut
        np.testing.assert_allclose(np.concatenate(found, axis=1), model(tokens), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.0}, {"temperature": 0.5, "top_k": 3}, {"top_k": 1}], ids=str
)
@pytest.mark.parametrize("prompt", [[3], [[1, 2, 3], [4, 5, 6]], list(range(11))], ids=str)
def test_with_and_without_a_cache_the_same_tokens(prompt, settings):
    """Also beyond the positions, where the last of the tokens are read anew."""
    model = small(dropout=0.5)
    with_cache, without = [
        model.generate(prompt, 25, generator=seeded(), cache=cache, **settings) for cache in (True, False)
    ]
    np.testing.assert_array_equal(with_cache, without)
    assert with_cache.shape == (*np.shape(prompt)[:-1], np.shape(prompt)[-1] + 25)
    assert (with_cache[..., : np.shape(prompt)[-1]] == prompt).all()
    assert model.training


def test_what_is_drawn():
    logits = np.log([[0.1, 0.2, 0.7]])

    def shares(temperature, top_k):
        rng = seeded()
        found = drawn(np.repeat(logits, 20_000, 0), temperature, top_k, rng)
        return np.bincount(found, minlength=3) / 20_000

    np.testing.assert_allclose(shares(1.0, None), [0.1, 0.2, 0.7], atol=0.015)
    np.testing.assert_allclose(shares(1.0, 2), [0, 2 / 9, 7 / 9], atol=0.015)
    np.testing.assert_allclose(shares(0.5, None), np.array([1, 4, 49]) / 54, atol=0.015)
    assert shares(0.0, None).tolist() == shares(1.0, 1).tolist() == [0, 0, 1]


def test_the_generator_decides():
    model = small()
    assert (model.generate([1], 9, generator=seeded()) == model.generate([1], 9, generator=seeded())).all()
    tg.manual_seed(3)
    a = model.generate([1], 9)
    tg.manual_seed(3)
    assert (model.generate([1], 9) == a).all()


def trained(run, steps=30, **settings):
    model = small(n_embd=16, **settings)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    def step(x, y):
        loss = F.cross_entropy(model(x).reshape(-1, 11), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step, losses = run(step), []
    rng = np.random.default_rng(0)
    for _ in range(steps):
        tokens = (rng.integers(0, 11, (8, 1)) + np.arange(13)) % 11  # it counts
        losses.append(float(step(tokens[:, :-1], tokens[:, 1:])))
    return model, losses


def test_it_learns_to_count_also_replayed():
    model, losses = trained(tg.replay, 80)
    assert losses[-1] < 0.2 < 2.0 < losses[0]
    assert model.generate([4], 6, temperature=0.0).tolist() == [4, 5, 6, 7, 8, 9, 10]
    for settings in ({"dropout": 0.2}, {"tied": False, "approximate": "none"}):
        np.testing.assert_allclose(
            trained(tg.replay, 5, **settings)[1], trained(lambda f: f, 5, **settings)[1], rtol=1e-5
        )


def test_what_it_does_not_take():
    model = small()
    before = model.state_dict()
    for call, error, words in (
        (lambda: GPT(11, 12, 2, 3, 8), ValueError, "n_embd=8 and n_head=3"),
        (lambda: GPT(0, 12), ValueError, "vocab_size of 1 at least, but got 0"),
        (lambda: GPT(11, 12, 1, 1, 8, dropout=-1.0), ValueError, "GPT's dropout is a number between 0 and 1"),
        (lambda: model(np.zeros((2, 13), int)), ValueError, "positions for block_size=12 tokens, but got 13"),
        (
            lambda: model(np.zeros((1, 2, 3), int)),
            ValueError,
            r"tokens of shape \(N, L\), or \(L,\), but got \(1, 2, 3\)",
        ),
        (lambda: model(np.array([11])), IndexError, "11"),
        (lambda: model.generate([], 3), ValueError, "a prompt of one token or more"),
        (lambda: model.generate([1.5], 3), TypeError, "takes whole numbers, but got a prompt of float64"),
        (lambda: model.generate([1], -1), ValueError, "max_new_tokens=-1"),
        (lambda: model.generate([1], 3, temperature=-1.0), ValueError, "temperature is 0 or more"),
        (lambda: model.generate([1], 3, top_k=0), ValueError, "top_k is 1 or more"),
        (lambda: model.generate([12], 3), IndexError, "12"),
    ):
        with pytest.raises(error, match=words):
            call()
    assert all((before[name] == array).all() for name, array in model.state_dict().items())
