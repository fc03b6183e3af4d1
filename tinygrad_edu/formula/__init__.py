"""The printed reading: a gradient rule, run on symbols, prints its formula.

A `Symbol` is an expression and a sample value. NumPy's functions work on both: on the value, so that shapes,
dtypes and the branches of a rule are those of a real call, and on the expression, which is what gets printed.

    expression   Expression, what there is to print: sums, products, powers, calls; and normal, its normal form:
                 signs, ones and zeros, numbers, repeated factors and terms; nothing else
    writing      Text and LaTeX, the two ways to write one
    symbol       Symbol, an expression that NumPy computes with
    rules        rule_formula, one rule: ∂L/∂a = ∂L/∂y ⊙ b
    chains       chain and formula, a whole record: ∂z/∂x = ∂z/∂z·2t·1 = 2t = 10
    composites   composite_formula, a function made of ops
    javascript   the same expressions as JavaScript, for pages that compute

How it is written: ∂L/∂y ⊙ 2x, a number after the gradients and before everything else, without a dot before a
one-letter name. Products have three signs: a·b where at most one of the two is an array, a ⊙ b for two arrays, element
by element, and a @ b (in LaTeX a b, on figures a · b) for matrices. 9x² − 4x + 5, in falling powers; Wᵀ; √x; |x|; a^b;
u @ vᵀ for the outer product of two vectors; [x > 0] for 1 where it holds and 0 elsewhere; Σ₀ for a sum over axis 0,
Σ for one over all axes. A number in a matrix product stands for an array that is filled with it. Broadcasting, adding
axes of length 1 and changing the dtype print nothing.
"""

from __future__ import annotations

import sys
import types

from tinygrad_edu.formula.chains import Chain, chain, formula
from tinygrad_edu.formula.composites import composite_formula
from tinygrad_edu.formula.expression import ONE, ZERO, Expression, normal
from tinygrad_edu.formula.rules import Sample, draw_sample, rule_formula, run_or_name_rule, run_rule, stated
from tinygrad_edu.formula.spelling import Spelling, constant, spell
from tinygrad_edu.formula.symbol import LONGEST_FORMULA, Symbol
from tinygrad_edu.formula.writing import LaTeX, Text

__all__ = [
    "LONGEST_FORMULA",
    "ONE",
    "ZERO",
    "Chain",
    "Expression",
    "LaTeX",
    "Sample",
    "Spelling",
    "Symbol",
    "Text",
    "chain",
    "composite_formula",
    "constant",
    "draw_sample",
    "formula",
    "normal",
    "rule_formula",
    "run_or_name_rule",
    "run_rule",
    "spell",
    "stated",
]


class _CallableModule(types.ModuleType):
    """`tinygrad_edu.formula` is both this module and the function that it is named after."""

    __call__ = staticmethod(formula)


sys.modules[__name__].__class__ = _CallableModule
