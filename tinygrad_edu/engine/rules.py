"""How an op keeps its gradient rules: one for each input, by position.

Most ops declare a tuple of functions. An op of any number of inputs declares one function, which is given the position
first; an op with several results may declare a tuple for an input, a rule by each result. Where one computation gives the
gradients by all inputs, `Joint` holds it.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import without_gaps

Rule = Callable[..., Any]


class Positions:
    """The rules of an op with any number of inputs: one function that takes the position first.

    without: positions of inputs that have no derivative.
    """

    def __init__(self, rule: Rule, without: Container[int] = ()) -> None:
        self.rule = rule
        self._without = without

    def __getitem__(self, i: int) -> Rule | None:
        return None if i in self._without else partial(self.rule, i)


class Joint:
    """The rules of an op with several results, one computation of which gives the gradients by all inputs.

    rule: (g, y, *inputs, **settings) to a tuple of gradients, for the first `count` inputs. Further inputs, such as a mask,
        have no derivative. g: the cotangents of all results, 0 for those of which nothing was made.
    """

    def __init__(self, rule: Callable[..., tuple[Any, ...]], count: int) -> None:
        self.rule, self._count = rule, count

    def __getitem__(self, i: int) -> Rule | None:
        return partial(self._alone, i) if i < self._count else None

    def _alone(self, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Any:
        return self.rule(g, y, *xs, **settings)[i]

    def visited(self) -> Positions:
        """The rules for one visit of a walk to a node: what is computed for the first input serves the others."""
        known: list[Any] = []

        def rule(i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Any:
            if not known:
                known.extend(self.rule(g, y, *xs, **settings))
            return known[i]

        return Positions(rule, range(self._count, sys.maxsize))

    @staticmethod
    def filled(g: Sequence[Any], results: Sequence[Any]) -> tuple[Any, ...]:
        """The cotangents, in place of those of which nothing was made a 0 that takes no memory, whatever its shape."""
        return tuple(
            [
                np.broadcast_to(np.zeros((), y.dtype), y.shape) if part is None else part
                for part, y in zip(g, results, strict=True)
            ]
        )


class ByResult:
    """The rule of one input of an op with several results: the rules by each of them, added up.

    A rule that stands for several results is called once, with a tuple of their cotangents.
    """

    def __init__(self, i: int, rules: tuple[Rule | None, ...]) -> None:
        self._i = i
        self._rules = rules
        at = [
            [k for k, other in enumerate(rules) if other is rule] for rule in dict.fromkeys(rules) if rule is not None
        ]
        self._joint = [places for places in at if len(places) > 1]

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature of the first rule, from which formulas take the names of the inputs."""
        return inspect.signature(next(filter(None, self._rules)))

    def __call__(self, g: Any, y: Any, *xs: Any, **settings: Any) -> Any:
        """∂L/∂xᵢ = Σₖ rₖ(gₖ, y, *xs), over the results k that have a rule and a cotangent."""
        total = None
        for part, rule in zip(self._joined(g, y) if self._joint else g, self._rules, strict=True):
            if part is not None and rule is not None:
                term = rule(part, y, *xs, **settings)
                total = term if total is None else total + term
        return np.zeros_like(xs[self._i]) if total is None else total

    def _joined(self, g: Any, y: Any) -> list[Any]:
        """The cotangents, those of one rule as a tuple at the place of the first; None where nothing came."""
        g = list(g)
        for places in self._joint:
            parts = [g[k] for k in places]
            for k in places:
                g[k] = None
            if any(part is not None for part in parts):
                g[places[0]] = without_gaps(parts, [y[k] for k in places])
        return g


class _Jointly:
    """One of several rules that a single computation gives the gradients of: see `jointly`."""

    def __init__(self, rule: Rule, i: int, last: list[Any]) -> None:
        self._rule, self._i, self._last = rule, i, last

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._rule)

    def __call__(self, g: Any, y: Any, *xs: Any, **settings: Any) -> Any:
        """The i-th gradient: of those that were computed for the input before, if g and y are still the same objects."""
        known, anchor = self._last[0], g[0] if g.__class__ is tuple else g
        place = tuple(map(id, (y, *xs)))  # two nodes may get the same g
        same = known is not None and known[0]() is anchor and known[1] == place and known[2][self._i] is not None
        parts = known[2] if same else list(self._rule(g, y, *xs, **settings))
        part, parts[self._i] = parts[self._i], None  # a contribution belongs to the walk, which may add to it
        rest = any(part is not None for part in parts)
        self._last[0] = (weakref.ref(anchor, self._forget), place, parts) if rest else None
        return part

    def _forget(self, gone: Any) -> None:
        """Let the parts go that nobody asked for."""
        known = self._last[0]
        if known is not None and known[0] is gone:
            self._last[0] = None


def jointly(rule: Rule, count: int) -> tuple[Rule, ...]:
    """Rules for the first `count` inputs, of one that returns a tuple of their gradients: a walk computes it once, for the
    first of them, and hands the others what it is their turn to get."""
    last: list[Any] = [None]
    return tuple([_Jointly(rule, i, last) for i in range(count)])


def rules_of(vjp: Any, name: str) -> Any:
    """The rules of the op `name`, indexed by the position of the input, out of what was declared; None for none at all.

    Raises TypeError for what is no tuple of rules, nor a function of the position.
    """
    if vjp is None or isinstance(vjp, Positions | Joint):
        return vjp
    if isinstance(vjp, tuple):
        rules = tuple([ByResult(i, rule) if isinstance(rule, tuple) else rule for i, rule in enumerate(vjp)])
        if not all(rule is None or callable(rule) for rule in rules):
            raise TypeError("vjp= takes a tuple of rules, each a function (g, y, *inputs) or None")
        return rules
    if not callable(vjp):
        raise TypeError(
            f"vjp= takes a tuple with a rule for each input, or one function of the position, but got {type(vjp).__name__} {vjp!r:.60}"
        )
    if _is_rule_of_an_input(vjp):
        raise TypeError(
            f"vjp= of {name} is a single rule, not a tuple of them; write vjp=(rule,), with a comma, or "
            "a function (i, g, y, *inputs) of the position i for any number of inputs"
        )
    return Positions(vjp)


def _is_rule_of_an_input(vjp: Any) -> bool:
    """Whether the function begins with `g` instead of the position of the input: a tuple whose comma is missing."""
    try:
        names = list(inspect.signature(vjp).parameters)
    except (TypeError, ValueError):  # a function of another language
        return False
    return names[:1] == ["g"]
