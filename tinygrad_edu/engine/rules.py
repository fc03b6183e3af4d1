"""How an op keeps its gradient rules: one for each input, by position.

Most ops declare a tuple of functions. An op of any number of inputs declares one function, which is given the position
first; an op with several results may declare a tuple for an input, a rule by each result. Where one computation gives the
gradients by all inputs, `Joint` holds it.
"""

from __future__ import annotations

import inspect
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
    """The rules of an op, one computation of which gives the gradients by all of its first inputs.

    rule: (g, y, *inputs, **settings) to a tuple of gradients, for the first `count` inputs. g: the cotangent; of an op with
        several results those of all, 0 for those of which nothing was made.
    others: rules of the inputs that follow, each on its own. Further inputs have no derivative.
    """

    def __init__(self, rule: Callable[..., tuple[Any, ...]], count: int, *others: Rule) -> None:
        self.rule, self._count, self._others = rule, count, others

    def __getitem__(self, i: int) -> Rule | None:
        return partial(self._alone, i) if i < self._count else self._other(i)

    def _alone(self, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Any:
        return self.rule(g, y, *xs, **settings)[i]

    def _other(self, i: int) -> Rule | None:
        at = i - self._count
        return self._others[at] if at < len(self._others) else None

    def visited(self, g: Any, y: Any) -> tuple[Any, Visited]:
        """The cotangents without gaps, and the rules, for one visit of a walk to a node."""
        return (self._filled(g, y) if g.__class__ is tuple or g.__class__ is list else g), Visited(self)

    @staticmethod
    def _filled(g: Sequence[Any], results: Sequence[Any]) -> tuple[Any, ...]:
        """The cotangents, in place of those of which nothing was made a 0 that takes no memory, whatever its shape."""
        return tuple(
            [
                np.broadcast_to(np.zeros((), y.dtype), y.shape) if part is None else part
                for part, y in zip(g, results, strict=True)
            ]
        )


class Visited:
    """`Joint` rules during one visit to a node: what is computed for the first input serves the others."""

    def __init__(self, rules: Joint) -> None:
        self._rules = rules
        self._known: tuple[Any, ...] | None = None

    def __getitem__(self, i: int) -> Rule | None:
        return partial(self._part, i) if i < self._rules._count else self._rules._other(i)

    def _part(self, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Any:
        if self._known is None:
            self._known = self._rules.rule(g, y, *xs, **settings)
        return self._known[i]


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
        for k, part in enumerate(self._joined(g, y) if self._joint else g):
            if part is not None and (rule := self._rules[k]) is not None:
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
