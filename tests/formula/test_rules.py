"""Every op's printed rule is read back, as a reader would, and must give the numbers of the rule.

`tests/golden/formulas.txt` holds every op's formulas, to be read by a person when it changes.
`python -m tests.formula.test_rules --write` writes it anew; look at the difference before committing it.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.formula.reader import COMPOSED, DECLARED, INPUTS, PARSER, TRANSLATED, numbers, read, sym
from tinygrad_edu.engine.graph import unbroadcast
from tinygrad_edu.formula import Symbol, draw_sample, rule_formula, stated

REVIEWED = Path(__file__).parents[1] / "golden" / "formulas.txt"
RULES = [
    (name, i)
    for name, declared in DECLARED.items()
    if declared.vjp is not None
    for i in range(len(draw_sample(declared, 0).xs))
]


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


@pytest.mark.parametrize(("name", "i"), RULES)
def test_what_is_printed_is_the_derivative(name, i):
    declared = DECLARED[name]
    sample = draw_sample(declared, i)
    x = sample.xs[i].value
    if rule_formula(declared, i).endswith(": none") or x.dtype.kind != "f":
        return
    direction = np.random.default_rng(7).standard_normal(x.shape)
    if declared.symmetric:
        direction = sym(direction)

    def along(step):
        xs = [s.value + step * direction if k == i else s.value for k, s in enumerate(sample.xs)]
        ys, gs = declared.compute(xs, sample.settings), numbers(sample.g)
        return sum(np.sum(g * y) for g, y in zip(gs, ys, strict=True)) if isinstance(ys, tuple) else np.sum(gs * ys)

    h = 1e-5
    quotient = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    np.testing.assert_allclose(np.sum(sample.run(i).value * direction), quotient, rtol=1e-6, atol=1e-8)


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
    for name, made in COMPOSED.items():
        lines.append(f"{name}, made of ops")
        for text in [text for n, text in INPUTS if n == name]:
            how = "" if made.formulas is None else "    (stated)"
            lines += [f"    {made.formula(text)}{how}", f"    {made.formula(text, latex=True)}"]
        lines.append("")
    return "\n".join(lines)


def test_formulas_are_those_that_were_reviewed():
    reviewed = REVIEWED.read_text(encoding="utf-8")
    assert report() == reviewed[reviewed.index("\n\n") + 2 :], (
        "look at what changed, then: python -m tests.formula.test_rules --write"
    )


def test_latex_is_valid():
    formulas = {rule_formula(DECLARED[name], i, latex=True) for name, i in RULES}
    formulas |= {COMPOSED[name].formula(text, latex=True) for name, text in INPUTS}
    assert len(formulas) > 100
    for text in sorted(formulas):
        PARSER.parse(f"${text}$")


HEADER = """\
The gradient rules of all ops, printed.
Written by `python -m tests.formula.test_rules --write`; compared by the tests; to be read by a person when it changes.

"""


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    REVIEWED.write_text(HEADER + report(), encoding="utf-8")
