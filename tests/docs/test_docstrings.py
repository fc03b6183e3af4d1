"""Each public name of the packages can be understood from its docstring alone.

It has a sentence with a verb, explains every parameter where there is more than one, and shows an example, which the suite
runs with all other doctests.
"""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType
from typing import Any

import pytest

PARTS = """
    nn nn.functional nn.init nn.utils optim optim.lr_scheduler optim.swa_utils data data.datasets data.transforms
    train train.callbacks train.metrics sklearn testing models linalg export
"""
ROOMS = [*[f"tinygrad_edu.{part}" for part in PARTS.split()], "tinygrad_edu", "viz", "viz.plots"]

EXCEPTIONS = {
    "data.BytePairTokenizer": ("an example", "it needs the package tokenizers, which not everyone who runs this has"),
    "export.to_jax": ("an example", "it needs the package jax, which not everyone who runs this has"),
    "data.datasets.mnist": ("an example", "it reads files that are not in this package"),
    "data.datasets.fashion_mnist": ("an example", "it reads files that are not in this package"),
}
"""Names that lack one thing, and why."""

VERBS = """
    is are was were be has have had does do can may must will add adds applies asks become becomes begin begins brings come comes
    compute computes contain contains converts decides differ failed falls fills finds follow follows gathers get gets gives give goes go grows
    holds keeps keep knows lets learn learns leaves lies makes make multiplies needs puts reads replaced return returns reaches
    rises saves serves shows slide slides stands stops stay stays takes take taken tells trains turns undoes uses waits writes
"""
"""Verbs that a sentence is recognized by wherever they stand, because they are no nouns."""

FIRST = """
    add apply call change check compare compute cut draw end fill find give learn load log make measure mirror move multiply
    normalize put raise read report return run save score search set show split stop take tell try turn use write
    adds averages calls changes cuts draws drops erases fills hides loads logs loses makes measures mirrors mixes moves
    notes replays reports runs saves sends shows splits stops takes tests trains tries turns writes yields
"""
"""Verbs that a sentence may begin with, though they are nouns elsewhere."""


def names_of(room: str) -> dict[str, Any]:
    """The public functions and classes of a room, by all their names."""
    module = importlib.import_module(room)
    values = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in values.items() if callable(value) and not isinstance(value, ModuleType)}


def public() -> dict[str, tuple[str, Any]]:
    """The functions and classes of the rooms, each by the first path at which it is public, with the room."""
    found: dict[int, tuple[str, str, Any]] = {}
    for room in ROOMS:
        for name, value in names_of(room).items():
            found.setdefault(id(value), (f"{room}.{name}".removeprefix("tinygrad_edu."), room, value))
    return {path: (room, value) for path, room, value in found.values()}


def known_in(room: str) -> dict[str, Any]:
    """What a docstring of a room may name: what is public anywhere, and before that, what is in the room itself."""
    return {name: value for one in [*ROOMS, room] for name, value in names_of(one).items()}


def text_of(value: Any) -> str:
    """The docstring, without its examples."""
    return re.sub(r"^>>> .*(?:\n(?!\n).*)*", "", inspect.cleandoc(value.__doc__ or ""), flags=re.MULTILINE)


def has_verb(text: str) -> bool:
    """Whether a sentence has a verb: not one that only points elsewhere, lists errors, or names a source."""
    anywhere, first = set(VERBS.split()), set(FIRST.split())
    for sentence in re.split(r"(?<=[.:;,])\s+|\n\n", re.sub(r"`[^`]*`", "", text)):
        words = [word.lower() for word in re.findall(r"[A-Za-z]+", sentence)]
        if words and words[0] not in ("see", "source", "raises") and (words[0] in first or anywhere & set(words)):
            return True
    return False


def parameters_of(value: Any) -> list[str]:
    """The named parameters of a function or of a class; an error has none of its own."""
    if isinstance(value, type) and issubclass(value, BaseException):
        return []
    return [
        p.name for p in inspect.signature(value).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def unexplained(value: Any, known: dict[str, Any]) -> list[str]:
    """The parameters that have no line `name: …` or `name, other: …`, here or where the docstring says theirs are."""
    text, asked = text_of(value), list[str]()
    while more := [name for name in ELSEWHERE.findall(text) if name not in asked]:
        asked += more
        text = "\n".join([text, *[text_of(known[name]) for name in more]])
    explained = {
        name for names in re.findall(r"^\s*(\w+(?:, \w+)*): \S", text, re.MULTILINE) for name in names.split(", ")
    }
    return [name for name in parameters_of(value) if name not in explained]


def lacks(value: Any, known: dict[str, Any]) -> list[str]:
    """What a docstring lacks."""
    faults = [] if has_verb(text_of(value)) else ["a sentence with a verb"]
    unknown = unexplained(value, known)
    if len(parameters_of(value)) > 1 and unknown:
        faults.append(f"a line for {', '.join(unknown)}")
    return faults if ">>>" in (value.__doc__ or "") else [*faults, "an example"]


ELSEWHERE = re.compile(r"parameters\s+are\s+those\s+of\s+`(\w+)`")
"""How a docstring says where its parameters are explained."""

PUBLIC = public()
KNOWN = {room: known_in(room) for room in ROOMS}


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_name_can_be_understood_from_its_docstring(path):
    expected = [EXCEPTIONS[path][0]] if path in EXCEPTIONS else []
    room, value = PUBLIC[path]
    found = lacks(value, KNOWN[room])
    assert found == expected, f"the docstring of {path} lacks {'; '.join(found) or 'nothing: it is no exception'}"


def test_exceptions_are_public_names():
    assert EXCEPTIONS.keys() <= PUBLIC.keys()
    assert len(PUBLIC) > 650


def explained(x, y=1):
    """y = x². It grows with x.

    x: a number.
    y: another.

    >>> 1
    1
    """


def of_another(x, y=1):
    """y = x³, which grows faster; the parameters are those of `explained`.

    >>> 1
    1
    """


def fragment(x):
    """A line. See `explained`. Raises ValueError for nothing.

    >>> 1
    1
    """


def silent(x, y=1):
    """y = x², which grows with x.

    x: a number, beside y.
    """


def test_what_a_docstring_lacks_is_seen():
    known = {"explained": explained}
    assert lacks(explained, known) == lacks(of_another, known) == []
    assert lacks(fragment, known) == ["a sentence with a verb"]
    assert lacks(silent, known) == ["a line for y", "an example"]
    assert lacks(lambda x, y: None, known) == ["a sentence with a verb", "a line for x, y", "an example"]
