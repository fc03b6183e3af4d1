"""A reader of printed formulas, by which the tests compute what is printed; and every op that prints."""

import importlib
import math
import pkgutil
import re

import numpy as np
from matplotlib.mathtext import MathTextParser

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import ANSWERS, COMPOSITES, OPS
from tinygrad_edu.formula import Symbol
from tinygrad_edu.formula.composites import draw_composite
from tinygrad_edu.ops.network import recurrence

for module in pkgutil.walk_packages(tg.__path__, "tinygrad_edu."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)  # whatever part of the package declares ops
        except ModuleNotFoundError as missing:  # JAX, say: an extra that these tests do without
            if missing.name is None or missing.name.startswith("tinygrad_edu"):
                raise


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


# ---------------------------------------------------------------------------------------------------
# Every op


def in_doctest(declared):
    return getattr(declared.forward, "__code__", None) and declared.forward.__code__.co_filename.startswith("<doctest")


DECLARED = {name: declared for name, declared in sorted(OPS.items()) if declared.examples and not in_doctest(declared)}


def numbers(symbols):
    """The values of symbols."""
    return tuple([numbers(s) for s in symbols]) if isinstance(symbols, tuple) else getattr(symbols, "value", symbols)


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
    g, y = g[0], y[0]

    def mean(x):
        return x.mean(-1, keepdims=True)

    return (g - mean(g) - y * mean(g * y)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def partials(x, w, g):
    """Return the derivatives of T = Σ g[n, o, p]·x[n, c, p + k]·w[o, c, k] by x, w and g."""
    by = [np.zeros(x.shape), np.zeros(w.shape), np.zeros(g.shape)]
    for n, o, p, c, k in np.ndindex(*g.shape, *w.shape[1:]):
        by[0][n, c, p + k] += g[n, o, p] * w[o, c, k]
        by[1][o, c, k] += g[n, o, p] * x[n, c, p + k]
        by[2][n, o, p] += x[n, c, p + k] * w[o, c, k]
    return by


def pooled(x, pool):
    """The windows of two numbers each, an odd last one left out: (N, C, positions, 2)."""
    return pool(x[..., : x.shape[2] // 2 * 2].reshape(*x.shape[:2], -1, 2))


def into_windows(g, x, weights):
    """g at each number of its window, times the weights: of shape (N, C, positions, 2)."""
    y = np.zeros(x.shape)
    y[..., : 2 * g.shape[2]] = (g[..., None] * weights).reshape(*g.shape[:2], -1)
    return y


def largest(x):
    return pooled(x, lambda windows: windows == windows.max(-1, keepdims=True))


def weights_of(q, k, mask, scale):
    """The weights of attention, of complex numbers too."""
    e = np.exp(scale * q @ k.mT + mask)
    return e / e.sum(-1, keepdims=True)


def slopes_of_attention(g, q, k, v, mask, kept, scale):
    """Return the gradients of attention by q, k and v, where `g` comes back to its result."""
    p = weights_of(q, k, mask, scale)
    r = g @ v.mT * kept
    s = p * (r - (r * p).sum(-1, keepdims=True))
    return scale * s @ k, scale * s.mT @ q, (p * kept).mT @ g


def by_complex_step(function, gs, xs):
    """⟨g, ∂y/∂x⟩ for each number of each x, exact to the last digits."""
    found = []
    for i, x in enumerate(xs):
        slope = np.zeros(x.shape)
        for place in np.ndindex(*x.shape):
            step = np.zeros(x.shape, complex)
            step[place] = 1e-30j
            ys = function(*[z + step if n == i else z for n, z in enumerate(xs)])
            slope[place] = sum((g * y.imag).sum() for g, y in zip(gs, ys, strict=True)) / 1e-30
        found.append(slope)
    return tuple(found)


def by_lstm(g, y, a, h0, c0, weight, reverse):
    return by_projected_lstm(g, y, a, h0, c0, weight, np.eye(c0.shape[1]), reverse)[:4]


def by_projected_lstm(g, y, a, h0, c0, weight, projection, reverse):
    (gh, gc, gg), (hs, cs, gates) = g, y
    delta, by_hs, by_c, f_next = np.zeros(a.shape), np.zeros(hs.shape), np.zeros(c0.shape), 0
    for t in reversed(range(len(a))):
        i, f, new, o = np.split(gates[t], 4, axis=1)
        gi, gf, gn, go = np.split(gg[t], 4, axis=1)
        last = cs[t - 1] if t else c0
        by_hs[t] = gh[t] + (delta[t + 1] @ weight.T if t + 1 < len(a) else 0)
        by_u = by_hs[t] @ projection.T
        by_c = gc[t] + f_next * by_c + by_u * o * (1 - np.tanh(cs[t]) ** 2)
        parts = [
            (by_c * new + gi) * i * (1 - i), (by_c * last + gf) * f * (1 - f),
            (by_c * i + gn) * (1 - new**2), (by_u * np.tanh(cs[t]) + go) * o * (1 - o),
        ]  # fmt: skip
        delta[t], f_next = np.concatenate(parts, axis=1), f
    began = np.concatenate([h0[None], hs[:-1]])
    by_r = np.einsum("tnh,tnp->hp", np.split(gates, 4, axis=2)[3] * np.tanh(cs), by_hs)
    return delta, delta[0] @ weight.T, f_next * by_c, np.einsum("tnh,tng->hg", began, delta), by_r


def by_gru(g, y, a, h0, weight, bias, reverse):
    (gh, gg), (hs, gates) = g, y
    by_a, delta, by_h, z_next = np.zeros(a.shape), np.zeros(a.shape), np.zeros(h0.shape), 0
    began = np.concatenate([h0[None], hs[:-1]])
    for t in reversed(range(len(a))):
        r, z, n, u = np.split(gates[t], 4, axis=1)
        gr, gz, gn, gu = np.split(gg[t], 4, axis=1)
        by_h = gh[t] + z_next * by_h + (delta[t + 1] @ weight.T if t + 1 < len(a) else 0)
        by_n = (by_h * (1 - z) + gn) * (1 - n**2)
        by_r, by_z = (by_n * u + gr) * r * (1 - r), (by_h * (began[t] - n) + gz) * z * (1 - z)
        by_a[t], z_next = np.concatenate([by_r, by_z, by_n], axis=1), z
        delta[t] = np.concatenate([by_r, by_z, by_n * r + gu], axis=1)
    by_0 = z_next * by_h + delta[0] @ weight.T
    return by_a, by_0, np.einsum("tnh,tng->hg", began, delta), delta.sum((0, 1))


def by_rnn(g, y, a, h0, weight, reverse, nonlinearity):
    (gh,), (hs,), delta = g, y, np.zeros(a.shape)
    for t in reversed(range(len(a))):
        delta[t] = (1 - hs[t] ** 2) * (gh[t] + (delta[t + 1] @ weight.T if t + 1 < len(a) else 0))
    began = np.concatenate([h0[None], hs[:-1]])
    return delta, delta[0] @ weight.T, np.einsum("tnh,tng->hg", began, delta)


def by_difference(loop, count):
    """∂L/∂xᵢ of a loop, element by element, from its own numbers: what is said is that it is the loop's."""

    def by_each(g, y, *xs, **settings):
        def along(i, at, step):
            moved = [x.copy() for x in xs]
            moved[i][at] += step
            return sum(np.sum(part * made) for part, made in zip(g, loop(*moved, **settings), strict=True))

        h, found = 1e-2, []
        for i in range(count):
            slopes = np.zeros(xs[i].shape)
            for at in np.ndindex(*xs[i].shape):
                near, far = along(i, at, h) - along(i, at, -h), along(i, at, 2 * h) - along(i, at, -2 * h)
                further = along(i, at, 3 * h) - along(i, at, -3 * h)
                slopes[at] = (45 * near - 9 * far + further) / (60 * h)
            found.append(slopes)
        return tuple(found)

    return by_each


TRANSLATED = {
    "attention": lambda g, y, *xs, scale, **_: by_complex_step(
        lambda q, k, v, mask, kept: ((weights_of(q, k, mask, scale) * kept) @ v,), [g], xs
    ),
    "attention_slopes": lambda g, y, *xs, scale, **_: by_complex_step(
        lambda *xs: slopes_of_attention(*xs, scale), g, xs
    ),
    "batch_norm": by_batch_norm,
    "cholesky": lambda g, y, x, **_: sym(np.linalg.inv(y).T @ half(y.T @ g) @ np.linalg.inv(y)),
    "concatenate": lambda g, y, a, b, **_: (g[: len(a)], g[len(a) :]),
    "constant_power": lambda g, y, x, exponent: g * exponent * x ** (exponent - 1),
    "conv": lambda g, y, x, w, **_: tuple(partials(x, w, g)[:2]),
    "conv_transpose": lambda g, y, x, w, **_: tuple(partials(g, w, x)[:0:-1]),
    "conv_weight": lambda g, y, x, s, **_: tuple(partials(x, g, s)[::2]),
    "cross": lambda g, y, a, b, **_: (np.cross(b, g), np.cross(g, a)),
    "cumprod": lambda g, y, x, **_: np.array(
        [sum(g[s] * np.prod(np.delete(x[: s + 1], t)) for s in range(t, len(x))) for t in range(len(x))]
    ),
    "cumsum": lambda g, y, x, **_: np.array([sum(g[t:]) for t in range(len(x))]),
    "cut_off": lambda g, y, x, where, **_: np.zeros_like(x),
    "diagonal": lambda g, y, x, **_: np.diag(g),
    "eigh": lambda g, y, x, **_: sym(y[1] @ (np.diag(g[0]) + gaps(y[0]) * (y[1].T @ g[1])) @ y[1].T),
    "fold_windows": lambda g, y, x, **_: np.stack([g[..., k : k + x.shape[3]] for k in range(x.shape[2])], axis=2),
    "from_diagonal": lambda g, y, x, **_: np.diagonal(g),
    "embedding": lambda g, y, weight, numbers, **_: sum(
        filled(weight.shape, k, g[place]) for place, k in np.ndenumerate(numbers)
    ),
    "gru": by_gru,
    "gru_slopes": by_difference(recurrence.gru_slopes, 6),
    "lstm": by_lstm,
    "lstm_slopes": by_difference(recurrence.lstm_slopes, 7),
    "projected_lstm": by_projected_lstm,
    "projected_lstm_slopes": by_difference(recurrence.projected_lstm_slopes, 8),
    "rnn": by_rnn,
    "rnn_slopes": by_difference(recurrence.rnn_slopes, 3),
    "getitem": lambda g, y, x, i, **_: sum(filled(x.shape, k, g[n]) for n, k in enumerate(i)),
    "index_update": lambda g, y, x, values, **_: (g * (np.arange(4) != 1), g[:, 1]),
    "max_pool": lambda g, y, x, **_: into_windows(g, x, largest(x)),
    "max_pool_gradient": lambda g, y, s, x, **_: (np.sum(pooled(g, np.asarray) * largest(x), axis=-1), None),
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
    "spread_windows": lambda g, y, x, **_: np.sum(pooled(g, np.asarray), axis=-1),
    "stack": lambda g, y, a, b, **_: (g[0], g[1]),
    "sum_pool": lambda g, y, x, **_: into_windows(g, x, np.ones(2)),
    "tensordot": lambda g, y, a, b, **_: (np.einsum("ij,klj->ikl", g, b), np.einsum("ikl,ij->klj", a, g)),
    "unfold_windows": lambda g, y, x, **_: sum(
        np.pad(g[:, :, k], [(0, 0), (0, 0), (k, g.shape[2] - 1 - k)]) for k in range(g.shape[2])
    ),
    "unstack": lambda g, y, x, **_: np.stack(g),
}


PARSER = MathTextParser("path")


COMPOSED = {name: made for name, made in sorted(COMPOSITES.items()) if not made.__module__.startswith("tests")}
INPUTS = [(name, text) for name, made in COMPOSED.items() for text in draw_composite(made).inputs]


x, y, t, a, b = [Symbol(name, value) for name, value in {"x": 1.5, "y": 0.5, "t": 2.5, "a": 0.7, "b": 1.9}.items()]
A, B, C = [Symbol(name, np.arange(6.0).reshape(2, 3)[:, :n] + 1) for name, n in {"A": 2, "B": 2, "C": 3}.items()]
v = Symbol("v", [1.0, 2.0, 3.0])


# ---------------------------------------------------------------------------------------------------
# A whole record


def leaf(value, name=None):
    return tg.Tensor(value, requires_grad=True, name=name)
