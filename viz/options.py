"""What an option does not take is refused, with what it does take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module

NOTED = "a dictionary of what to write, by tensor, by name or by (tensor, k) for its k-th use, as in {x: '2x'}"
TAKEN: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "show": ((str, list, tuple, set, frozenset), "one text or several, as in ('value', 'grad')"),
    "names": (Mapping, "a dictionary of texts and tensors or modules, as in {'x': x}"),
    "sizes": (Mapping, "a dictionary of lengths and texts, as in {32: 'N'}"),
    "annotate": (Mapping, NOTED),
    "values": (Mapping, NOTED),
    "title": (str, "a text, which stands above the figure"),
    "titles": ((list, tuple), "a text for each panel, as in ('x > 0', 'x ≤ 0')"),
    "caption": (str, "a text, which stands below the figure"),
    "order": ((list, tuple), "leaves and outputs, by tensors or names, as in ('b', 'a')"),
    "loss": (str, "what the derivatives are of, as in 'L'"),
    "max_nodes": (int, "a whole number of operations and values, from 1 on"),
    "font_size": ((int, float), "the size of letters, in points above 0"),
    "spacing": ((int, float), "how wide things stand apart, from 0 on: 1 as usual"),
    "timeout": ((int, float), "a number of seconds above 0"),
}
"""The options of `draw` that are no choices, and no parts of the figure: their types, in words too."""


WORDS_AROUND = ("title", "titles", "caption")  # empty, where there are none
TRUTHS = ("mathematics",)
"""Those that are either so or not, and nothing else."""


def choose(what: str, given: Any, choices: Iterable[Any]) -> None:
    """Raise ValueError for a choice that there is not."""
    if given not in (known := list(choices)):
        raise ValueError(f"{what}={given!r} is not known; choose one of {', '.join(map(repr, known))}")


def expect(what: str, given: Any, kinds: type | tuple[type, ...], taken: str) -> None:
    """Raise TypeError for what is not of these types. A truth is no number."""
    if not isinstance(given, kinds) or isinstance(given, bool):
        raise TypeError(f"{what} takes {taken}, but got {type(given).__name__} {given!r:.60}")


def check_options(given: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError for options of `draw`, by their names, that it cannot make sense of."""
    for option, (kinds, taken) in TAKEN.items():
        if given.get(option) is not None or (option in given and option in WORDS_AROUND):
            expect(f"{option}=", given[option], kinds, taken)
    for option in TRUTHS:
        if option in given:
            choose(option, given[option], (True, False))
    for option in ("max_nodes", "timeout", "font_size"):
        if given.get(option) is not None and not 0 < given[option] < math.inf:
            raise ValueError(f"{option}={given[option]!r} is not {TAKEN[option][1]}")
    if given.get("spacing") is not None and not 0 <= given["spacing"] < math.inf:
        raise ValueError(f"spacing={given['spacing']!r} is not {TAKEN['spacing'][1]}")
    choose("weight", given.get("weight"), (None, "grad"))
    for title in given.get("titles") or ():
        expect("each of titles=", title, str, "a text")
    for name, thing in (given.get("names") or {}).items():
        expect("each name in names=", name, str, "a text, as in {'x': x}")
        expect(f"names={{{name!r}: …}}", thing, (Tensor, Module), "a tensor or a module")
    for length, said in (given.get("sizes") or {}).items():
        expect("each length in sizes=", length, int, "a whole number, as in {32: 'N'}")
        expect(f"sizes={{{length}: …}}", said, str, "a text")


def several(thing: Any) -> list[Any]:
    """One thing, or several, as a list."""
    return list(thing) if isinstance(thing, list | tuple | set | dict) else [thing]
