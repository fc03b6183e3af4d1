"""Strategies for hypothesis: arrays and tensors, shapes, axes and indices, and whole random programs.

hypothesis draws from these, and shrinks what fails to something small. NumPy's part of it is `hypothesis.extra.numpy`.
Here is what gradients need besides: numbers away from kinks, numbers that tie, numbers at the ends of floating point,
and programs, which are graphs of operations on numbers that each of them can take.

>>> from hypothesis import given
>>> from tinygrad_edu.testing import gradcheck, strategies
>>> @given(strategies.programs())
... def test_gradients(program):
...     gradcheck(program, program.inputs)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.engine.example import Domain, real
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.engine.tensor import Tensor

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise ImportError(
        "tinygrad_edu.testing.strategies draws with hypothesis, which is not installed here: pip install hypothesis"
    ) from error

Strategy = st.SearchStrategy[Any]
Shape = tuple[int, ...]


# ---------------------------------------------------------------------------------------------------
# Shapes, axes, indices


def dtypes(kinds: str = "f") -> Strategy:
    """Draw dtypes of these kinds: f floating, i signed, u unsigned, b boolean. float64 comes first when an example
    shrinks.
    """
    by_kind = {"f": ["float64", "float32", "float16"], "i": ["int64", "int32", "int8"], "u": ["uint8"], "b": ["bool"]}
    return st.sampled_from([np.dtype(name) for kind in kinds for name in by_kind[kind]])


def shapes(max_dims: int = 3, max_side: int = 4, min_dims: int = 0, min_side: int = 0) -> Strategy:
    """Draw shapes, also those without dimensions and those without elements."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(count: int = 2, max_dims: int = 3, max_side: int = 4, min_side: int = 1) -> Strategy:
    """Draw tuples of `count` shapes that broadcast together: leading axes are missing, or axes have length one."""
    return hnp.mutually_broadcastable_shapes(
        num_shapes=count, max_dims=max_dims, max_side=max_side, min_side=min_side
    ).map(lambda drawn: drawn.input_shapes)


def axes(ndim: int, *, none: bool = True, several: bool = True) -> Strategy:
    """Draw axes of an array of `ndim` dimensions in the forms that NumPy takes: None, one axis, also from the end, or a
    tuple.
    """
    options: list[Strategy] = [st.none()] if none or not ndim else []
    if ndim:
        options.append(st.integers(-ndim, ndim - 1))
        if several:
            options.append(hnp.valid_tuple_axes(ndim))
    return st.one_of(options)


@st.composite
def indices(draw: Any, shape: Shape) -> Any:
    """Draw indices in every form that NumPy knows: integers, slices of any step, `...`, None, integer arrays, masks,
    mixtures.
    """
    form = draw(st.sampled_from(["basic", "integers", "mask", "mixed"]))
    if form == "basic" or not shape or 0 in shape:
        return draw(hnp.basic_indices(shape, allow_newaxis=True))
    if form == "integers":
        return draw(hnp.integer_array_indices(shape, result_shape=shapes(2, 3, min_side=1)))
    if form == "mask":
        return draw(hnp.arrays(bool, shape[: draw(st.integers(1, len(shape)))]))
    result = draw(shapes(1, 3, min_dims=1, min_side=1))
    head = draw(st.integers(0, len(shape)))  # axes indexed from the front; with `...`, others from the back
    tail = draw(st.integers(0, len(shape) - head))
    parts: list[Any] = []
    for n in (*shape[:head], *shape[len(shape) - tail :]):
        array = hnp.arrays(np.int64, result, elements=st.integers(-n, n - 1))
        parts.append(draw(st.one_of(array, st.slices(n), st.integers(-n, n - 1))))
    return (*parts[:head], *([Ellipsis] if tail else []), *parts[head:])


# ---------------------------------------------------------------------------------------------------
# Numbers


@st.composite
def arrays(draw: Any, shape: Any = None, dtype: Any = np.float64, domain: Domain = real) -> Any:
    """Draw arrays with numbers of a domain (`real`, `positive`, `away_from(0)`, `spread`, … of `tinygrad_edu.op`).

    shape: a shape, or a strategy for shapes.
    dtype: a dtype, or a strategy for dtypes.
    domain: where the numbers come from.
    """
    shape = draw(shapes(min_side=1) if shape is None else shape) if not isinstance(shape, tuple) else shape
    kind = draw(dtype) if isinstance(dtype, st.SearchStrategy) else np.dtype(dtype)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.asarray(domain(rng, shape)).astype(kind)


@st.composite
def tensors(
    draw: Any, shape: Any = None, dtype: Any = np.float64, domain: Domain = real, requires_grad: bool = True
) -> Any:
    """Draw leaves, with numbers as `arrays` draws them."""
    return Tensor(draw(arrays(shape, dtype, domain)), requires_grad=requires_grad)


def ties(shape: Any = None, dtype: Any = np.float64) -> Strategy:
    """Draw arrays of few different numbers, zero among them, so that orders, maxima and steps are not unique."""
    return hnp.arrays(dtype, shapes(min_side=1) if shape is None else shape, elements=st.sampled_from([0, 1, -1, 2]))


def special_values(shape: Any = None, dtype: Any = np.float64) -> Strategy:
    """Draw arrays of the numbers at which functions differ: ±0, ±1, the smallest and the largest, ±∞, NaN."""
    kind = np.finfo(dtype)
    points = [0.0, 1.0, -1.0, -0.0, 0.5, float(kind.tiny), float(kind.eps), float(kind.max), -float(kind.max)]
    points += [np.inf, -np.inf, np.nan]
    return hnp.arrays(dtype, shapes(min_side=1) if shape is None else shape, elements=st.sampled_from(points))


# ---------------------------------------------------------------------------------------------------
# Programs


@dataclass(frozen=True)
class Step:
    """A line of a program: `v[k] = function(v[args], …, *extra, **settings)`.

    The function is a path in NumPy ("linalg.norm"), "getitem", or the name of an op that NumPy does not have. With
    `joined`, the arguments are passed as one list.
    """

    function: str
    args: tuple[int, ...]
    extra: tuple[Any, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    joined: bool = False

    def __call__(self, values: Sequence[Any], functions: Callable[[str], Any] | None = None) -> Any:
        """The step on earlier `values`, with `functions` to find its function by name."""
        f = (functions or numpys)(self.function)
        xs = [values[i] for i in self.args]
        return f(*([xs] if self.joined else xs), *self.extra, **self.settings)

    def __str__(self) -> str:
        names = ", ".join(f"v{i}" for i in self.args)
        parts = [f"[{names}]" if self.joined else names, *[_code(e) for e in self.extra]]
        parts += [f"{key}={value!r}" for key, value in self.settings.items()]
        return f"{self.function}({', '.join(parts)})"


def _code(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_code, value))}{',' * (len(value) == 1)})"
    return f"array({value.tolist()})" if isinstance(value, np.ndarray) else repr(value)


@dataclass(frozen=True)
class Program:
    """A graph of operations, and inputs for it. Called with arrays it computes, with tensors it records.

    Lines refer to earlier ones, any of them any number of times; `outputs` are the lines that are returned.
    """

    inputs: tuple[Any, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def __call__(self, *inputs: Any, functions: Callable[[str], Any] | None = None) -> tuple[Any, ...]:
        """Run it. `functions` finds a function by name: NumPy's if left out, or another library's."""
        values = list(inputs)
        for step in self.steps:
            values.append(step(values, functions))
        return tuple(values[i] for i in self.outputs)

    def __repr__(self) -> str:
        lines = [f"v{i} = {_code(x)}  # {x.shape}" for i, x in enumerate(self.inputs)]
        lines += [f"v{len(self.inputs) + k} = {step}" for k, step in enumerate(self.steps)]
        return "\n".join(["", *lines, "return " + ", ".join(f"v{i}" for i in self.outputs)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How hypothesis shows an example that fails: as code, not as a dataclass."""
        printer.text(repr(self))


def numpys(name: str) -> Any:
    """The function of a step: NumPy's, or this package's where NumPy has none."""
    if name == "getitem":
        return lambda x, index: x[index]
    f: Any = np
    for part in name.split("."):
        f = getattr(f, part, None)
    return ANSWERS[name] if f is None else f


# Which numbers each function takes, well inside its domain and away from its kinks.


def _any(x: Any) -> bool:
    return True


def _above(low: float) -> Callable[[Any], bool]:
    return lambda x: bool((x > low).all())


def _within(low: float, high: float) -> Callable[[Any], bool]:
    return lambda x: bool(((x > low) & (x < high)).all())


def _off_zero(x: Any) -> bool:
    return bool((np.abs(x) > 0.1).all())


def _distinct(x: Any) -> bool:
    """Whether any two of the numbers are more than 0.02 apart."""
    return bool((np.diff(np.sort(x, axis=None)) > 0.02).all())


ONE: dict[str, Callable[[Any], bool]] = {
    "sin": _any, "cos": _any, "tanh": _any, "arctan": _any, "arcsinh": _any, "negative": _any, "square": _any,
    "sigmoid": _any, "softplus": _any, "silu": _any, "gelu": _any,
    "exp": _within(-9, 3), "expm1": _within(-9, 3), "sinh": _within(-3, 3), "cosh": _within(-3, 3), "exp2": _within(-9, 4),
    "log": _above(0.2), "log2": _above(0.2), "log10": _above(0.2), "log1p": _above(-0.7), "sqrt": _above(0.2),
    "arcsin": _within(-0.8, 0.8), "arccos": _within(-0.8, 0.8), "arctanh": _within(-0.8, 0.8), "tan": _within(-1.2, 1.2),
    "arccosh": _above(1.2), "cbrt": _off_zero, "reciprocal": lambda x: bool((np.abs(x) > 0.3).all()),
    "absolute": _off_zero, "relu": _off_zero, "leaky_relu": _off_zero, "elu": _off_zero, "sign": _off_zero,
}  # fmt: skip
"""Functions of one array, elementwise."""

TWO: dict[str, Callable[[Any, Any], bool]] = {
    "add": lambda a, b: True, "subtract": lambda a, b: True, "multiply": lambda a, b: True,
    "divide": lambda a, b: bool((np.abs(b) > 0.3).all()),
    "power": lambda a, b: _within(0.2, 5)(a) and _within(-3, 3)(b),
    "logaddexp": lambda a, b: True,
    "hypot": lambda a, b: _off_zero(a) or _off_zero(b),
    "arctan2": lambda a, b: _above(0.1)(b),
    "maximum": lambda a, b: _off_zero(np.subtract(a, b)), "minimum": lambda a, b: _off_zero(np.subtract(a, b)),
}  # fmt: skip
"""Functions of two arrays that broadcast."""

REDUCTIONS: dict[str, Callable[[Any], bool]] = {
    "sum": _any, "mean": _any, "prod": _within(-3, 3), "logsumexp": _any, "var": _any,
    "std": lambda x: x.size > 1 and _distinct(x), "max": _distinct, "min": _distinct,
}  # fmt: skip
"""Reductions over some axes."""


MOVES = ("reshape", "expand_dims", "broadcast_to", "ravel", "transpose", "flip", "roll", "repeat", "squeeze", "pad")
"""Functions that move elements."""

ALONG = ("sort", "cumsum", "softmax", "log_softmax")
"""Functions along one axis, of numbers that do not tie."""

FUNCTIONS = (*ONE, *REDUCTIONS, *MOVES, *ALONG, *(*TWO, "stack", "concatenate", "matmul", "getitem") * 3)
"""What programs are made of: rather of what joins values."""


@st.composite
def programs(draw: Any, max_inputs: int = 3, max_steps: int = 10, max_size: int = 24) -> Any:
    """Random whole programs: DAGs of ops with shared nodes and several outputs, and inputs for them.

    Each step is chosen so that its numbers lie inside its domain and away from its kinks, and its result is
    neither large, nor empty, nor of more than `max_size` elements; so at its inputs the program is smooth. It
    returns every value that no step uses, so that no step is in vain.
    """
    values: list[Any] = [
        draw(arrays(shapes(max_dims=3, max_side=3, min_side=1))) for _ in range(draw(st.integers(1, max_inputs)))
    ]
    inputs = tuple(values)
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, max_steps))):
        step = draw(_steps(draw(st.sampled_from(FUNCTIONS)), values))
        y = None if step is None else _computed(step, values)
        if y is None or not 0 < y.size <= max_size:
            step = Step(draw(st.sampled_from(["sin", "tanh"])), (draw(st.integers(0, len(values) - 1)),))
            y = _computed(step, values)
        steps.append(step)
        values.append(y)
    used = {i for step in steps for i in step.args}
    made = range(len(inputs), len(values))
    also = draw(st.lists(st.sampled_from(made), max_size=1))
    return Program(inputs, tuple(steps), tuple(dict.fromkeys([*(i for i in made if i not in used), *also])))


def _computed(step: Step, values: Sequence[Any]) -> Any:
    """The step's value, or None if it is out of range."""
    with np.errstate(all="ignore"):
        y = np.asarray(step(values))
    return y if np.isfinite(y).all() and np.abs(y).max(initial=0.0) < 30 else None


@st.composite
def _steps(draw: Any, name: str, values: Sequence[Any]) -> Any:
    """A step that calls this function on some of the values so far; None if it can take none of them."""

    def choose(takes: Callable[[Any], bool]) -> Any:
        """Draw a value that `takes` accepts, more often the newest, so that programs grow deep; None if there is none."""
        fitting = [i for i, x in enumerate(values) if takes(x)][::-1]
        return draw(st.sampled_from([*fitting[:1] * 2, *fitting])) if fitting else None

    if name in TWO:
        i = choose(_any)
        j = choose(lambda z: _broadcast(values[i].shape, z.shape) and TWO[name](values[i], z))
        return None if j is None else Step(name, (i, j))
    if name == "matmul":
        i = choose(lambda x: x.ndim > 0)
        j = None if i is None else choose(lambda z: z.ndim > 0 and _multiplies(values[i].shape, z.shape))
        return None if j is None else Step(name, (i, j))
    if name in ("stack", "concatenate"):
        i = choose(lambda x: x.ndim > 0 or name == "stack")
        if i is None:
            return None
        alike = [j for j, z in enumerate(values) if z.shape == values[i].shape]
        others = draw(st.lists(st.sampled_from(alike), max_size=2))
        axis = draw(st.integers(0, values[i].ndim - (name == "concatenate")))
        return Step(name, (i, *others), settings={"axis": axis}, joined=True)
    takes = ONE.get(name) or REDUCTIONS.get(name) or (_distinct if name in ALONG else _any)
    i = choose(lambda x: takes(x) and (x.ndim > 0 or name in (*ONE, *REDUCTIONS, *MOVES[:4])))
    if i is None or name in ONE:
        return None if i is None else Step(name, (i,))
    x = values[i]
    if name in REDUCTIONS:
        return Step(name, (i,), settings={"axis": draw(axes(x.ndim)), "keepdims": draw(st.booleans())})
    if name in ALONG:
        return Step(name, (i,), settings={"axis": draw(st.integers(-x.ndim, x.ndim - 1))})
    return Step(name, (i,), (draw(indices(x.shape)),)) if name == "getitem" else draw(_moves(name, i, x))


@st.composite
def _moves(draw: Any, name: str, i: int, x: Any) -> Any:
    """A step that moves elements."""
    n = x.ndim
    axis = draw(st.integers(-n, n - 1)) if n else 0
    if name == "reshape":
        shape = draw(st.sampled_from([s for s in [(-1,), (1, -1), (-1, 1), x.shape[::-1], (2, -1)] if _reshapes(x, s)]))
        return Step("reshape", (i,), (shape,))
    if name == "expand_dims":
        return Step("expand_dims", (i,), (draw(st.integers(-n - 1, n)),))
    if name == "broadcast_to":
        return Step("broadcast_to", (i,), ((2, *x.shape),))
    if name == "transpose":
        return Step("transpose", (i,), (tuple(draw(st.permutations(range(n)))),))
    if name == "flip":
        return Step("flip", (i,), settings={"axis": axis})
    if name == "roll":
        return Step("roll", (i,), (draw(st.integers(-3, 3)),), {"axis": axis})
    if name == "repeat":
        return Step("repeat", (i,), (2,), {"axis": axis})
    if name == "pad":
        return Step("pad", (i,), (1,), {"mode": draw(st.sampled_from(["constant", "edge", "wrap"]))})
    return Step(name, (i,))


def _broadcast(a: Shape, b: Shape) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))


def _multiplies(a: Shape, b: Shape) -> bool:
    """Whether matmul takes these shapes."""
    return a[-1] == b[-2 if len(b) > 1 else 0] and _broadcast(a[:-2], b[:-2])


def _reshapes(x: Any, shape: Shape) -> bool:
    return -1 not in shape or x.size % int(np.prod([n for n in shape if n != -1])) == 0
