"""Text as numbers, and back."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.data import BytePairTokenizer, CharTokenizer


@given(st.text(min_size=1))
def test_there_and_back(text):
    tokenizer = CharTokenizer(text)
    numbers = tokenizer.encode(text)
    assert numbers.dtype == np.int64
    assert tokenizer.decode(numbers) == text
    assert len(tokenizer) == len(set(text)) == len(set(numbers.tolist()))
    assert CharTokenizer([*text]).vocabulary == tokenizer.vocabulary


def test_what_characters_do_not_take():
    tokenizer = CharTokenizer("hello world")
    with pytest.raises(ValueError, match=r"of 8 characters lacks '!', 'ß', first met at 5: 'helloß!'"):
        tokenizer.encode("helloß!")
    for numbers, words in (
        ([8], "0 to 7, but got 8"),
        ([0, -1], "but got -1"),
        ([[0]], r"shape \(1, 1\)"),
        ([0.5], "float64"),
    ):
        with pytest.raises(ValueError, match=words):
            tokenizer.decode(numbers)
    with pytest.raises(ValueError, match="one character or more"):
        CharTokenizer("")
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.decode([]) == ""


def test_byte_pairs(tmp_path):
    pytest.importorskip("tokenizers")
    text = "the cat sat on the mat; the cat sat on the hat. " * 20
    tokenizer = BytePairTokenizer.train(text, 280)
    assert len(tokenizer) <= 280
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(text)) < len(text) / 2
    assert tokenizer.decode(tokenizer.encode("naïve Ω")) == "naïve Ω"
    tokenizer.save(tmp_path / "pieces.json")
    other = BytePairTokenizer.load(tmp_path / "pieces.json")
    np.testing.assert_array_equal(other.encode(text), tokenizer.encode(text))


def test_byte_pairs_need_their_library(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **settings):
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *args, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "tinygrad-edu\[text\]"'):
        BytePairTokenizer.train("text")
    with pytest.raises(ValueError, match="begins with 256 bytes, but got vocab_size=100"):
        BytePairTokenizer.train("text", 100)
