"""Attention and Transformers: what masks and causality keep out, shapes that do not fit, replay, derivatives."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.attention import blocks
from tinygrad_edu.testing import gradcheck


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def naive(q, k, v, mask=None, scale=None):
    """Attention as it is written, row by row."""
    y = np.zeros((*q.shape[:-1], v.shape[-1]))
    for place in np.ndindex(*q.shape[:-1]):
        scores = k[place[:-1]] @ q[place] * (max(q.shape[-1], 1) ** -0.5 if scale is None else scale)
        scores = scores if mask is None else np.where(mask[place[-1]], scores, -np.inf)
        if np.isfinite(scores).any():
            p = np.exp(scores - scores.max())
            y[place] = p / p.sum() @ v[place[:-1]]
    return y


@given(
    st.lists(st.integers(0, 3), max_size=2), st.integers(0, 6), st.integers(0, 6), st.integers(0, 4), st.integers(0, 4),
    st.sampled_from(["plain", "causal", "truths"]), st.sampled_from([1, 64, blocks.BLOCK]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_shape_as_it_is_written(front, length, keys, width, values, kind, block, seed):
    rng = np.random.default_rng(seed)
    q, k, v = [rng.standard_normal((*front, *s)) for s in ((length, width), (keys, width), (keys, values))]
    mask = {"plain": None, "causal": np.tri(length, keys, dtype=bool), "truths": rng.random((length, keys)) < 0.5}[kind]
    settings = {"is_causal": True} if kind == "causal" else {"attn_mask": mask}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        xs = [tg.Tensor(x, requires_grad=True) for x in (q, k, v)]
        y = F.scaled_dot_product_attention(*xs, **settings)
        np.testing.assert_allclose(y.numpy(), naive(q, k, v, mask), rtol=1e-10, atol=1e-12)
        g = rng.standard_normal(y.shape)
        fused = tg.grad(y, xs, g)
        whole = tg.grad(tg.grad(y, xs, tg.Tensor(g, requires_grad=True), create_graph=True), xs, [np.ones(x.shape) for x in xs], allow_unused=True)  # fmt: skip
    np.testing.assert_allclose(
        np.vdot(fused[2].numpy(), v), np.vdot(g, y.numpy()), rtol=1e-9, atol=1e-9
    )  # it is linear
    assert all(np.isfinite(x.numpy()).all() for x in (*fused, *[w for w in whole if w is not None]))


def test_derivatives_of_all_orders():
    q, k, v, mask = numbers(2, 3, 2), numbers(2, 4, 2, seed=1), numbers(2, 4, 3, seed=2), numbers(3, 4, seed=3)
    gradcheck(F.scaled_dot_product_attention, [q, k, v, mask], order=3)
    gradcheck(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), [q, k, v], order=2)


def test_scores_far_apart_keep_every_digit():
    q = np.array([[300.0], [0.01], [-300.0]])
    k, v = np.array([[3.0], [1.0], [-2.0]]), numbers(3, 2)
    for dtype, tolerance in ((float, 1e-12), (np.float32, 1e-5)):
        y = F.scaled_dot_product_attention(*[x.astype(dtype) for x in (q, k, v)])
        np.testing.assert_allclose(y, naive(q, k, v), rtol=tolerance)
        assert y.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_types_are_kept(dtype):
    xs = [tg.Tensor(numbers(2, 3, 4, seed=i).astype(dtype), requires_grad=True) for i in range(3)]
    y = F.scaled_dot_product_attention(*xs, np.tri(3, dtype=bool), dropout_p=0.5)
    assert y.dtype == dtype
    assert [g.dtype for g in tg.grad(y, xs, np.ones(y.shape, dtype))] == [dtype] * 3


def test_dropout_of_weights():
    q, k, v = np.zeros((1, 4)), np.zeros((1000, 4)), np.ones((1000, 1))
    rng = np.random.default_rng(0)
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.3, generator=rng)
    assert y.item() == pytest.approx(1.0, abs=0.1)
    assert y.item() != 1.0
    assert F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).item() == 0.0


@pytest.mark.parametrize("kind", ["truths", "numbers", "padding"])
def test_masks_leak_nothing(kind):
    """Whatever is where nobody looks, values and gradients are the same, and nothing comes back to it."""
    layer = nn.MultiheadAttention(8, 2, batch_first=True, dtype=float)
    hidden = np.array([[3], [5]]) <= np.arange(5)
    x, other = numbers(2, 5, 8), numbers(2, 5, 8)
    other = np.where(hidden[..., None], 100 * numbers(2, 5, 8, seed=1), other)
    found = []
    for keys in (x, other):
        if kind == "padding":
            masks = {"key_padding_mask": hidden}
        else:
            each = np.repeat(np.broadcast_to(hidden[:, None], (2, 5, 5)), 2, axis=0)
            masks = {"attn_mask": each if kind == "truths" else np.where(each, -np.inf, 0.0)}
        for need_weights in (True, False):
            t = tg.Tensor(keys, requires_grad=True)
            y, weights = layer(x, t, t, need_weights=need_weights, **masks)
            g = tg.grad((y * y).sum(), t).numpy()
            assert not g[hidden].any()
            assert weights is None or not weights.numpy()[np.broadcast_to(hidden[:, None], (2, 5, 5))].any()
            found.append((y.numpy(), g))
    for y, g in found[1:]:
        np.testing.assert_allclose(y, found[0][0], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(g, found[0][1], rtol=1e-11, atol=1e-14)


# -- layers whose sizes are drawn ----------------------------------------------------------------------


def turned(layer, x):
    """x, with the batch where the layer has it."""
    return x if layer.batch_first else x.swapaxes(0, 1)


@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.booleans(),
    st.booleans(), st.sampled_from(["plain", "causal", "padding", "truths"]),
)  # fmt: skip
def test_heads_are_attention_of_columns_each(batch, length, keys, heads, width, features, bias, batch_first, kind):
    """Each head, of any size, is attention of its own columns, and the weights that are returned are its factors."""
    rng = np.random.default_rng(length)
    e = heads * width
    layer = nn.MultiheadAttention(
        e, heads, bias=bias, kdim=features, vdim=features, batch_first=batch_first, dtype=float, generator=rng
    )
    q, k, v = [rng.standard_normal((batch, n, m)) for n, m in ((length, e), (keys, features), (keys, features))]
    if bias:
        layer.in_proj_bias.data = rng.standard_normal(3 * e)
    looks = np.ones((batch, length, keys), bool)
    masks = {}
    if kind == "causal":
        looks = looks & np.tri(length, keys, dtype=bool)
        masks["attn_mask"] = ~looks[0]
    elif kind == "padding":
        looks = looks & (np.arange(keys) < rng.integers(1, keys + 1, (batch, 1)))[:, None]
        masks["key_padding_mask"] = ~looks[:, 0]
    elif kind == "truths":
        looks = rng.random((batch, length, keys)) < 0.6
        looks[:, :, 0] = True
        masks["attn_mask"] = np.repeat(~looks, heads, axis=0)
    b = np.split(layer.in_proj_bias.numpy() if bias else np.zeros(3 * e), 3)
    if features == e:
        weights = np.split(layer.in_proj_weight.numpy(), 3, axis=1)
    else:
        weights = [w.numpy() for w in (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)]
    projected = [x @ w + c for x, w, c in zip((q, k, v), weights, b, strict=True)]
    y = np.zeros((batch, length, e))
    for n in range(batch):
        for h in range(heads):
            columns = slice(h * width, (h + 1) * width)
            y[n, :, columns] = naive(*[x[n][:, columns] for x in projected], looks[n])
    y = y @ layer.out_proj.weight.numpy() + (layer.out_proj.bias.numpy() if bias else 0)
    found, probabilities = layer(*[turned(layer, x) for x in (q, k, v)], average_attn_weights=False, **masks)
    np.testing.assert_allclose(turned(layer, found.numpy()), y, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(probabilities.numpy().sum(axis=-1), 1, rtol=1e-12)
    assert not probabilities.numpy()[np.broadcast_to(~looks[:, None], probabilities.shape)].any()


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3), st.lists(st.integers(1, 4), min_size=3, max_size=3), st.integers(1, 2),
    st.booleans(), st.booleans(), st.sampled_from(["relu", "gelu"]),
)  # fmt: skip
def test_filling_up_says_nothing(lengths, others, layers, norm_first, causal, activation):
    """A batch of sequences that are filled up gives what each of them gives alone, and no gradient for what was filled in."""
    how = {"norm_first": norm_first, "activation": activation, "batch_first": True, "dtype": float}
    net = nn.Transformer(6, 2, layers, layers, 5, 0.0, **how)
    rng = np.random.default_rng(sum(lengths))
    others = others[: len(lengths)]
    src, tgt = rng.standard_normal((len(lengths), 6, 6)), rng.standard_normal((len(lengths), 5, 6))
    filled, filled_there = np.arange(6) >= np.array(lengths)[:, None], np.arange(5) >= np.array(others)[:, None]
    src[filled], tgt[filled_there] = 100.0, -100.0
    a, b = tg.Tensor(src, requires_grad=True), tg.Tensor(tgt, requires_grad=True)
    padding = {"src_key_padding_mask": filled, "tgt_key_padding_mask": filled_there, "memory_key_padding_mask": filled}
    y = net(a, b, tgt_is_causal=causal, **padding)
    for n, (length, other) in enumerate(zip(lengths, others, strict=True)):
        alone = net(src[n, :length], tgt[n, :other], tgt_is_causal=causal)
        np.testing.assert_allclose(y.numpy()[n, :other], alone.numpy(), rtol=1e-9, atol=1e-10)
    by_src, by_tgt = tg.grad(np.square(np.where(filled_there[..., None], 0.0, y)).sum(), [a, b])
    assert not by_src.numpy()[filled].any()
    assert not by_tgt.numpy()[filled_there].any()


@given(st.permutations(range(5)), st.booleans(), st.integers(1, 3))
def test_an_encoder_knows_no_order(order, norm_first, heads):
    """Without masks and positions, places that change places take their results along."""
    layer = nn.TransformerEncoderLayer(
        6, heads, 7, 0.0, norm_first=norm_first, batch_first=True, dtype=float, generator=np.random.default_rng(heads)
    )
    x = numbers(2, 5, 6)
    np.testing.assert_allclose(layer(x[:, order]).numpy(), layer(x).numpy()[:, order], rtol=1e-9, atol=1e-11)


@given(st.integers(0, 2), st.integers(1, 4), st.booleans())
def test_a_decoder_of_any_sizes_is_replayed_and_differentiated(batch, length, norm_first):
    layer = nn.TransformerDecoderLayer(4, 2, 3, 0.0, norm_first=norm_first, batch_first=True, dtype=float)
    learnt = list(layer.parameters())

    def step(x, memory):
        y = layer(x, memory, tgt_is_causal=True)
        return y, *tg.grad(np.square(y).sum(), [x, memory, *learnt])

    run = tg.replay(step)
    for seed in range(3):
        xs = [numbers(batch, length, 4, seed=seed), numbers(batch, 3, 4, seed=seed + 9)]
        given = [[tg.Tensor(x, requires_grad=True) for x in xs] for _ in range(2)]
        for a, b in zip(run(*given[0]), step(*given[1]), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


def test_second_derivatives_of_layers():
    x, memory = numbers(2, 3, 4), numbers(2, 2, 4, seed=1)
    how = {"batch_first": True, "dtype": float, "activation": "gelu"}
    gradcheck(nn.TransformerEncoderLayer(4, 2, 3, 0.0, **how), [x], order=2)
    gradcheck(nn.TransformerDecoderLayer(4, 2, 3, 0.0, **how), [x, memory], order=2)
    layer = nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True, dtype=float)
    gradcheck(lambda q, k: layer(q, k, k)[0], [x, memory], order=2)


def stack(kind, **settings):
    layer = getattr(nn, f"Transformer{kind}Layer")(8, 2, 12, 0.0, batch_first=True, dtype=float, **settings)
    return getattr(nn, f"Transformer{kind}")(layer, 2)


@pytest.mark.parametrize("norm_first", [False, True])
def test_later_tokens_change_no_earlier_result(norm_first):
    x = numbers(2, 6, 8)
    changed = x.copy()
    changed[:, 4:] = 7.0
    encoder, decoder = stack("Encoder", norm_first=norm_first), stack("Decoder", norm_first=norm_first)
    memory = numbers(2, 3, 8, seed=1)
    for model in (lambda x: encoder(x, is_causal=True), lambda x: decoder(x, memory, tgt_is_causal=True)):
        a, b = model(x).numpy(), model(changed).numpy()
        np.testing.assert_array_equal(a[:, :4], b[:, :4])
        assert np.abs(a[:, 4:] - b[:, 4:]).max() > 0.01


def test_causal_says_the_same_as_its_mask():
    encoder, x = stack("Encoder"), numbers(2, 6, 8)
    a = encoder(x, is_causal=True)
    for mask in (nn.Transformer.generate_square_subsequent_mask(6, float), ~np.tri(6, dtype=bool)):
        np.testing.assert_allclose(encoder(x, mask).numpy(), a.numpy(), rtol=1e-12)
        np.testing.assert_allclose(encoder(x, mask, is_causal=True).numpy(), a.numpy(), rtol=1e-12)


def test_the_batch_may_stand_first_or_second():
    tg.manual_seed(0)
    first = nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True)
    second = nn.TransformerEncoderLayer(8, 2, 12, 0.0)
    second.load_state_dict(first.state_dict())
    x = numbers(3, 5, 8).astype(np.float32)
    a, b = first(x, is_causal=True).numpy(), second(x.swapaxes(0, 1), is_causal=True).numpy().swapaxes(0, 1)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first(x[0], is_causal=True).numpy(), a[0], rtol=1e-5, atol=1e-6)


def test_replayed_steps_are_those_of_the_eager_ones():
    def trained(run):
        tg.manual_seed(0)
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.2, batch_first=True), 2)
        optimizer = optim.AdamW(model.parameters(), lr=0.01)

        def step(x, padding):
            loss = np.square(model(x, src_key_padding_mask=padding, is_causal=True)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = run(step)
        losses = []
        for i in range(5):
            x = numbers(3, 6, 8, seed=i).astype(np.float32)
            losses.append(float(step(x, np.arange(6) >= np.array([[4], [6], [i + 1]]))))
        return losses

    np.testing.assert_allclose(trained(tg.replay), trained(lambda f: f), rtol=1e-5)


def test_positions():
    sines = nn.PositionalEncoding(5, 0.0, 20, dtype=float)
    x = np.zeros((2, 7, 5))
    np.testing.assert_allclose(sines(x).numpy()[0, 3:], sines(x[:, :4], start=3).numpy()[0])
    assert not list(sines.parameters())
    second = nn.PositionalEncoding(5, 0.0, 20, batch_first=False, dtype=float)
    np.testing.assert_array_equal(second(x.swapaxes(0, 1)).numpy().swapaxes(0, 1), sines(x).numpy())
    learned = nn.PositionalEmbedding(4, 0.0, 8, dtype=float)
    learned(np.zeros((3, 5, 4))).sum().backward()
    assert learned.table.grad.numpy()[:, 0].tolist() == [3.0] * 5 + [0.0] * 3


# -- what does not fit ---------------------------------------------------------------------------------


def test_sizes_that_do_not_fit_a_layer():
    for make, words in (
        (lambda: nn.MultiheadAttention(8, 3), "embed_dim=8 and num_heads=3; choose num_heads that divides embed_dim"),
        (lambda: nn.MultiheadAttention(8, 0), "num_heads=0"),
        (lambda: nn.MultiheadAttention(8, 2, dropout=1.5), "MultiheadAttention's dropout is a number between 0 and 1"),
        (lambda: nn.TransformerEncoderLayer(8, 3), "num_heads=3"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"), "activation is 'relu', 'gelu' or a function"),
        (lambda: nn.TransformerEncoder(nn.Identity(), -1), "0 layers or more, but got -1"),
        (lambda: nn.PositionalEncoding(0), "needs a width and a place at least"),
    ):
        with pytest.raises(ValueError, match=words):
            make()


X = np.ones((2, 5, 8), np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m(X[..., :7], X, X), r"a query \(N, L, 8\), .* but got \(2, 5, 7\), \(2, 5, 8\) and"),
        (lambda m: m(X, X, X[:, :4]), r"but got \(2, 5, 8\), \(2, 5, 8\) and \(2, 4, 8\)"),
        (lambda m: m(X, X[:1], X[:1]), r"but got \(2, 5, 8\), \(1, 5, 8\)"),
        (lambda m: m(X, X[0], X[0]), r"but got \(2, 5, 8\), \(5, 8\)"),
        (lambda m: m(X, X, X, attn_mask=np.ones((4, 5), bool)), r"attn_mask of shape \(5, 5\), or \(4, 5, 5\), but got \(4, 5\)"),
        (lambda m: m(X, X, X, np.ones((5, 2), bool)), r"key_padding_mask of shape \(2, 5\), but got \(5, 2\)"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_name_the_layer_and_its_path(call, words):
    class Net(nn.Module):
        def __init__(self):
            self.blocks = nn.ModuleList([nn.Identity(), nn.MultiheadAttention(8, 2, batch_first=True)])

        def forward(self, *args):
            return self.blocks[1](*args[:-1], **args[-1])

    net = Net()
    before = net.state_dict()
    with pytest.raises(
        ValueError, match=rf"^Net\.blocks\.1: MultiheadAttention\(8, 2, batch_first=True\) takes .*{words}"
    ):
        call(lambda *args, **settings: net(*args, settings))
    assert all((before[name] == array).all() for name, array in net.state_dict().items())


def test_products_that_do_not_fit():
    x = numbers(2, 4, 5, 8)
    for call, words in (
        (lambda: F.scaled_dot_product_attention(x, x[..., :7], x), "the last axes fit where queries are as wide as keys"),
        (lambda: F.scaled_dot_product_attention(x, x[..., :4, :], x), "keys as many as values"),
        (lambda: F.scaled_dot_product_attention(x[0, 0, 0], x, x), "but got"),
        (lambda: F.scaled_dot_product_attention(x, x[:, :3], x[:, :3]), "the axes in front do not broadcast"),
        (lambda: F.scaled_dot_product_attention(x, x[:, :3], x[:, :3], enable_gqa=True), "do not divide the query's 4"),
        (lambda: F.scaled_dot_product_attention(x, x, x, np.ones((4, 5), bool)), r"attn_mask broadcasts with scores of shape \(2, 4, 5, 5\), but has shape \(4, 5\)"),
        (lambda: F.scaled_dot_product_attention(x, x, x, np.ones((5, 5), bool), is_causal=True), "not both"),
        (lambda: F.scaled_dot_product_attention(x, x, x, dropout_p=2.0), "dropout_p is a number between 0 and 1"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(TypeError, match=r"write mask\.astype"):
        F.scaled_dot_product_attention(x, x, x, np.ones((5, 5), int))


def test_sequences_longer_than_the_positions():
    for layer in (nn.PositionalEncoding(4, max_len=6), nn.PositionalEmbedding(4, max_len=6)):
        with pytest.raises(
            ValueError, match=r"^Sequential\.0: Positional.*\(4, max_len=6\) has 6 places, but got a sequence of 7"
        ):
            nn.Sequential(layer)(np.ones((2, 7, 4), np.float32))
        with pytest.raises(ValueError, match=r"takes x of shape \(…, L, 4\), but got \(2, 5, 3\)"):
            layer(np.ones((2, 5, 3)))


def test_a_batch_that_src_and_tgt_do_not_share():
    net = nn.Transformer(8, 2, 1, 1, 12, batch_first=True)
    with pytest.raises(ValueError, match=r"of one batch, of width 8, but got \(2, 5, 8\) and \(1, 5, 8\)"):
        net(X, X[:1])


def test_no_weights_are_kept():
    """A call on a sequence of T places, and its gradients, never hold anything of the size T² in memory."""
    q, k, v = [tg.Tensor(numbers(1, 2000, 4, seed=i).astype(np.float32), requires_grad=True) for i in range(3)]
    tracemalloc.start()
    try:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y.sum().backward()
        assert tracemalloc.get_traced_memory()[1] < 3_000_000  # the weights are 16 MB
    finally:
        tracemalloc.stop()


def test_two_that_get_the_same_gradient_do_not_share_theirs():
    """A sum hands one array to both, and what nobody asked one of them for is not given to the other."""
    q, k, v, *others = [numbers(2, 3, 4, seed=i) for i in range(6)]
    g, query, key = numbers(2, 3, 4, seed=7), tg.Tensor(q, requires_grad=True), tg.Tensor(others[1], requires_grad=True)

    def first():
        return F.scaled_dot_product_attention(query, k, v)

    def second():
        return F.scaled_dot_product_attention(others[0], key, others[2])

    for y in (first() + second(), second() + first()):
        by_query, by_key = tg.grad(y, [query, key], g)
        np.testing.assert_array_equal(by_query.numpy(), tg.grad(first(), query, g).numpy())
        np.testing.assert_array_equal(by_key.numpy(), tg.grad(second(), key, g).numpy())
