"""Vectors as the processor has them: six small programs in LLVM's language, which numba's functions call.

A vector is a register full of numbers: 16 of float32 with AVX-512, 8 with AVX2, 4 with NEON and SSE; of float64 half as
many. How many there are is read from the processor that numba compiles for, which is also what numba's cache on disk
tells its files apart by. All take flat arrays, and where in them to begin; none looks whether it stays inside.

    product     rows of dot products with a matrix, held in registers: what every convolution is made of
    mapped      M X Mᵀ for a small matrix M: what Winograd's maps are
    to_last     a square of numbers is turned, so that channels become neighbours
    to_first    and is turned back
    largest_of_pairs, first_of_pairs  the largest of each 2×2 numbers, and a slope for it: what max pooling mostly is
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_TRIPLE, _NAME, _FEATURES = cpu_target.target_context.codegen().magic_tuple()
_HAS = set(_FEATURES.split(","))

BYTES = 64 if "+avx512f" in _HAS else 32 if "+avx2" in _HAS else 16
"""The bytes of a vector: the widest that this processor computes with."""

MANY = "+avx512f" in _HAS or _TRIPLE.startswith(("aarch64", "arm64"))
"""Whether there are 32 registers for vectors; else there are 16."""

SHAPES = {4: 6, 2: 8, 1: 8} if MANY else {2: 6, 1: 8}
"""How many rows are summed at a time, by how many vectors each is wide: as many as registers hold, factors and all."""

Builder = Any
_INTEGER = ir.IntType(64)


def _element(array: Any) -> Any:
    return ir.FloatType() if array.dtype == types.float32 else ir.DoubleType()


def _vector(array: Any, lanes: int | None = None) -> Any:
    """The type of a vector of an array's numbers; a whole one, if not told of how many."""
    return ir.VectorType(_element(array), lanes or BYTES * 8 // array.dtype.bitwidth)


class _Memory:
    """The numbers of a flat array: loaded and stored one by one, and as vectors."""

    def __init__(self, context: Any, builder: Builder, array: Any, value: Any, lanes: int | None = None) -> None:
        self._builder = builder
        self._size = array.dtype.bitwidth // 8
        self._begin = context.make_array(array)(context, builder, value).data
        self.vector: Any = None if isinstance(array.dtype, types.Integer) else _vector(array, lanes)

    def one(self, index: Any) -> Any:
        return self._builder.load(self._builder.gep(self._begin, [index]))

    def load(self, index: Any) -> Any:
        return self._builder.load(self._place(index), align=self._size)

    def store(self, value: Any, index: Any) -> None:
        self._builder.store(value, self._place(index), align=self._size)

    def _place(self, index: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(self._begin, [index]), self.vector.as_pointer())


def _repeated(builder: Builder, value: Any, vector: Any) -> Any:
    """A vector that holds this number in each of its places."""
    nothing, zero = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    first = builder.insert_element(nothing, value, zero)
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _fused(builder: Builder, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once where the processor can."""
    kind = "f32" if isinstance(a.type.element, ir.FloatType) else "f64"
    name = f"llvm.fmuladd.v{a.type.count}{kind}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


def _at(n: int) -> Any:
    return ir.Constant(_INTEGER, n)


# ---------------------------------------------------------------------------------------------------
# Products


def product(rows: int, width: int, whole: bool = False) -> Callable[..., None]:
    """A function (a, i, starts, s, steps, t, n, b, j, ldb, c, k, ldc, add) that computes, for `rows` rows r and the
    columns of `width` vectors,

        c[k + r·ldc + column] = Σ over the first n steps of a[i + starts[s + r] + steps[t + step]]·b[j + step·ldb + column],

    with what stood there before added, if `add` is. If `whole`, a row of `a` is a vector too, multiplied number by number,
    where else it is one number for all columns. starts and steps are arrays of 64-bit integers; n is 1 or more.
    """

    @intrinsic
    def summed(typing, a, i, starts, s, steps, t, n, b, j, ldb, c, k, ldc, add):  # type: ignore[no-untyped-def]
        size = types.intp
        takes = (a, size, starts, size, steps, size, size, b, size, size, c, size, size, types.boolean)

        def write(context: Any, builder: Builder, signature: Any, args: Any) -> Any:
            memory = dict(
                zip(
                    ["a", "i", "starts", "s", "steps", "t", "n", "b", "j", "ldb", "c", "k", "ldc", "add"],
                    args,
                    strict=True,
                )
            )
            for name in ("a", "starts", "steps", "b", "c"):
                array = signature.args[list(memory).index(name)]
                memory[name] = _Memory(context, builder, array, memory[name])
            _write_product(builder, rows, width, whole, **memory)
            return context.get_dummy_value()

        return types.void(*takes), write

    return summed


def _write_product(
    builder: Builder, rows: int, width: int, whole: bool,
    *, a: Any, i: Any, starts: Any, s: Any, steps: Any, t: Any, n: Any, b: Any, j: Any, ldb: Any, c: Any, k: Any, ldc: Any, add: Any,
) -> None:  # fmt: skip
    vector, lanes = c.vector, c.vector.count
    begins = [builder.add(i, starts.one(builder.add(s, _at(r)))) for r in range(rows)]
    places = []
    for r in range(rows):
        row = builder.add(k, builder.mul(ldc, _at(r)))
        places += [builder.add(row, _at(q * lanes)) for q in range(width)]

    before, fresh = builder.block, builder.append_basic_block("before")
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.cbranch(add, fresh, loop)
    builder.position_at_end(fresh)
    olds = [c.load(place) for place in places]
    builder.branch(loop)

    builder.position_at_end(loop)
    step, column = builder.phi(_INTEGER), builder.phi(_INTEGER)
    totals = [builder.phi(vector) for _ in places]
    for phi, value in [(step, _at(0)), (column, j)]:
        phi.add_incoming(value, before)
        phi.add_incoming(value, fresh)
    for total, old in zip(totals, olds, strict=True):
        total.add_incoming(ir.Constant(vector, None), before)
        total.add_incoming(old, fresh)
    offset = steps.one(builder.add(t, step))
    factors = [b.load(builder.add(column, _at(q * lanes))) for q in range(width)]
    sums = []
    for r, begin in enumerate(begins):
        at = builder.add(begin, offset)
        factor = a.load(at) if whole else _repeated(builder, a.one(at), vector)
        sums += [_fused(builder, factor, factors[q], totals[r * width + q]) for q in range(width)]
    following = builder.add(step, _at(1))
    for phi, value in [(step, following), (column, builder.add(column, ldb)), *zip(totals, sums, strict=True)]:
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, n), loop, after)

    builder.position_at_end(after)
    for place, value in zip(places, sums, strict=True):
        c.store(value, place)


# ---------------------------------------------------------------------------------------------------
# Small maps


def mapped(matrix: Sequence[Sequence[float]]) -> Callable[..., None]:
    """A function (x, i, down, across, y, j, lower, further) that computes Y = M X Mᵀ of vectors. X's vector in row r and
    column c begins at x[i + r·down + c·across], Y's at y[j + r·lower + c·further].
    """

    @intrinsic
    def function(typing, x, i, down, across, y, j, lower, further):  # type: ignore[no-untyped-def]
        size = types.intp

        def write(context: Any, builder: Builder, signature: Any, args: Any) -> Any:
            source, target = (_Memory(context, builder, signature.args[n], args[n]) for n in (0, 4))
            _, i, down, across, _, j, lower, further = args
            place: Any = lambda start, row, r, column, c: builder.add(
                start, builder.add(builder.mul(row, _at(r)), builder.mul(column, _at(c)))
            )
            n = range(len(matrix[0]))
            columns = [_apply(builder, matrix, [source.load(place(i, down, r, across, c)) for r in n]) for c in n]
            for r, row in enumerate(zip(*columns, strict=True)):
                for c, value in enumerate(_apply(builder, matrix, row)):
                    target.store(value, place(j, lower, r, further, c))
            return context.get_dummy_value()

        return types.void(x, size, size, size, y, size, size, size), write

    return function


def _apply(builder: Builder, matrix: Sequence[Sequence[float]], values: Sequence[Any]) -> list[Any]:
    """M v. Two rows that are e + o and e − o for short e and o are computed so."""
    results: list[Any] = []
    while len(results) < len(matrix):
        row, following = matrix[len(results)], matrix[min(len(results) + 1, len(matrix) - 1)]
        half_sum = [(a + b) / 2 for a, b in zip(row, following, strict=True)]
        half_difference = [(a - b) / 2 for a, b in zip(row, following, strict=True)]
        apart = any(half_difference) and any(half_sum)
        if apart and not any(a and b for a, b in zip(half_sum, half_difference, strict=True)):
            e, o = _combined(builder, half_sum, values), _combined(builder, half_difference, values)
            results += [builder.fadd(e, o), builder.fsub(e, o)]
        else:
            results.append(_combined(builder, row, values))
    return results


def _combined(builder: Builder, factors: Sequence[float], values: Sequence[Any]) -> Any:
    """Σ factor·value, without products by 0, 1 and −1."""
    total = None
    for factor, value in sorted(zip(factors, values, strict=True), key=lambda pair: (pair[0] != 1, abs(pair[0]) != 1)):
        vector = value.type
        if factor == 0:
            continue
        if abs(factor) == 1 and total is not None:
            total = builder.fadd(total, value) if factor == 1 else builder.fsub(total, value)
        elif factor == 1:
            total = value
        else:
            constant = ir.Constant(vector, [ir.Constant(vector.element, float(factor))] * vector.count)
            total = builder.fmul(constant, value) if total is None else _fused(builder, constant, value, total)
    return total


# ---------------------------------------------------------------------------------------------------
# Turning


@intrinsic
def to_last(typing, x, i, channels, pitch, y, j, places, p):  # type: ignore[no-untyped-def]
    """(x, i, channels, pitch, y, j, places, p): a vector of neighbours of each of so many channels, `pitch` apart from
    x[i] on, becomes a vector of channels for each neighbour, at y[j + places[p]] and so on. If fewer channels are left than
    a vector holds, the last is repeated.
    """

    def write(context: Any, builder: Builder, signature: Any, args: Any) -> Any:
        source, target, at = (_Memory(context, builder, signature.args[n], args[n]) for n in (0, 4, 6))
        _, i, channels, pitch, _, j, _, p = args
        lanes = source.vector.count
        rows = []
        for r in range(lanes):
            there = builder.select(builder.icmp_signed("<", _at(r), channels), _at(r), builder.sub(channels, _at(1)))
            rows.append(source.load(builder.add(i, builder.mul(pitch, there))))
        for n, value in enumerate(_turned(builder, rows)):
            target.store(value, builder.add(j, at.one(builder.add(p, _at(n)))))
        return context.get_dummy_value()

    size = types.intp
    return types.void(x, size, size, size, y, size, places, size), write


@intrinsic
def to_first(typing, y, j, places, p, x, i, channels, pitch):  # type: ignore[no-untyped-def]
    """(y, j, places, p, x, i, channels, pitch): what `to_last` did, back; no more channels are written than there are."""

    def write(context: Any, builder: Builder, signature: Any, args: Any) -> Any:
        source, at, target = (_Memory(context, builder, signature.args[n], args[n]) for n in (0, 2, 4))
        _, j, _, p, _, i, channels, pitch = args
        lanes = source.vector.count
        rows = [source.load(builder.add(j, at.one(builder.add(p, _at(n))))) for n in range(lanes)]
        for r, value in enumerate(_turned(builder, rows)):
            with builder.if_then(builder.icmp_signed("<", _at(r), channels), likely=True):
                target.store(value, builder.add(i, builder.mul(pitch, _at(r))))
        return context.get_dummy_value()

    size = types.intp
    return types.void(y, size, places, size, x, size, size, size), write


def _turned(builder: Builder, rows: list[Any]) -> list[Any]:
    """A square of numbers, its rows as columns: blocks of 1, 2, 4 … change places with those across the diagonal."""
    rows, lanes, span = list(rows), len(rows), 1
    while span < lanes:
        upper = [k if not k & span else lanes + k - span for k in range(lanes)]
        lower = [k + span if not k & span else lanes + k for k in range(lanes)]
        for r in range(lanes):
            if not r & span:
                pair = rows[r], rows[r + span]
                for at, order in ((r, upper), (r + span, lower)):
                    rows[at] = _shuffled(builder, pair, order)
        span *= 2
    return rows


# ---------------------------------------------------------------------------------------------------
# Pairs of rows and columns

FOUR = 4
"""How many windows of 2×2 are looked at together: few enough for the rows of small images."""


def _four(builder: Builder, source: _Memory, i: Any) -> tuple[Any, Any]:
    """The first and the second numbers of four pairs."""
    halves = source.load(i), source.load(builder.add(i, _at(FOUR)))
    return _shuffled(builder, halves, [0, 2, 4, 6]), _shuffled(builder, halves, [1, 3, 5, 7])


def _shuffled(builder: Builder, pair: tuple[Any, Any], order: Sequence[int]) -> Any:
    """The numbers of two vectors that these are the places of."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), [ir.Constant(ir.IntType(32), k) for k in order])
    return builder.shuffle_vector(*pair, mask)


@intrinsic
def largest_of_pairs(typing, x, i, pitch, y, j):  # type: ignore[no-untyped-def]
    """(x, i, pitch, y, j): the largest numbers of four windows of 2×2, or NaN. Their rows begin at x[i] and x[i + pitch],
    and the results at y[j].
    """

    def write(context: Any, builder: Builder, signature: Any, args: Any) -> Any:
        source, target = (_Memory(context, builder, signature.args[n], args[n], FOUR) for n in (0, 3))
        _, i, pitch, _, j = args

        def larger(a: Any, b: Any) -> Any:
            better = builder.or_(builder.fcmp_ordered(">", b, a), builder.fcmp_unordered("uno", b, b))
            return builder.select(better, b, a)

        upper, lower = _four(builder, source, i), _four(builder, source, builder.add(i, pitch))
        target.store(larger(larger(*upper), larger(*lower)), j)
        return context.get_dummy_value()

    size = types.intp
    return types.void(x, size, size, y, size), write


@intrinsic
def first_of_pairs(typing, s, j, x, i, pitch, y):  # type: ignore[no-untyped-def]
    """(s, j, x, i, pitch, y): the slopes of four windows of 2×2, from s[j] on, where the first largest number of each is,
    and 0 elsewhere. Rows of x, without a NaN, and of y begin at i and i + pitch.
    """

    def write(context: Any, builder: Builder, signature: Any, args: Any) -> Any:
        slopes, source, target = (_Memory(context, builder, signature.args[n], args[n], FOUR) for n in (0, 2, 5))
        _, j, _, i, pitch, _ = args
        g, nothing = slopes.load(j), ir.Constant(slopes.vector, None)
        rows = i, builder.add(i, pitch)
        pairs = [_four(builder, source, row) for row in rows]
        firsts = [builder.fcmp_ordered(">=", a, b) for a, b in pairs]
        best = [builder.select(first, a, b) for first, (a, b) in zip(firsts, pairs, strict=True)]
        above = builder.fcmp_ordered(">=", *best)
        for row, first, here in zip(rows, firsts, (above, builder.not_(above)), strict=True):
            left = builder.select(builder.and_(here, first), g, nothing)
            right = builder.select(builder.and_(here, builder.not_(first)), g, nothing)
            target.store(_shuffled(builder, (left, right), [0, 4, 1, 5]), row)
            target.store(_shuffled(builder, (left, right), [2, 6, 3, 7]), builder.add(row, _at(FOUR)))
        return context.get_dummy_value()

    size = types.intp
    return types.void(s, size, x, size, size, y), write
