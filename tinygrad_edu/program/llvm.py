"""A formula in the words of LLVM, and the machine code that LLVM makes of them.

A formula is what a piece of a program computes for each element: what it reads, the operations in their order, what it
writes. It has only operations that IEEE 754 rounds correctly, and those that choose; LLVM may neither regroup nor contract
them. So the numbers are those of NumPy, to the last bit. Several elements are one value of LLVM's, which it lays into the
vectors that the processor has; what is left over at the end is computed one by one.

Source: *LLVM Language Reference Manual*, sections "Binary Operations", "Vector Operations" and "Floating-Point Environment".
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

BYTES_OF_A_VECTOR = 64
"""The bytes of one of LLVM's values: a vector of the widest processors, two or four of others."""

TYPES = {np.dtype(np.float32): ("float", "f32"), np.dtype(np.float64): ("double", "f64")}
"""What LLVM calls the types that NumPy has too: by themselves, and in the name of an intrinsic function."""

WORDS = {
    "add": "{to} = fadd {of} {0}, {1}",
    "subtract": "{to} = fsub {of} {0}, {1}",
    "multiply": "{to} = fmul {of} {0}, {1}",
    "divide": "{to} = fdiv {of} {0}, {1}",
    "square": "{to} = fmul {of} {0}, {0}",
    "negative": "{to} = fneg {of} {0}",
    "absolute": "{to} = call {of} @llvm.fabs.{suffix}({of} {0})",
    "sqrt": "{to} = call {of} @llvm.sqrt.{suffix}({of} {0})",
    "relu": "{to}n = fcmp olt {of} {0}, zeroinitializer\n  {to} = select {bits} {to}n, {of} zeroinitializer, {of} {0}",
    "gate": "{to} = select {bits} {1}, {of} {0}, {of} zeroinitializer",
    "where": "{to} = select {bits} {0}, {of} {1}, {of} {2}",
    "greater": "{to} = fcmp ogt {of} {0}, {1}",
    "greater_equal": "{to} = fcmp oge {of} {0}, {1}",
    "less": "{to} = fcmp olt {of} {0}, {1}",
    "less_equal": "{to} = fcmp ole {of} {0}, {1}",
}
"""How LLVM says each op: `to` is the result, {0} and {1} what the op is given; the last four give a mask, of type `bits`."""


@dataclass(frozen=True)
class Formula:
    """The lines that are computed for each element.

    dtype: the type of all numbers.
    arrays, numbers: how many arrays are read or written, and how many numbers are the same for all elements.
    lines: for each line, in order, the name of its op and the places of its inputs. Places count from 0: the arrays, the
        numbers, and then the results of the lines.
    left: for each array that is written, its place, and the place of the result that is written into it.
    """

    dtype: np.dtype[Any]
    arrays: int
    numbers: int
    lines: tuple[tuple[str, tuple[int, ...]], ...]
    left: tuple[tuple[int, int], ...]

    @property
    def entries(self) -> int:
        """How many entries a row has of what `machine_code` takes: the addresses of arrays and numbers, and a length."""
        return self.arrays + self.numbers + 1


class Way(NamedTuple):
    """A way to compute a formula: so many elements at once.

    at_once: how many.
    letter: the first of the names of its values: %v0, %v1, …
    of, bits: what LLVM calls the type of its values, and that of masks.
    suffix: the end of the names of functions of that type.
    """

    at_once: int
    letter: str
    of: str
    bits: str
    suffix: str


def ways(dtype: np.dtype[Any]) -> tuple[Way, Way]:
    """Return two ways to compute with a type: with vectors of numbers, and, for the rest of a row, number by number."""
    name, suffix = TYPES[dtype]
    n = BYTES_OF_A_VECTOR // dtype.itemsize
    return Way(n, "v", f"<{n} x {name}>", f"<{n} x i1>", f"v{n}{suffix}"), Way(1, "s", name, "i1", suffix)


@functools.cache
def is_installed() -> bool:
    """Whether llvmlite is: numba, and so the extra "fast", brings it."""
    with suppress(ValueError):  # of a module that stands in its place and was not loaded from anywhere
        return find_spec("llvmlite") is not None
    return False


def text(formula: Formula, name: str = "formula") -> str:
    """The formula in LLVM's words: `void name(rows, count)`, which computes it for one row after another.

    >>> line = Formula(np.dtype(np.float32), 2, 0, (("square", (0,)),), ((1, 2),))
    >>> [words.strip() for words in text(line).splitlines() if "fmul" in words]
    ['%v2 = fmul <16 x float> %v0, %v0', '%s2 = fmul float %s0, %s0']
    """
    vectors, singly = ways(formula.dtype)
    given = formula.arrays + formula.numbers
    n, of = vectors.at_once, vectors.of
    rows = [f"  %a{k} = getelementptr i64, ptr %row, i64 {k}\n  %p{k} = load ptr, ptr %a{k}" for k in range(given)]
    rows += [
        f"  %s{k} = load {singly.of}, ptr %p{k}\n"
        f"  %i{k} = insertelement {of} poison, {singly.of} %s{k}, i64 0\n"
        f"  %v{k} = shufflevector {of} %i{k}, {of} poison, <{n} x i32> zeroinitializer"
        for k in range(formula.arrays, given)
    ]
    return "\n".join([
        *[f"declare {way.of} @llvm.{f}.{way.suffix}({way.of})" for f in ("fabs", "sqrt") for way in (vectors, singly)],
        f"define void @{name}(ptr %rows, i64 %count) {{",
        "begin:",
        "  br label %row_begin",
        "row_begin:",
        "  %r = phi i64 [0, %begin], [%r_next, %row_end]",
        f"  %at = mul i64 %r, {formula.entries}",
        "  %row = getelementptr i64, ptr %rows, i64 %at",
        *rows,
        f"  %n_at = getelementptr i64, ptr %row, i64 {given}",
        "  %n = load i64, ptr %n_at",
        f"  %whole = and i64 %n, {-n}",
        *_loop(formula, vectors, "row_begin", "0", "%whole"),
        *_loop(formula, singly, "v_end", "%whole", "%n"),
        "  br label %row_end",
        "row_end:",
        "  %r_next = add i64 %r, 1",
        "  %more = icmp ult i64 %r_next, %count",
        "  br i1 %more, label %row_begin, label %end",
        "end:",
        "  ret void",
        "}",
    ])  # fmt: skip


def _loop(formula: Formula, way: Way, before: str, start: str, stop: str) -> list[str]:
    """The loop over the elements from `start` to `stop`, entered from the block `before`."""
    name, size, given = TYPES[formula.dtype][0], formula.dtype.itemsize, formula.arrays + formula.numbers
    read = sorted({k for _, inputs in formula.lines for k in inputs if k < formula.arrays})
    touched = sorted({*read, *[array for array, _ in formula.left]})
    c = way.letter
    lines = [
        f"  %{c}_any = icmp slt i64 {start}, {stop}",
        f"  br i1 %{c}_any, label %{c}_loop, label %{c}_end",
        f"{c}_loop:",
        f"  %{c}_k = phi i64 [{start}, %{before}], [%{c}_next, %{c}_loop]",
    ]
    lines += [f"  %{c}_at{k} = getelementptr {name}, ptr %p{k}, i64 %{c}_k" for k in touched]
    lines += [f"  %{c}{k} = load {way.of}, ptr %{c}_at{k}, align {size}" for k in read]
    for k, (op, inputs) in enumerate(formula.lines, given):
        words = WORDS[op].format(
            *[f"%{c}{i}" for i in inputs], to=f"%{c}{k}", of=way.of, bits=way.bits, suffix=way.suffix
        )
        lines.append(f"  {words}")
    lines += [f"  store {way.of} %{c}{value}, ptr %{c}_at{array}, align {size}" for array, value in formula.left]
    return [
        *lines,
        f"  %{c}_next = add i64 %{c}_k, {way.at_once}",
        f"  %{c}_more = icmp slt i64 %{c}_next, {stop}",
        f"  br i1 %{c}_more, label %{c}_loop, label %{c}_end",
        f"{c}_end:",
    ]


_NUMBERS = itertools.count()
"""Of formulas that were compiled, which gives each a name of its own."""


@functools.cache
def machine_code(formula: Formula) -> Callable[[int, int], None]:
    """The formula as a function of the address of its rows and of how many they are, compiled for this processor.

    A row is `formula.entries` integers of 64 bits, one after another: the addresses of the arrays and of the numbers, and
    how many elements each array has.
    """
    from concurrent.futures import ThreadPoolExecutor  # here, as llvmlite: importing them takes a while

    with ThreadPoolExecutor(1) as pool:  # no interrupt from the keyboard gets there: llvmlite would free memory twice
        return pool.submit(_compiled, formula).result()


def _compiled(formula: Formula) -> Callable[[int, int], None]:
    """What `machine_code` gives."""
    from llvmlite import binding

    compiler, name = _compiler(), f"formula{next(_NUMBERS)}"
    module = binding.parse_assembly(text(formula, name))
    module.verify()
    compiler.add_module(module)
    compiler.finalize_object()
    function: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(compiler.get_function_address(name))
    compiler.remove_module(module)  # the words, of which only the code is needed
    function.kept = compiler  # which the code belongs to
    code: Callable[[int, int], None] = function
    return code


@functools.cache
def _compiler() -> Any:
    """LLVM's compiler for this processor: one for all formulas, since each takes most of a megabyte."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(
        binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), opt=3
    )
    return binding.create_mcjit_compiler(binding.parse_assembly(""), target)
