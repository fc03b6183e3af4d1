"""How expressions are written: as one writes them, and so that they are read as they were meant."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.formula.reader import PARSER, A, B, C, a, b, read, t, v, x, y
from tinygrad_edu.formula import Symbol, normal

LEAVES = [Symbol("x", 1.7), Symbol("t", 0.6), Symbol("apple", 2.3), Symbol("∂L/∂y", -1.1), Symbol("W", -0.4)]
NUMBERS = [-2, -1, 0, 1, 2, 3, 0.5, 0.1, math.pi, math.log(2), math.sqrt(2), 1 / 3, 1e-7]
COMBINED = {
    np.add: 2, np.subtract: 2, np.multiply: 2, np.divide: 2, np.negative: 1, np.square: 1, np.reciprocal: 1,
    np.absolute: 1, np.exp: 1, np.tanh: 1, np.sign: 1, np.greater: 2, np.maximum: 2, np.floor: 1,
}  # fmt: skip


@st.composite
def expressions(draw):
    """Expressions of a few variables and numbers, as a rule may make them."""
    made = [*LEAVES]
    for _ in range(draw(st.integers(1, 9))):
        function = draw(st.sampled_from([*COMBINED, np.power, np.sqrt, np.logical_and, np.where]))
        if function is np.power:
            result = np.absolute(draw(st.sampled_from(made))) ** draw(st.sampled_from([-2, -1, 0.5, 2, 3, *LEAVES]))
        elif function is np.sqrt:
            result = np.sqrt(np.absolute(draw(st.sampled_from(made))))
        elif function is np.logical_and:
            a, b, c = [draw(st.sampled_from(made)) for _ in range(3)]
            result = np.logical_and(np.greater(a, b), ~np.less_equal(b, c)) * 1
        elif function is np.where:
            a, b, c = [draw(st.sampled_from(made)) for _ in range(3)]
            result = np.where(np.greater(a, b), b, c)
        else:
            operands = st.sampled_from(made if COMBINED[function] == 1 else [*made, *NUMBERS])
            result = function(draw(st.sampled_from(made)), *[draw(operands) for _ in range(COMBINED[function] - 1)])
        result = result * 1 if result.dtype == bool else result
        if np.isfinite(result.value) and 1e-4 < abs(result.value) < 1e4:  # no 0 that is divided by
            made.append(result)
    return made[-1]


@given(expressions())
@settings(max_examples=200, deadline=None)
def test_an_expression_is_read_as_it_was_meant(symbol):
    values = {s.text(): s.value for s in LEAVES}
    for simplify in (True, False):
        assert read(symbol.text(simplify=simplify), **values) == pytest.approx(float(symbol.value), rel=1e-3, abs=1e-9)


@given(expressions())
@settings(max_examples=30, deadline=None)
def test_an_expression_is_valid_latex(symbol):
    PARSER.parse(f"${symbol.latex()}$")


@pytest.mark.parametrize(
    ("symbol", "text", "latex"),
    [
        (x * x * 2 * x, "2x³", "2 x^{3}"),
        (-(x - y) * -1, "x − y", "x - y"),
        (x * (1 - y), "x·(1−y)", r"x \cdot \left(1 - y\right)"),
        (x / (2 * y) * y, "x·y/(2y)", r"\frac{x \cdot y}{2 y}"),
        (4 * x / 6, "2x/3", r"\frac{2 x}{3}"),
        (x / y / t, "x/(y·t)", r"\frac{x}{y \cdot t}"),
        (x / (y / t), "x·t/y", r"\frac{x \cdot t}{y}"),
        (x + x + 0, "2x", "2 x"),
        (x - x, "0", "0"),
        ((x + y) ** 2, "(x+y)²", r"\left(x + y\right)^{2}"),
        ((-x) ** 2, "x²", "x^{2}"),
        (x**-1, "x⁻¹", "x^{-1}"),
        (a ** (b - 1), "a^(b−1)", "a^{b - 1}"),
        (np.exp(-x) ** 2, "exp(−x)²", r"\left(e^{-x}\right)^{2}"),
        (np.sqrt(x + 1), "√(x+1)", r"\sqrt{x + 1}"),
        (np.sqrt(x) ** 3, "(√x)³", r"\left(\sqrt{x}\right)^{3}"),
        (np.absolute(x - y), "|x − y|", r"\left|x - y\right|"),
        ((x > 0) * y, "[x > 0]·y", r"[x > 0] \cdot y"),
        (((x > 0) & ~(y >= x)) * y, "[x > 0 ∧ ¬(y ≥ x)]·y", r"[x > 0 \wedge \neg (y \geq x)] \cdot y"),
        (np.where(x > 0, y, 1), "where(x > 0, y, 1)", r"\mathrm{where}\left(x > 0, y, 1\right)"),
        (np.where(x > 0, y, 0), "y·[x > 0]", r"y \cdot [x > 0]"),
        (x * math.pi / 180, "x·π/180", r"\frac{x \cdot \pi}{180}"),
        (x * 0.3333333333333333, "x/3", r"\frac{x}{3}"),
        (x / math.sqrt(3) + math.sqrt(7), "x/√3 + √7", r"\frac{x}{\sqrt{3}} + \sqrt{7}"),
        (x * 220.00000000000003, "220x", "220 x"),
        (x * 1e-7, "1e−7·x", r"1 \times 10^{-7} \cdot x"),
        (np.log(x) * 2, "2·log(x)", r"2 \cdot \log\left(x\right)"),
        (A @ B @ C, "A @ B @ C", r"A \, B \, C"),
        (A @ (B @ C), "A @ (B @ C)", r"A \, \left(B \, C\right)"),
        (-A @ B.T * 2, "−2·(A @ Bᵀ)", r"-2 \cdot \left(A \, B^\top\right)"),
        ((A * 2) @ B, "(2A) @ B", r"\left(2 A\right) \, B"),
        ((A + B).mT, "(A+B)ᵀ", r"\left(A + B\right)^\top"),
        (np.sum(A * B, axis=0), "Σ₀ A ⊙ B", r"\sum_{0} A \odot B"),
        (np.sum(A, axis=(0, 1)) * 2, "2·(Σ A)", r"2 \cdot \left(\sum A\right)"),
        (np.sum(-A) + 1, "−Σ A + 1", r"-\sum A + 1"),
        (np.prod(-v), "∏ (−v)", r"\prod \left(-v\right)"),
        (np.max(C, axis=1), "max₁(C)", r"\max_{1}\left(C\right)"),
        (C[0, 1:] * v[v > 1], "C[0, 1:] ⊙ v[v > 1]", r"C[0, 1:] \odot v[v > 1]"),
        (np.floor(x / y), "⌊x/y⌋", r"\lfloor \frac{x}{y} \rfloor"),
        (A * np.array([3.0, 3.0]), "3A", "3 A"),
        (A @ np.eye(2), "A @ I", r"A \, I"),
    ],
)
def test_how_expressions_are_written(symbol, text, latex):
    assert (symbol.text(), symbol.latex()) == (text, latex)
    PARSER.parse(f"${latex}$")


def test_what_is_not_printed_is_told_apart():
    assert (v[:, None] - v).text() == "v − v"  # of a table of differences, not 0
    assert (v[:, None] * v).text() == "v @ vᵀ"
    assert (v[:, None] * v[None] * 1).text() == "v ⊙ v"
    assert (v[None] - v).text() == "0"
    assert (np.sum(A, axis=1, keepdims=True) - np.sum(A, axis=1)).text() == "Σ₁ A − Σ₁ A"
    assert ((v + 1)[:, None] - (v + 1)).text() == "v + 1 − (v+1)"
    assert (np.expand_dims(v[:, None], 2) * v[:, None, None]).text() == "v²"
    assert (np.reshape(C, (3, 2)) - np.reshape(C, (2, 3))[0, 0]).text() != "0"
    assert (np.reshape(C, (3, 2)) @ C - np.reshape(C, 6)[0]).text() == "reshape(C) @ C − reshape(C)[0]"


def fitted(a, shape):
    """Broadcast to the shape, without the ones in front that it does not have."""
    return np.broadcast_to(a.reshape(a.shape[max(a.ndim - len(shape), 0) :]), shape)


def evaluated(e, leaves):
    """The value of an expression, with its parts moved to where their axes belong."""
    parts = [evaluated(part, leaves) for part in e.parts]
    if e.kind == "over":
        first, chosen = e.data[2]
        axes = tuple([int(i) for i in e.data[1].split(",")]) if e.data[1] else None
        value = np.sum(fitted(parts[0], first), axis=axes, keepdims="'keepdims': True" in chosen)
    elif e.kind == "power":
        value = parts[0] ** parts[1]
    elif e.kind in ("name", "number"):
        value = np.asarray(leaves.get(e.data, e.data))
    else:
        value = {"sum": sum, "product": math.prod, "negative": lambda parts: -parts[0]}[e.kind](parts)
    moved = dict(e.moved)
    shape = [1] * max([value.ndim, *[-i for i in moved.values()]])
    for i in range(-value.ndim, 0):
        if value.shape[i] != 1:
            shape[moved.get(i, i)] = value.shape[i]
    return value.reshape(shape)


MOVES = [
    lambda s: s[:, None] if s.ndim else s,
    lambda s: s[None],
    lambda s: np.expand_dims(s, -1),
    lambda s: np.squeeze(s),
    lambda s: np.reshape(s, (1, *s.shape, 1)),
    lambda s: np.sum(s, axis=-1) if s.ndim else s,
    lambda s: np.sum(s, axis=-1, keepdims=True) if s.ndim else s,
    lambda s: np.sum(s, axis=0) if s.ndim else s,
    lambda s: np.sum(s),
    lambda s: -s,
]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_simplifying_tells_apart_what_is_not_printed(data):
    made = [C, v, x]
    for _ in range(data.draw(st.integers(1, 8))):
        a, b = [data.draw(st.sampled_from(made)) for _ in range(2)]
        step = data.draw(st.sampled_from([*MOVES, np.add, np.subtract, np.multiply]))
        try:
            result = step(a) if step in MOVES else step(a, b)
        except ValueError:  # they do not broadcast
            continue
        if result.size < 1000:
            made.append(result)
    symbol = made[-1]
    result = evaluated(normal(symbol.expression), {"C": C.value, "v": v.value, "x": x.value})
    np.testing.assert_allclose(fitted(result, symbol.shape), symbol.value, rtol=1e-9)


def test_a_symbol_has_the_attributes_that_rules_may_use():
    assert {name for name in dir(Symbol) if not name.startswith("_")} == {
        "T", "dtype", "expression", "latex", "mT", "ndim", "shape", "size", "text", "value",
    }  # fmt: skip
    assert (C.shape, C.ndim, C.size, C.dtype, C.T.shape) == ((2, 3), 2, 6, np.float64, (3, 2))
    assert bool(x > 1)
    assert not bool(x > 2)
    assert np.zeros_like(C).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert np.result_type(C, np.float32) == np.float64
    assert len({x, x, y}) == 2
    assert repr(x * 2) == "2x"
    for unprintable in (lambda: np.nextafter(x, y), lambda: np.fft.fft(C), lambda: np.add(x, y, out=np.zeros(()))):
        with pytest.raises(TypeError, match="symbols"):
            unprintable()


def test_tensors_and_arrays_among_symbols():
    weight = tg.Tensor([1.0, 2.0, 3.0], name="w")
    assert (v * weight).text() == "v ⊙ w"
    assert (np.array([1.0, 2.0, 4.0]) * v).text() == "(1., 2., 4.) ⊙ v"
    assert (np.arange(20.0) * Symbol("u", np.ones(20))).text() == "… ⊙ u"
