"""The printed reading. What is printed is read back, as a reader would, and must give the numbers of the rule.

`tests/formulas.txt` holds every op's formulas, reviewed by a person. `python -m tests.test_formula --write` writes
it anew; look at the difference before committing it.
"""

import importlib
import math
import pkgutil
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

import tinygrad_edu
from tinygrad_edu.formula import Symbol, draw_sample, rule_formula, stated
from tinygrad_edu.graph import unbroadcast
from tinygrad_edu.op import OPS
from tinygrad_edu.protocols import ANSWERS

REVIEWED = Path(__file__).with_name("formulas.txt")

for module in pkgutil.walk_packages(tinygrad_edu.__path__, "tinygrad_edu."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)  # whatever part of the package declares ops


# ---------------------------------------------------------------------------------------------------
# Reading what was printed

SUBSCRIPTS, SUPERSCRIPTS = "₀₁₂₃₄₅₆₇₈₉", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
WORD = rf"[A-Za-zα-ωλπ_][A-Za-zα-ω0-9_]*[{SUBSCRIPTS}]*"
NAME = rf"∂{WORD}/∂{WORD}|{WORD}|…"
TOKENS = re.compile(rf"\s*({NAME}|\d+(?:\.\d+)?(?:e[−+]?\d+)?|[{SUPERSCRIPTS}]+|[{SUBSCRIPTS}]+|[→.]+|.)")
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
            result = result @ self.product()
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
            if self.take("·"):
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
                result = np.swapaxes(result, -1, -2)
            elif self.take("["):
                index = ""
                while not self.take("]"):
                    index += self.tokens.pop(0)
                result = eval(f"x[{index}]", {"x": result, **self.values})
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
    f, big = gaps(s**2), np.diag(s)
    j, k = f * (u.T @ gu), f * (v.T @ gv)
    return u @ (np.diag(gs) + (j + j.T) @ big + big @ (k + k.T)) @ v.T


def by_qr(g, y, x):
    (gq, gr), (q, r) = g, y
    m = r @ gr.T - gq.T @ q
    return (gq + q @ (np.tril(m) + np.tril(m, -1).T)) @ np.linalg.inv(r).T


# What is stated in words, word for word in NumPy
TRANSLATED = {
    "cholesky": lambda g, y, x, **_: sym(np.linalg.inv(y).T @ half(y.T @ g) @ np.linalg.inv(y)),
    "concatenate": lambda g, y, a, b, **_: (g[: len(a)], g[len(a) :]),
    "constant_power": lambda g, y, x, exponent: g * exponent * x ** (exponent - 1),
    "cross": lambda g, y, a, b, **_: (np.cross(b, g), np.cross(g, a)),
    "cumprod": lambda g, y, x, **_: np.array(
        [sum(g[s] * np.prod(np.delete(x[: s + 1], t)) for s in range(t, len(x))) for t in range(len(x))]
    ),
    "cumsum": lambda g, y, x, **_: np.array([sum(g[t:]) for t in range(len(x))]),
    "diagonal": lambda g, y, x, **_: np.diag(g),
    "eigh": lambda g, y, x: sym(y[1] @ (np.diag(g[0]) + gaps(y[0]) * (y[1].T @ g[1])) @ y[1].T),
    "from_diagonal": lambda g, y, x, **_: np.diagonal(g),
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
    "solve": lambda g, y, a, b: (-np.outer(np.linalg.solve(a.T, g), y), np.linalg.solve(a.T, g)),
    "sort": lambda g, y, x, **_: np.array([g[0][list(y[0]).index(element)] for element in x]),
    "split": lambda g, y, x, **_: np.concatenate(g),
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
    if name in ("cholesky", "eigh"):  # functions of symmetric matrices
        direction = sym(direction)

    def along(step):
        xs = [s.value + step * direction if k == i else s.value for k, s in enumerate(sample.xs)]
        ys, gs = declared.compute(xs, sample.settings), numbers(sample.g)
        return sum(np.sum(g * y) for g, y in zip(gs, ys, strict=True)) if isinstance(ys, tuple) else np.sum(gs * ys)

    h = 1e-5
    quotient = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    np.testing.assert_allclose(np.sum(sample.run(i).value * direction), quotient, rtol=1e-6, atol=1e-8)


PARSER = MathTextParser("path")


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
    return "\n".join(lines)


def test_formulas_are_those_that_were_reviewed():
    reviewed = REVIEWED.read_text(encoding="utf-8")
    assert report() == reviewed[reviewed.index("\n\n") + 2 :], (
        "look at what changed, then: python -m tests.test_formula --write"
    )


def test_latex_is_valid():
    formulas = {rule_formula(DECLARED[name], i, latex=True) for name, i in RULES}
    assert len(formulas) > 100
    for text in sorted(formulas):
        PARSER.parse(f"${text}$")


HEADER = """\
The gradient rules of all ops, printed. Reviewed by a person; written by `python -m tests.test_formula --write`.

"""


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    REVIEWED.write_text(HEADER + report(), encoding="utf-8")
