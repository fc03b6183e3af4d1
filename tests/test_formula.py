"""The printed reading. What is printed is read back, as a reader would, and must give the numbers of the rule.

`tests/formulas.txt` holds every op's formulas, to be read by a person when it changes. `python -m tests.test_formula
--write` writes it anew; look at the difference before committing it.
"""

import importlib
import math
import pkgutil
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.graph import unbroadcast
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.registry import ANSWERS, COMPOSITES, OPS
from tinygrad_edu.formula import LONGEST, Symbol, chain, draw_sample, formula, normal, rule_formula, stated
from tinygrad_edu.formula.composites import draw_composite
from tinygrad_edu.formula.writing import grouped, of_path

REVIEWED = Path(__file__).with_name("formulas.txt")

for module in pkgutil.walk_packages(tg.__path__, "tinygrad_edu."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)  # whatever part of the package declares ops


# ---------------------------------------------------------------------------------------------------
# Reading what was printed

SUBSCRIPTS, SUPERSCRIPTS = "₀₁₂₃₄₅₆₇₈₉", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
WORD = rf"[A-Za-zα-ωλπ_][A-Za-zα-ω0-9_]*[{SUBSCRIPTS}]*"
NAME = rf"∂{WORD}/∂{WORD}|{WORD}|…"
TOKENS = re.compile(rf"\s*({NAME}|\d+(?:\.\d+)?(?:e[-+]?\d+)?|[{SUPERSCRIPTS}]+|[{SUBSCRIPTS}]+|[→.]+|.)")
NAMES = {"π": math.pi, "∞": math.inf}
FUNCTIONS = {"inv": np.linalg.inv, "det": np.linalg.det, "solve": np.linalg.solve, "where": np.where}


class Reader:
    """Reads a printed formula as mathematics, with NumPy: sums over axes keep them, so that nothing is misplaced."""

    def __init__(self, text, values):
        self.tokens = [*TOKENS.findall(text.replace("−", "-")), ""]
        self.values = {**NAMES, **values}

    def read(self):
        result = self.sum()
        assert self.tokens == [""], f"left over: {self.tokens}"
        return result

    def take(self, *wanted):
        if self.tokens[0] in wanted:
            return self.tokens.pop(0)
        return None

    def expect(self, token):
        assert self.take(token), f"{token!r} expected before {self.tokens}"

    def condition(self):
        """x > 0 ∧ ¬mask"""
        result = self.relation()
        while sign := self.take("∧", "∨", "⊕"):
            other = self.relation()
            result = {"∧": np.logical_and, "∨": np.logical_or, "⊕": np.logical_xor}[sign](result, other)
        return result

    def relation(self):
        if self.take("¬"):
            return np.logical_not(self.relation())
        a = self.sum()
        relations = {
            "=": np.equal,
            "≠": np.not_equal,
            "<": np.less,
            "≤": np.less_equal,
            ">": np.greater,
            "≥": np.greater_equal,
        }
        sign = self.take(*relations)
        return relations[sign](a, self.sum()) if sign else a

    def sum(self):
        result = -self.matmul() if self.take("-") else self.matmul()
        while sign := self.take("+", "-"):
            other = self.matmul()
            result = result + other if sign == "+" else result - other
        return result

    def matmul(self):
        if sign := self.take("Σ", "∏"):
            axes = self.axes()
            return (np.sum if sign == "Σ" else np.prod)(self.matmul(), axis=axes, keepdims=True)
        result = self.product()
        while self.take("@"):
            other = self.product()
            row = np.ndim(result) == 1 and np.ndim(other) == 2 and len(other) == 1 != len(result)
            result = result[:, None] * other if row else result @ other
        return result

    def axes(self):
        return (
            tuple([SUBSCRIPTS.index(c) for c in self.tokens.pop(0)])
            if self.tokens[0][:1] in SUBSCRIPTS and self.tokens[0]
            else None
        )

    def product(self):
        result = self.power()
        while True:
            if self.take("·", "⊙"):
                result = result * self.power()
            elif self.take("/"):
                result = result / self.power()
            elif re.match(r"[^\W\d]", self.tokens[0]):  # 2x
                result = result * self.power()
            else:
                return result

    def power(self):
        result = self.atom()
        while True:
            if self.tokens[0] and set(self.tokens[0]) <= set("-" + SUPERSCRIPTS) and self.tokens[0] != "-":
                exponent = int(
                    "".join([c if c == "-" else "-0123456789"[SUPERSCRIPTS.index(c)] for c in self.tokens.pop(0)])
                )
                result = result ** float(exponent)
            elif self.take("^"):
                result = result ** self.atom()
            elif self.take("ᵀ"):
                result = result[None] if np.ndim(result) == 1 else np.swapaxes(result, -1, -2)
            elif self.take("["):
                index = ""
                while not self.take("]"):
                    index += self.tokens.pop(0)
                result = eval(f"indexed[{index}]", {"indexed": result, **self.values})
            else:
                return result

    def atom(self):
        if self.take("("):
            return self.closed(self.condition(), ")")
        if self.take("["):
            return self.closed(np.asarray(self.condition()) * 1, "]")
        if self.take("|"):
            return self.closed(np.abs(self.sum()), "|")
        for left, right, function in ("⌊", "⌋", np.floor), ("⌈", "⌉", np.ceil):
            if self.take(left):
                return self.closed(function(self.sum()), right)
        if self.take("√"):
            return np.sqrt(self.atom())
        token = self.tokens.pop(0)
        if re.fullmatch(r"\d.*", token):
            return int(token) if token.isdigit() else float(token)
        if token in self.values and not callable(self.values[token]):
            return self.values[token]
        return self.call(token)

    def closed(self, inside, bracket):
        self.expect(bracket)
        return inside

    def call(self, token):
        function = re.match(r"[A-Za-z]\w*?(?=[₀-₉]*$)", token)
        assert function, f"{token!r} cannot be read before {self.tokens}"
        axes = [SUBSCRIPTS.index(c) for c in token[function.end() :]]
        called = self.values.get(function[0]) or FUNCTIONS.get(function[0]) or ANSWERS[function[0]]
        self.expect("(")
        if function[0] == "einsum":
            equation = ""
            while (token := self.tokens.pop(0)) != "→":
                equation += token
            equation += "->" + self.tokens.pop(0)
            self.expect(",")
            return np.einsum(equation, *self.arguments())
        return called(*self.arguments(), **({"axis": tuple(axes) if len(axes) > 1 else axes[0]} if axes else {}))

    def arguments(self):
        arguments = [self.condition()]
        while self.take(","):
            arguments.append(self.condition())
        self.expect(")")
        return arguments


def read(text, **values):
    with np.errstate(all="ignore"):
        return Reader(text, values).read()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2x²", 18),
        ("−x·(1−x)", 6),
        ("x/(2y)/y", 3 / 8),
        ("√(x+1)^y", 4),
        ("[x > y ∧ ¬(y > x)]·x", 3),
        ("|−x|⁻¹", 1 / 3),
        ("Σ x·y + 1", 7),
    ],
)
def test_the_reader_reads(text, value):
    assert read(text, x=3.0, y=2.0) == pytest.approx(value)


# ---------------------------------------------------------------------------------------------------
# Every op


def in_doctest(declared):
    return getattr(declared.forward, "__code__", None) and declared.forward.__code__.co_filename.startswith("<doctest")


DECLARED = {name: declared for name, declared in sorted(OPS.items()) if declared.examples and not in_doctest(declared)}
RULES = [
    (name, i)
    for name, declared in DECLARED.items()
    if declared.vjp is not None
    for i in range(len(draw_sample(declared, 0).xs))
]


def numbers(symbols):
    """The values of symbols."""
    return tuple([numbers(s) for s in symbols]) if isinstance(symbols, tuple) else getattr(symbols, "value", symbols)


def by_rule(declared, i, sample):
    """What the rule computes on arrays, for the input's own shape."""
    xs = [x.value for x in sample.xs]
    with np.errstate(all="ignore"):
        result = declared.rules[i](numbers(sample.g), numbers(sample.y), *xs, **sample.settings)
    return result if result.shape == xs[i].shape else unbroadcast(result, xs[i].shape)


def named(sample):
    """The names in a formula and what they stand for. What a reduction dropped is put back: sums keep their axes here."""
    x = sample.xs[0].value
    found = {"I": np.eye(x.shape[-1]) if x.ndim else 1.0, "reshape": lambda g: np.reshape(g, x.shape)}
    for symbols in (*sample.xs, sample.y, sample.g):
        for symbol in symbols if isinstance(symbols, tuple) else (symbols,):
            if isinstance(symbol, Symbol):
                dropped = "keepdims" in sample.settings and symbol.ndim < x.ndim and sample.settings["axis"] is not None
                found[symbol.text()] = (
                    np.expand_dims(symbol.value, sample.settings["axis"]) if dropped else symbol.value
                )
    return found


@pytest.mark.parametrize(("name", "i"), RULES)
def test_what_is_printed_is_the_rule(name, i):
    declared = DECLARED[name]
    printed = rule_formula(declared, i)
    if printed.endswith(": none"):
        assert declared.rules[i] is None or callable(declared.vjp)
        return
    sample = draw_sample(declared, i)
    expected = by_rule(declared, i, sample)
    np.testing.assert_allclose(sample.run(i).value, expected, rtol=1e-12)
    sentence, plain = stated(declared, i)
    if sentence is None:
        for simplify in (True, False):
            right = rule_formula(declared, i, simplify=simplify).split(" = ", 1)[1]
            result = read(right, **named(sample))
            result = result.reshape(expected.shape) if np.size(result) == expected.size else result
            np.testing.assert_allclose(np.broadcast_to(result, expected.shape), expected, rtol=1e-9, atol=1e-12)
    elif plain is None:
        result = TRANSLATED[name](*numbers((sample.g, sample.y, *sample.xs)), **sample.settings)
        result = result[i] if isinstance(result, tuple) else result
        np.testing.assert_allclose(np.broadcast_to(result, expected.shape), expected, rtol=1e-9, atol=1e-12)
    if plain is not None:
        with np.errstate(all="ignore"):
            result = plain(*numbers((sample.g, sample.y, *sample.xs)), **sample.settings)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


def filled(shape, index, value):
    y = np.zeros(shape)
    y[index] = value
    return y


def carried(g, a):
    """λₜ = gₜ + aₜ₊₁·λₜ₊₁"""
    carry = np.zeros(len(g) + 1)
    for t in reversed(range(len(g))):
        carry[t] = g[t] + (a[t + 1] * carry[t + 1] if t + 1 < len(g) else 0)
    return carry[:-1]


def weights(x, h):
    """max(0, 1 − |rank − h|)"""
    return np.maximum(0, 1 - np.abs(np.argsort(np.argsort(x, axis=None)) - h)).reshape(x.shape)


def sym(m):
    return (m + m.T) / 2


def half(m):
    return np.tril(m) - np.diag(np.diag(m)) / 2


def gaps(values):
    """1/(vⱼ − vᵢ), and 0 where i = j"""
    difference = values - values[:, None] + np.eye(len(values))
    return 1 / difference - np.eye(len(values))


def by_svd(g, y, x):
    (gu, gs, gv), (u, s, v) = (g[0], g[1], g[2].T), (y[0], y[1], y[2].T)
    f, big = gaps(s) / (s + s[:, None]), np.diag(s)
    j, k = f * (u.T @ gu), f * (v.T @ gv)
    return u @ (np.diag(gs) + (j + j.T) @ big + big @ (k + k.T)) @ v.T


def by_qr(g, y, x):
    (gq, gr), (q, r) = g, y
    m = r @ gr.T - gq.T @ q
    return (gq + q @ (np.tril(m) + np.tril(m, -1).T)) @ np.linalg.inv(r).T


# What is stated in words, word for word in NumPy
def by_batch_norm(g, y, x, weight, bias, eps):
    (gy, gmean, gvar), (_, mean, var), n = g, y, len(x)
    sigma = np.sqrt(var + eps)
    z = (x - mean) / sigma
    by_x = weight / sigma * (gy - gy.sum(0) / n - z * (gy * z).sum(0) / n) + (gmean + 2 * (x - mean) * gvar) / n
    return by_x, (gy * z).sum(0), gy.sum(0)


def by_standardize(g, y, x, axis, eps, centered):
    (g, _), (y, _) = g, y

    def mean(x):
        return x.mean(-1, keepdims=True)

    return (g - mean(g) - y * mean(g * y)) / np.sqrt(x.var(-1, keepdims=True) + eps)


TRANSLATED = {
    "batch_norm": by_batch_norm,
    "cholesky": lambda g, y, x, **_: sym(np.linalg.inv(y).T @ half(y.T @ g) @ np.linalg.inv(y)),
    "concatenate": lambda g, y, a, b, **_: (g[: len(a)], g[len(a) :]),
    "constant_power": lambda g, y, x, exponent: g * exponent * x ** (exponent - 1),
    "cross": lambda g, y, a, b, **_: (np.cross(b, g), np.cross(g, a)),
    "cumprod": lambda g, y, x, **_: np.array(
        [sum(g[s] * np.prod(np.delete(x[: s + 1], t)) for s in range(t, len(x))) for t in range(len(x))]
    ),
    "cumsum": lambda g, y, x, **_: np.array([sum(g[t:]) for t in range(len(x))]),
    "cut_off": lambda g, y, x, where, **_: np.zeros_like(x),
    "diagonal": lambda g, y, x, **_: np.diag(g),
    "eigh": lambda g, y, x, **_: sym(y[1] @ (np.diag(g[0]) + gaps(y[0]) * (y[1].T @ g[1])) @ y[1].T),
    "from_diagonal": lambda g, y, x, **_: np.diagonal(g),
    "embedding": lambda g, y, weight, numbers, **_: sum(
        filled(weight.shape, k, g[place]) for place, k in np.ndenumerate(numbers)
    ),
    "getitem": lambda g, y, x, i, **_: sum(filled(x.shape, k, g[n]) for n, k in enumerate(i)),
    "index_update": lambda g, y, x, values, **_: (g * (np.arange(4) != 1), g[:, 1]),
    "mean": lambda g, y, x, **_: g / x.size,
    "median": lambda g, y, x, **_: g * weights(x, (x.size - 1) / 2),
    "nanmedian": lambda g, y, x, **_: g * weights(x, (x.size - 1) / 2),
    "pad_constant": lambda g, y, x, **_: g[1:-1],
    "partition": lambda g, y, x, **_: np.array([g[0][list(y[0]).index(element)] for element in x]),
    "prod": lambda g, y, x, **_: np.array([g * np.prod(np.delete(x, i)) for i in range(x.size)]).reshape(x.shape),
    "quantile_at": lambda g, y, x, q, **_: g * weights(x, q * (x.size - 1)),
    "recurrence": lambda g, y, a, b: (carried(g, a) * [0, *y[:-1]], carried(g, a)),
    "reduced_qr": by_qr,
    "reduced_svd": by_svd,
    "scatter": lambda g, y, values, i, **_: g[i],
    "scatter_add": lambda g, y, x, values, **_: (g, g[1]),
    "selu": lambda g, y, x: g * np.where(x > 0, 1.0507009873554805, y + 1.0507009873554805 * 1.6732632423543772),
    "solve": lambda g, y, a, b: (-np.outer(np.linalg.solve(a.T, g), y), np.linalg.solve(a.T, g)),
    "sort": lambda g, y, x, **_: np.array([g[0][list(y[0]).index(element)] for element in x]),
    "split": lambda g, y, x, **_: np.concatenate(g),
    "standardize": by_standardize,
    "stack": lambda g, y, a, b, **_: (g[0], g[1]),
    "tensordot": lambda g, y, a, b, **_: (np.einsum("ij,klj->ikl", g, b), np.einsum("ikl,ij->klj", a, g)),
    "unstack": lambda g, y, x, **_: np.stack(g),
}


@pytest.mark.parametrize(("name", "i"), RULES)
def test_what_is_printed_is_the_derivative(name, i):
    declared = DECLARED[name]
    sample = draw_sample(declared, i)
    x = sample.xs[i].value
    if rule_formula(declared, i).endswith(": none") or x.dtype.kind != "f":
        return
    direction = np.random.default_rng(7).standard_normal(x.shape)
    if declared.symmetric:
        direction = sym(direction)

    def along(step):
        xs = [s.value + step * direction if k == i else s.value for k, s in enumerate(sample.xs)]
        ys, gs = declared.compute(xs, sample.settings), numbers(sample.g)
        return sum(np.sum(g * y) for g, y in zip(gs, ys, strict=True)) if isinstance(ys, tuple) else np.sum(gs * ys)

    h = 1e-5
    quotient = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    np.testing.assert_allclose(np.sum(sample.run(i).value * direction), quotient, rtol=1e-6, atol=1e-8)


PARSER = MathTextParser("path")


COMPOSED = {name: made for name, made in sorted(COMPOSITES.items()) if not made.__module__.startswith("tests")}
INPUTS = [(name, text) for name, made in COMPOSED.items() for text in draw_composite(made).inputs]


def report():
    """Every op's formulas, as text and as LaTeX, and how the numbers of each were checked."""
    lines = []
    for name, declared in DECLARED.items():
        lines.append(name)
        if declared.vjp is None:
            lines.append("    not differentiable")
        for i in [k for n, k in RULES if n == name]:
            sentence, plain = stated(declared, i)
            printed = rule_formula(declared, i)
            how = "stated" if sentence else "stated as a plainer rule" if plain else "the rule"
            if sentence is None and not printed.endswith("none"):
                chosen = draw_sample(declared, i).settings
                how += "".join(
                    [f", {key}={value}" for key, value in chosen.items() if value is not None and value is not False]
                )
            lines += [
                f"    {printed}" + ("" if printed.endswith("none") else f"    ({how})"),
                f"    {rule_formula(declared, i, latex=True)}",
            ]
        lines.append("")
    for name, made in COMPOSED.items():
        lines.append(f"{name}, made of ops")
        for text in [text for n, text in INPUTS if n == name]:
            how = "" if made.formulas is None else "    (stated)"
            lines += [f"    {made.formula(text)}{how}", f"    {made.formula(text, latex=True)}"]
        lines.append("")
    return "\n".join(lines)


def test_formulas_are_those_that_were_reviewed():
    reviewed = REVIEWED.read_text(encoding="utf-8")
    assert report() == reviewed[reviewed.index("\n\n") + 2 :], (
        "look at what changed, then: python -m tests.test_formula --write"
    )


def test_latex_is_valid():
    formulas = {rule_formula(DECLARED[name], i, latex=True) for name, i in RULES}
    formulas |= {COMPOSED[name].formula(text, latex=True) for name, text in INPUTS}
    assert len(formulas) > 100
    for text in sorted(formulas):
        PARSER.parse(f"${text}$")


# ---------------------------------------------------------------------------------------------------
# Writing


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


x, y, t, a, b = [Symbol(name, value) for name, value in {"x": 1.5, "y": 0.5, "t": 2.5, "a": 0.7, "b": 1.9}.items()]
A, B, C = [Symbol(name, np.arange(6.0).reshape(2, 3)[:, :n] + 1) for name, n in {"A": 2, "B": 2, "C": 3}.items()]
v = Symbol("v", [1.0, 2.0, 3.0])


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


# ---------------------------------------------------------------------------------------------------
# One rule


def test_an_op_prints_its_rules():
    assert tg.multiply.formula(1) == "∂L/∂b = ∂L/∂y ⊙ a"
    assert tg.add.formula(0, simplify=False) == "∂L/∂a = ∂L/∂y·1"
    assert (
        tg.divide.formula(0, latex=True)
        == r"\frac{\partial L}{\partial a} = \frac{\partial L}{\partial y} \odot \frac{1}{b}"
    )
    assert tg.greater.formula(1) == "∂L/∂b: none"
    assert tg.concatenate.formula(1) == "∂L/∂xᵢ = ∂L/∂y[part i]"
    with pytest.raises(IndexError, match="multiply has 2 inputs"):
        tg.multiply.formula(2)
    with pytest.raises(IndexError, match="no input -1"):
        tg.multiply.formula(-1)
    with pytest.raises(IndexError, match="matmul has 2 inputs"):
        tg.matmul.formula(2)


@pytest.mark.parametrize("made", [tg.clip, tg.outer])
def test_an_input_by_name(made):
    names = {tg.clip: ["x", "low", "high"], tg.outer: ["a", "b"]}[made]
    assert [made.formula(name) for name in names] == [made.formula(i) for i in range(len(names))]
    with pytest.raises(ValueError, match=f"no input 'c'; its inputs are {', '.join(names)}"):
        made.formula("c")
    with pytest.raises(IndexError, match=f"has {len(names)} inputs"):
        made.formula(len(names))
    for wrong in (1.0, None, True):
        with pytest.raises(TypeError, match="the position of an input or its name"):
            made.formula(wrong)


def test_numbers_among_the_settings():
    assert tg.roll.formula(latex=True).endswith(r"\mathrm{roll}\left(\frac{\partial L}{\partial y}, -2\right)")


# ---------------------------------------------------------------------------------------------------
# Functions made of ops


@pytest.mark.parametrize(("name", "text"), INPUTS)
def test_what_a_function_made_of_ops_prints_is_the_derivative(name, text):
    made, sample = COMPOSED[name], draw_composite(COMPOSED[name])
    outputs = [y for y in sample.outputs.values() if y.requires_grad]
    printed = made.formula(text)
    if not outputs:
        assert printed.endswith(": none")
        return
    output = sum([np.sum(y) for y in outputs])
    gradient = tg.grad(output, sample.inputs[text], allow_unused=True)
    if gradient is None:
        assert printed.endswith(" = 0")
        return
    expected, symbol = gradient.numpy(), sample.run(text)
    np.testing.assert_allclose(symbol.value, expected, rtol=1e-12, atol=1e-12)
    if made.formulas is None and ": " not in printed:
        xs = {text: x.numpy() for text, x in sample.inputs.items()}
        ys = {text: y.numpy() for text, y in sample.outputs.items()}
        gs = {f"∂L/∂{text}": np.ones_like(y) for text, y in ys.items()}
        if "reshape(" in printed:  # to a shape that is not said
            return
        result = read(printed.split(" = ", 1)[1], **xs, **ys, **gs, I=np.eye(expected.shape[0] if expected.ndim else 1))
        result = result.reshape(expected.shape) if np.size(result) == expected.size else result
        np.testing.assert_allclose(np.broadcast_to(result, expected.shape), expected, rtol=1e-9, atol=1e-12)


def put(x, index, g):
    result = np.zeros_like(x)
    np.add.at(result, index, g)
    return result


def triangle(x, h):
    return np.maximum(0, 1 - np.abs(np.argsort(np.argsort(x)) - h))


def by_cond(g, y, x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return g * y * (np.outer(u[:, 0], vh[0]) / s[0] - np.outer(u[:, -1], vh[-1]) / s[-1])


A2, B2 = np.array([[1.0, 2.0], [0.5, 3.0]]), np.array([[0.3, -1.0, 2.0], [1.5, 0.7, -0.2]])
V4, NAN = np.array([0.5, 3.0, 1.0, -2.0]), np.array([2.0, np.nan, 3.0, -1.5])
MASK, ORDER = np.array([True, False, True, True]), np.array([0, 2, 2])
KEPT = ~np.isnan(NAN)
STATED = {  # the function on its inputs, the inputs, and what is stated, word for word in NumPy, of each
    "append": (np.append, (B2, V4), lambda g, y, x, v: (g[: x.size].reshape(x.shape), g[x.size :])),
    "array_split": (lambda x: np.array_split(x, 2)[0], (V4,), lambda g, y, x: np.concatenate([g, np.zeros(2)])),
    "average": (
        lambda x, w: np.average(x, weights=w),
        (V4, np.array([1.0, 2.0, 0.5, 3.0])),
        lambda g, y, x, w: (g * w / np.sum(w), g * (x - y) / np.sum(w)),
    ),
    "choose": (
        lambda a, b: np.choose(MASK * 1, [a, b]),
        (V4, V4 + 1),
        lambda g, y, a, b: (g * (MASK * 1 == 0), g * (MASK * 1 == 1)),
    ),
    "compress": (lambda x: np.compress(MASK, x), (V4,), lambda g, y, x: put(x, MASK, g)),
    "cond": (np.linalg.cond, (B2,), by_cond),
    "cumulative_prod": (np.cumulative_prod, (V4,), TRANSLATED["cumprod"]),
    "cumulative_sum": (np.cumulative_sum, (V4,), TRANSLATED["cumsum"]),
    "delete": (lambda x: np.delete(x, 1), (V4,), lambda g, y, x: put(x, [0, 2, 3], g)),
    "diff": (np.diff, (V4,), lambda g, y, x: np.array([0, *g]) - np.array([*g, 0])),
    "dsplit": (lambda x: np.dsplit(x, 1)[0], (np.ones((2, 2, 2)),), lambda g, y, x: g),
    "ediff1d": (np.ediff1d, (V4,), lambda g, y, x: np.array([0, *g]) - np.array([*g, 0])),
    "eigvalsh": (
        np.linalg.eigvalsh,
        (A2 + A2.T,),
        lambda g, y, x: np.linalg.eigh(x)[1] @ np.diag(g) @ np.linalg.eigh(x)[1].T,
    ),
    "extract": (lambda x: np.extract(MASK, x), (V4,), lambda g, y, x: put(x, MASK, g)),
    "hsplit": (lambda x: np.hsplit(x, 2)[1], (V4,), lambda g, y, x: np.concatenate([np.zeros(2), g])),
    "kron": (
        np.kron,
        (A2, B2),
        lambda g, y, a, b: (
            np.array([[np.sum(g[2 * i : 2 * i + 2, 3 * j : 3 * j + 3] * b) for j in range(2)] for i in range(2)]),
            sum(g[2 * i : 2 * i + 2, 3 * j : 3 * j + 3] * a[i, j] for i in range(2) for j in range(2)),
        ),
    ),
    "matrix_diagonal": (np.linalg.diagonal, (A2,), lambda g, y, x: np.diag(g)),
    "matrix_trace": (np.linalg.trace, (A2,), lambda g, y, x: g * np.eye(2)),
    "nancumprod": (np.nancumprod, (NAN,), lambda g, y, x: TRANSLATED["cumprod"](g, y, np.where(KEPT, x, 1)) * KEPT),
    "nancumsum": (np.nancumsum, (NAN,), lambda g, y, x: TRANSLATED["cumsum"](g, y, x) * KEPT),
    "nanpercentile": (lambda x: np.nanpercentile(x, 30), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "nanprod": (np.nanprod, (NAN,), lambda g, y, x: g * TRANSLATED["prod"](1, y, np.where(KEPT, x, 1)) * KEPT),
    "nanquantile": (lambda x: np.nanquantile(x, 0.3), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "nanstd": (np.nanstd, (NAN,), lambda g, y, x: np.where(KEPT, g * (x - np.nanmean(x)) / (y * 3), 0)),
    "nanvar": (np.nanvar, (NAN,), lambda g, y, x: np.where(KEPT, g * 2 * (x - np.nanmean(x)) / 3, 0)),
    "outer": (np.outer, (V4, B2[0]), lambda g, y, a, b: (g @ b, g.T @ a)),
    "percentile": (lambda x: np.percentile(x, 30), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "piecewise": (
        lambda x: np.piecewise(x, [V4 > -5, MASK], [np.sin, np.exp]),
        (V4,),
        lambda g, y, x: g * np.where(MASK, np.exp(x), np.cos(x)),
    ),
    "quantile": (lambda x: np.quantile(x, 0.3), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "repeat": (lambda x: np.repeat(x, 2), (V4,), lambda g, y, x: g[::2] + g[1::2]),
    "select": (
        lambda a, b: np.select([MASK, V4 > 0], [a, b]),
        (V4, V4 + 1),
        lambda g, y, a, b: (g * MASK, g * (~MASK & (V4 > 0))),
    ),
    "svdvals": (
        np.linalg.svdvals,
        (B2,),
        lambda g, y, x: np.linalg.svd(x, False)[0] @ np.diag(g) @ np.linalg.svd(x, False)[2],
    ),
    "take": (lambda x: np.take(x, ORDER), (V4,), lambda g, y, x: put(x, ORDER, g)),
    "take_along_axis": (lambda x: np.take_along_axis(x, ORDER, 0), (V4,), lambda g, y, x: put(x, ORDER, g)),
    "tile": (lambda x: np.tile(x, 2), (V4,), lambda g, y, x: g[:4] + g[4:]),
    "trace": (np.trace, (A2,), lambda g, y, x: g * np.eye(2)),
    "trapezoid": (lambda x: np.trapezoid(x, dx=0.5), (V4,), lambda g, y, x: g * np.array([0.5, 1, 1, 0.5]) * 0.5),
    "vecmat": (tg.vecmat, (B2[:, 0], A2), lambda g, y, x, a: (a @ g, np.outer(x, g))),
    "vsplit": (lambda x: np.vsplit(x, 2)[1], (A2,), lambda g, y, x: np.concatenate([np.zeros((1, 2)), g])),
}


FROM = np.array([0.5, 9.0, -2.0])  # has two numbers in common with V4, 0.5 and −2
STATED |= {
    f.__name__: (lambda x, f=f: y[0] if isinstance(y := f(x), tuple) else y, (V4,),
                 lambda g, y, x: put(x, [int(np.argmax(x == value)) for value in y], g))
    for f in (np.unique, np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all)
}  # fmt: skip
STATED |= {
    name: (lambda x: np.histogram_bin_edges(x, 2), (V4,), lambda g, y, x: put(x, [3, 3, 1, 1], g[[0, 1, 1, 2]] * [1, 0.5, 0.5, 1]))
    for name in ("histogram", "histogram_bin_edges")
}  # fmt: skip
STATED |= {  # −2, 0.5, 1, 3, 9
    "union1d": (np.union1d, (V4, FROM), lambda g, y, a, b: (put(a, [3, 0, 2, 1], g[:4]), put(b, 1, g[4]))),
    "intersect1d": (np.intersect1d, (V4, FROM), lambda g, y, a, b: (put(a, [3, 0], g / 2), put(b, [2, 0], g / 2))),
    "setdiff1d": (
        lambda a, b: np.setdiff1d(a, b) + 0 * b.sum(),
        (V4, FROM),
        lambda g, y, a, b: (put(a, [2, 1], g), 0 * b),
    ),
    "setxor1d": (np.setxor1d, (V4, FROM), lambda g, y, a, b: (put(a, [2, 1], g[:2]), put(b, 1, g[2]))),
}


@pytest.mark.parametrize("name", [name for name, made in COMPOSED.items() if made.formulas is not None])
def test_what_a_function_made_of_ops_states_is_the_derivative(name):
    function, values, stated_in_numpy = STATED[name]
    leaves = [leaf(value) for value in values]
    y = function(*leaves)
    g = np.random.default_rng(3).standard_normal(y.shape)
    expected = stated_in_numpy(g, y.numpy(), *values)
    found = tg.grad(y, leaves, tg.Tensor(g))
    for x, right in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(x.numpy(), right, rtol=1e-9, atol=1e-12)


def test_an_op_of_ones_own_prints():
    swish = op(
        symbol="swish",
        vjp=(lambda g, y, x, *, slope: g * (tg.sigmoid(slope * x) + slope * y * (1 - tg.sigmoid(slope * x))),),
        examples=[example((3,)), example((3,), slope=2.0)],
    )(lambda x, slope=1.0: x / (1 + np.exp(-slope * x)))
    assert swish.formula(0) == "∂L/∂x = ∂L/∂y ⊙ (sigmoid(x) + y ⊙ (1 − sigmoid(x)))"
    unexampled = op(symbol="f", vjp=(lambda g, y, x: g,))(lambda x: x)
    with pytest.raises(ValueError, match="no example"):
        unexampled.formula(0)
    unprintable = op(symbol="f", vjp=(lambda g, y, x: g * np.fft.fft(x),), examples=[example((3,))])(lambda x: x)
    with pytest.raises(TypeError, match="fft"):
        unprintable.formula(0)


# ---------------------------------------------------------------------------------------------------
# A whole record


def leaf(value, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)


def test_the_square_of_a_sum():
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    z = (t := x + y) ** 2
    assert tg.formula(z, x, {"t": t, "z": z}) == (
        "t = x + y = 5\nz = t² = 25\n∂z/∂t = ∂z/∂z·2t = 2t = 10\n∂z/∂x = ∂z/∂t·1 = ∂z/∂z·2t·1 = 2t = 10"
    )
    lines = tg.formula(z, x, latex=True).splitlines()
    assert lines[1] == "z = t^{2} = 25"
    for line in lines:
        PARSER.parse(f"${line}$")


def test_paths_add_up():
    x = leaf(3.0, "x")
    assert tg.formula(x * x + x, x).splitlines()[-1] == (
        "∂y/∂x = ∂y/∂y·1 + ∂y/∂t·x + ∂y/∂t·x = ∂y/∂y·1 + ∂y/∂y·1·x + ∂y/∂y·1·x = 1 + 2x = 7"
    )


def test_the_sigmoid_in_parts():
    x = leaf(0.3, "x")
    y = np.reciprocal(np.exp(x * -1.0) + 1)
    found = chain(y, loss="L", inline=True)
    assert [s.text() for s in found.contributions.values()] == [
        "−∂L/∂y·y²", "−∂L/∂y·y²", "−∂L/∂y·y²·exp(−x)", "∂L/∂y·y²·exp(−x)",
    ]  # fmt: skip
    assert chain(tg.sigmoid(x), loss="L").gradients[x].text() == "∂L/∂y·y·(1−y)"


def test_the_product_of_a_matrix_and_a_vector():
    W, V, v, u = (
        leaf([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "W"),
        leaf(np.eye(3), "V"),
        leaf([1.0, 2.0], "v"),
        leaf([1.0, 2.0, 3.0], "u"),
    )
    y = np.tanh(W @ v).sum()
    assert "∂y/∂W = ∂y/∂t₁ @ vᵀ = " in tg.formula(y, W)
    assert " = (1−t₂²) @ vᵀ = [[" in tg.formula(y, W)
    assert r"\left(1 - t_{2}^{2}\right) \, v^\top" in tg.formula(y, W, latex=True)
    assert " = Wᵀ @ ∂y/∂t₁ = " in tg.formula(y, v)
    y = np.tanh(u @ W).sum()
    assert " = u @ (1−t₂²)ᵀ = " in tg.formula(y, W)
    assert " = W @ ∂y/∂t₁ = " in tg.formula(y, u)
    y = np.tanh(V @ np.tanh(W @ v)).sum()
    assert " = ((Vᵀ @ (1−t₄²)) ⊙ (1−t₂²)) @ vᵀ = " in tg.formula(y, W)
    assert " = 2·(1 @ vᵀ) = " in tg.formula((2 * (W @ v)).sum(), W)
    assert " = −solve(Vᵀ, 1) @ tᵀ" in tg.formula(np.linalg.solve(V, u).sum(), V)
    assert "∂L/∂W = Σ₀ (Xᵀ @ ∂L/∂y)" in tg.formula(leaf(np.ones((2, 3, 3)), "X") @ W, W)


def test_products_and_orders():
    x = leaf([3.0, 1.0, 2.0], "x")
    assert " = ∏_{j≠i} xⱼ = [2., 6., 3.]" in tg.formula(np.prod(x), x)
    assert tg.formula(np.prod(x), x, latex=True).splitlines()[-1].count(r"\prod_{j \neq i} {x}_{j}") == 2
    assert " = (∂L/∂y)[place(x)]" in tg.formula(np.sort(x), x)
    assert chain(np.sort(x) * [1.0, 10.0, 100.0]).gradients[x].value.tolist() == [100, 1, 10]


def test_constants_have_names_and_values_are_decimal():
    x = leaf([[1.0, 2.0]], "x")
    lines = tg.formula(np.sum(x * np.array([[1.0, 0.0]])), x).splitlines()
    assert lines[:2] == ["c = [[1., 0.]]", "t = x ⊙ c = [[1., 0.]]"]
    assert "(softmax₁(x) − one_hot(1))" in tg.formula(tg.nn.functional.cross_entropy(x, np.array([1])), x)
    y = leaf(2.0, "x")
    assert "y = log(x) = 0.6931" in tg.formula(np.log(y), y)
    assert "y = x·π = 6.283" in tg.formula(y * math.pi, y)


def test_what_formula_does_not_take():
    x = leaf(2.0, "x")
    for arguments in [(x * 2, 3), (x * 2, [x, x]), (3, x)]:
        with pytest.raises(TypeError, match="formula\\(\\)"):
            formula(*arguments)


def test_an_affine_layer():
    X, W, B = leaf(np.ones((4, 2)), "X"), leaf(np.ones((2, 3)), "W"), leaf(np.ones(3), "B")
    Y = X @ W + B
    found = chain(Y, {"Y": Y})
    assert found.gradients[X].text(matmul="·") == "∂L/∂Y·Wᵀ"
    assert found.gradients[W].text(matmul="·") == "Xᵀ·∂L/∂Y"
    assert found.gradients[B].text() == "Σ₀ ∂L/∂Y"
    assert found.gradients[B].latex() == r"\sum_{0} \frac{\partial L}{\partial Y}"
    assert tg.formula(Y, B, {"Y": Y}).splitlines()[-1] == "∂L/∂B = Σ₀ ∂L/∂Y·1 = Σ₀ ∂L/∂Y"


def test_softmax_with_cross_entropy():
    x = leaf(np.zeros((2, 3)), "x")
    loss = tg.nn.functional.cross_entropy(x, np.array([0, 2]))
    assert "(softmax₁(x) − one_hot((0, 2)))/2" in tg.formula(loss, x)


def test_rules_that_print_too_much_are_named():
    A = leaf([[2.0, 0.5], [0.5, 3.0]], "A")
    w, V = np.linalg.eigh(A)
    assert "∂y/∂A = eigh′(A)ᵀ @ (∂y/∂t₁, ∂y/∂t₂)" in tg.formula(np.sum(w) + V[0, 0], A)
    x = leaf([0.1, 0.2], "x")
    y = tg.checkpoint(lambda x: np.sum(np.sin(x)), x)
    assert "checkpoint′(x)ᵀ @ ∂y/∂y" in tg.formula(y, x)
    assert np.allclose(chain(y).gradients[x].value, np.cos(x.numpy()))


@pytest.mark.parametrize("name", [name for name, declared in DECLARED.items() if declared.vjp is not None])
@pytest.mark.parametrize("local", [False, True])
def test_every_op_in_a_record(name, local):
    """On each example of each op, what the formulas carry is the gradient, and every part of them can be written."""
    declared = DECLARED[name]
    for case in declared.examples:
        args, options = case.draw(np.random.default_rng(0), declared.domains)
        leaves = []

        def tensors(arg, leaves=leaves):
            if isinstance(arg, list):
                return [tensors(part) for part in arg]
            if isinstance(arg, np.ndarray) and arg.dtype.kind == "f":
                leaves.append(leaf(arg))
                return leaves[-1]
            return arg

        with np.errstate(all="ignore"):
            results = declared(*[tensors(arg) for arg in args], **options)
        results = [
            r
            for r in (results if isinstance(results, tuple | list) else [results])
            if isinstance(r, tg.Tensor) and r.requires_grad
        ]
        if not results:
            continue
        output = sum([np.sum(r * np.arange(1.0, r.size + 1).reshape(r.shape)) for r in results])
        found = chain(output, local=local)
        for symbol in (*found.definitions.values(), *found.contributions.values()):
            assert symbol.expression.size > LONGEST or symbol.text()
        reached = [x for x in leaves if x in found.gradients]
        for x, g in zip(reached, tg.grad(output, reached), strict=True):
            np.testing.assert_allclose(found.gradients[x].value, g.numpy(), rtol=1e-9, atol=1e-12)


def test_names():
    a, b, c = leaf(1.0), leaf(2.0, "a"), leaf(3.0, "a")
    d = a * b * c * tg.Tensor(2.0) * tg.Tensor(np.arange(10.0), name="many words\n")
    read = chain(d)
    assert [read.names[node] for node in (a, b, c, d)] == ["x", "a", "a₂", "y"]
    assert sorted(read.names.values()) == ["a", "a₂", "many words\n", "t₁", "t₂", "t₃", "x", "y"]
    assert read.gradients[a].text() == "2·(Σ ∂L/∂y ⊙ many words)·a₂·a"
    read = chain(d, {"y": a, "t": d})
    assert [read.names[node] for node in (a, b, c, d)] == ["y", "a", "a₂", "t"]


HOSTILE = [
    "a & b",
    "$x$",
    "100%",
    "a_b^c",
    "{",
    "\\",
    '`"',
    "~#",
    "사과",
    "🍎",
    "θ",
    "x₁",
    "<b>",
    "λ_2",
    "∂",
    "layers.0.weight",
    " ",
]


def test_a_tensor_that_is_called_as_the_loss():
    x = leaf([1.0, 2.0], "L")
    read = chain(x * 3.0)
    assert read.gradients[x].text() == "3·∂J/∂y"
    assert chain(x * 3.0, {"y": x}, loss="y").gradients[x].text() == "3·∂y/∂z"

    m = x * 2.0
    read = chain(m * 3.0, {"m": m}, loss="m", local=True)
    assert read.contributions[m, 0].text() == "2·∂m/∂m"  # of two things of one name, and so not 1


def test_the_value_is_the_rules_where_a_plainer_one_is_printed():
    a, b = leaf(0.0, "a"), leaf(0.0, "b")
    found = chain(np.hypot(a, b)).gradients[a]
    assert (found.text(), found.value) == ("a/y", 0.0)


def test_an_op_of_ones_own_may_have_any_name():
    square = op(symbol="f", vjp=(lambda g, y, x: 3 * g * x**2,), examples=[example((3,))])(lambda x: x * x * x)
    square.name = "square"
    x = leaf(2.0, "x")
    assert tg.formula(square(x), x) == "y = square(x) = 8\n∂y/∂x = 3·∂y/∂y·x² = 3x² = 12"


def test_under_other_ways_of_recording():
    x = leaf([0.0, 1.0], "x")
    y = np.sum(np.sqrt(x) * 0.0)
    expected = formula(y, x)
    assert expected.endswith("= [nan, 0.]")
    for way in (tg.no_grad, tg.autograd.tracing, tg.detect_anomaly):
        with way():
            assert formula(y, x) == expected


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_plain_text(text):
    x = leaf(2.0, text)
    assert f"∂y/∂{grouped(of_path(text.strip()))}" in tg.formula(x * 3.0, x)
    for line in tg.formula(x * 3.0, x, latex=True).splitlines():
        PARSER.parse(f"${line}$")


def test_products_of_arrays_have_a_sign_of_their_own():
    x, y = Symbol("x", np.ones(3)), Symbol("y", np.ones(3))
    a, b = Symbol("a", 2.0), Symbol("b", 3.0)
    m = Symbol("M", np.ones((3, 3)))
    for symbol, text, latex in (
        (x * y, "x ⊙ y", r"x \odot y"),
        (a * b, "a·b", r"a \cdot b"),
        (a * x, "a·x", r"a \cdot x"),
        (x * a * y, "x·a ⊙ y", r"x \cdot a \odot y"),
        (x * 2 * y, "2x ⊙ y", r"2 x \odot y"),
        (np.exp(x) * 2 * np.exp(y), "2·exp(x) ⊙ exp(y)", r"2 \cdot e^{x} \odot e^{y}"),
        (x * x * y, "x² ⊙ y", r"x^{2} \odot y"),
        (np.sum(x) * y, "(Σ x)·y", None),
        ((m @ x) * y, "(M @ x) ⊙ y", r"\left(M \, x\right) \odot y"),
        (m @ (x * y), "M @ (x ⊙ y)", None),
    ):
        assert symbol.text() == text
        assert latex is None or symbol.latex() == latex
    assert tg.multiply.formula(0) == "∂L/∂a = ∂L/∂y ⊙ b"
    assert tg.square.formula(0, latex=True).endswith(r"\odot 2 x")
    v = leaf(np.ones(3), "v")
    assert tg.formula((v * v).sum(), v).splitlines()[-1].split(" = ")[-2] == "2v", "what comes back is a number"


def test_transposes_of_transposes_go():
    a, b = Symbol("A", np.ones((2, 3))), Symbol("B", np.ones((2, 4)))
    assert a.T.T.text() == "A"
    assert a.T.T.text(simplify=False) == "(Aᵀ)ᵀ"
    assert (a.T @ b).T.text() == "Bᵀ @ A"
    assert (a.T @ b).T.T.text() == "Aᵀ @ B"
    assert (b.T @ a.T.T).text() == "Bᵀ @ A"
    square = Symbol("C", np.ones((3, 3)))
    assert (a @ square).T.text() == "(A @ C)ᵀ", "nothing gets shorter"
    assert (2 * (a.T @ b).T).text() == "2·(Bᵀ @ A)"


def test_powers_fall():
    x, y = Symbol("x", 2.0), Symbol("y", 3.0)
    for symbol, text in (
        (5 - 4 * x + 9 * x**2, "9x² − 4x + 5"),
        (x + x**3, "x³ + x"),
        (y * x + 3 * y * x**2, "3y·x² + y·x"),
        (1 - x**2, "1 − x²"),
        (1 + x, "1 + x"),
        (x + y**2, "x + y²"),
        (1 / x + x**2, "1/x + x²"),
    ):
        assert symbol.text() == text


def test_the_path_of_a_parameter_is_not_read_as_a_number():
    model = nn.Sequential(nn.Linear(2, 3, dtype=float), nn.ReLU(), nn.Linear(3, 1, dtype=float))
    loss = model(tg.Tensor(np.ones((4, 2)))).sum()
    weight = dict(model.named_parameters())["0.weight"]
    assert "∂y/∂weight₀" in tg.formula(loss, weight)
    assert r"\mathrm{weight_{0}}" in tg.formula(loss, weight, latex=True)
    assert weight.name == "0.weight", "by which a state is saved"


def test_names_in_latex():
    names = {
        "x": "x",
        "x1": "x_{1}",
        "x₁₂": "x_{12}",
        "W_h": "W_{h}",
        "θ": r"\theta",
        "λ": r"\lambda",
        "Σ": r"\Sigma",
        "apple": r"\mathrm{apple}",
    }
    assert {name: Symbol(name, 1.0).latex() for name in names} == names


def test_deep_and_wide_records():
    x = leaf(1.0, "x")
    y = x
    for _ in range(60):
        y = y + y * 0.5  # 2⁶⁰ paths
    read = chain(y)
    assert read.gradients[x].value == pytest.approx(1.5**60)
    with pytest.raises(ValueError, match=r"parts is too long to read.*local=True"):
        read.gradients[x].text()
    assert "parts" in repr(read.gradients[x])
    last = tg.formula(y, x).splitlines()[-1]
    assert last.startswith("∂y/∂x = ∂y/∂t₂·1 + ∂y/∂t₁·0.5 = ")
    y = x
    for _ in range(5000):
        y = np.sin(y)
    assert len(chain(y, local=True).contributions) == 5000
    y = x
    for _ in range(LONGEST // 2 - 1):
        y = np.sin(y)
    assert chain(y, inline=True).definitions[y].text().startswith("sin(sin(")


def test_errors():
    x, y = leaf(1.0, "x"), leaf(2.0, "y")
    with pytest.raises(RuntimeError, match="no path from the result of multiply to 'y'"):
        tg.formula(x * 2, y)
    with pytest.raises(RuntimeError, match="no tensor that requires a gradient"):
        tg.formula(tg.Tensor(1.0) * 2, y)
    z = x * y
    z.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        tg.formula(z, x)


def test_a_record_is_only_read():
    x = leaf([1.0, 2.0], "x")
    y = np.sum(x * x)
    tg.formula(y, x)
    assert x.grad is None
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_the_function_and_the_module_share_a_name():
    module = importlib.import_module("tinygrad_edu.formula")
    assert tg.formula is module
    x = leaf(2.0, "x")
    assert tg.formula(x * 3.0, x) == formula(x * 3.0, x) == "y = 3x = 6\n∂y/∂x = ∂y/∂y·3 = 3"


HEADER = """\
The gradient rules of all ops, printed.
Written by `python -m tests.test_formula --write`; compared by the tests; to be read by a person when it changes.

"""


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    REVIEWED.write_text(HEADER + report(), encoding="utf-8")
