"""Recurrent models: shapes and counts, what they learn, what they write, and bad input."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.models import CharRNN, SentimentRNN, Seq2Seq
from tinygrad_edu.nn import functional as F

V, E, H = 11, 6, 8
WAYS = ["plain", "peeky", "attention"]


def rng():
    return np.random.default_rng(0)


def parameters(model):
    return sum(p.size for p in model.parameters())


def lstm(inputs):
    return 4 * H * (inputs + H + 2)


def test_counts():
    assert parameters(CharRNN(V, E, H)) == V * E + lstm(E) + (H + 1) * V
    assert parameters(CharRNN(V, H, H, 2, tied=True)) == V * H + 2 * lstm(H)
    assert parameters(SentimentRNN(V, 3, E, H)) == V * E + 2 * lstm(E) + (2 * H + 1) * 3
    both = 2 * V * E + lstm(E)
    assert parameters(Seq2Seq(V, E, H)) == both + lstm(E) + (H + 1) * V
    assert parameters(Seq2Seq(V, E, H, "peeky")) == both + lstm(E + H) + (2 * H + 1) * V
    assert parameters(Seq2Seq(V, E, H, "attention")) == both + lstm(E) + (2 * H + 1) * V


def trained(model, loss, steps, lr=0.02):
    """The loss after so many steps of Adam, replayed."""
    optimizer = optim.Adam(model.parameters(), lr=lr)

    @tg.replay
    def step():
        optimizer.zero_grad()
        y = loss()
        y.backward()
        optimizer.step()
        return y

    return [step().item() for _ in range(steps)][-1]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_text_is_learnt_and_written(kind):
    text = np.tile([1, 2, 3, 2, 4], 6)[None]
    model = CharRNN(5, 8, 24, kind=kind, generator=rng())

    def loss():
        return F.cross_entropy(model(text[:, :-1])[0].reshape(-1, 5), text[:, 1:].reshape(-1))

    assert trained(model, loss, 150) < 0.1
    assert model.generate([1, 2, 3], 7, temperature=0).tolist() == [1, 2, 3, 2, 4, 1, 2, 3, 2, 4]
    assert model.training


def test_what_is_written_is_what_is_read_at_once():
    """With its state taken along, the model says the same as on the whole text."""
    model = CharRNN(5, 4, 8, 2, "GRU", dropout=0.3, generator=rng()).eval()
    written = model.generate(np.array([[1, 2], [3, 4]]), 5, generator=rng())
    logits = model(written)[0].numpy()
    chosen = model.generate(written[:, :4], 1, temperature=0)[:, -1]
    assert (logits[:, 3].argmax(-1) == chosen).all()
    again = model.generate(np.array([[1, 2], [3, 4]]), 5, generator=rng())
    assert np.array_equal(written, again)
    assert set(model.generate(np.ones((200, 1), int), 1, top_k=2, generator=rng())[:, 1].tolist()) <= set(
        np.argsort(model([[1]])[0].numpy()[0, 0])[-2:].tolist()
    )


def test_a_tied_head_is_the_table():
    model = CharRNN(5, 4, 4, tied=True, generator=rng())
    assert [name for name, _ in model.named_parameters() if "head" in name] == []
    y, _ = model.rnn(model.embedding([[1, 2]]))
    np.testing.assert_allclose(model([[1, 2]])[0].numpy(), y.numpy() @ model.embedding.weight.numpy().T, rtol=1e-6)


def test_sentences_are_classified_by_a_word_in_their_middle():
    """Of the words 1 to 8 the first four stand for one answer, wherever a sentence has one; 9 says nothing, 0 fills up."""
    r = rng()
    words, answers = np.zeros((120, 9), int), r.integers(2, size=120)
    for row, answer in zip(words, answers, strict=True):
        n = r.integers(3, 10)
        row[:n] = 9
        row[r.integers(n)] = r.integers(1, 5) + 4 * answer
    model = SentimentRNN(10, 2, 8, 12, kind="GRU", generator=rng())
    assert trained(model, lambda: F.cross_entropy(model(words), answers), 60, 0.03) < 0.05
    assert (np.argmax(model(words).numpy(), axis=1) == answers).all()


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_filling_up_says_nothing(kind):
    model = SentimentRNN(10, 3, 4, 5, 2, kind, dropout=0.2, generator=rng(), dtype=float).eval()
    words = np.array([[4, 5, 6, 0, 0], [1, 0, 0, 0, 0]])
    y = model(words)
    np.testing.assert_allclose(y.numpy()[0], model(words[0, :3]).numpy(), rtol=1e-12)
    np.testing.assert_allclose(y.numpy()[1], model(words[1, :1]).numpy(), rtol=1e-12)
    y.sum().backward()
    assert not model.embedding.weight.grad.numpy()[0].any()


@pytest.mark.parametrize("way", WAYS)
def test_sequences_are_answered(way):
    """To copy three numbers is learnt in each way, and what is written token by token is what was learnt."""
    source = np.stack(np.meshgrid(*[np.arange(1, 4)] * 3), axis=-1).reshape(-1, 3)
    answer = np.concatenate([np.zeros((len(source), 1), int), source], axis=1)
    model = Seq2Seq(4, 8, 24, way, "GRU", generator=rng())

    def loss():
        return F.cross_entropy(model(source, answer[:, :-1]).reshape(-1, 4), answer[:, 1:].reshape(-1))

    assert trained(model, loss, 150) < 0.2
    assert (model.generate(source, 0, 3) == source).mean() > 0.95


def test_attention_is_a_map():
    model = Seq2Seq(V, E, H, "attention", generator=rng())
    weights = model.attention(np.ones((2, 5), int), np.ones((2, 3), int))
    assert weights.shape == (2, 3, 5)
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="way='attention'"):
        Seq2Seq(V, E, H).attention(np.ones((2, 5), int), np.ones((2, 3), int))


def test_summaries():
    for model, args in [
        (CharRNN(V, E, H), [(2, 5)]),
        (SentimentRNN(V, 2, E, H), [(2, 5)]),
        (Seq2Seq(V, E, H, "attention"), [(2, 5), (2, 3)]),
    ]:
        made = nn.summary(model, *args, dtype=int)
        assert made.parameters == parameters(model)


def test_bad_input():
    with pytest.raises(ValueError, match="CharRNN's kind is one of RNN, LSTM, GRU, but got 'lstm'"):
        CharRNN(V, kind="lstm")
    with pytest.raises(ValueError, match="hidden_size=8 and embedding_size=6"):
        CharRNN(V, E, H, tied=True)
    with pytest.raises(ValueError, match="Seq2Seq's way is one of plain, peeky, attention, but got 'greedy'"):
        Seq2Seq(V, way="greedy")
    with pytest.raises(ValueError, match=r"of shape \(N, S\), but got \(3,\)"):
        Seq2Seq(V, E, H)(np.ones(3, int), np.ones((1, 3), int))
    model = CharRNN(V, E, H)
    for wrong in ([], [0.5], 3):
        with pytest.raises(ValueError, match="a prompt of one whole number or more"):
            model.generate(wrong, 2)
    with pytest.raises(ValueError, match="top_k is 1 or more"):
        model.generate([1], 2, top_k=0)
    with pytest.raises(ValueError, match=r"CharRNN\.rnn: LSTM.* takes sequences of at least one step"):
        model(np.ones((2, 0), int))
