"""einsum: any equation, and which are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.matrices import check_linear, leaf, numbers
from tinygrad_edu.ops.einsum import explicit


@st.composite
def equations(draw):
    """An equation of up to three operands with repeated, lone and broadcast labels, an ellipsis, and its arrays."""
    length = {label: draw(st.integers(1, 3)) for label in "ijkl"}
    stack = draw(st.lists(st.integers(1, 3), max_size=2)) if draw(st.booleans()) else None
    inputs, arrays = [], []
    for k in range(draw(st.integers(1, 3))):
        labels = draw(st.lists(st.sampled_from("ijkl"), max_size=3))
        shape = [length[s] for s in labels]
        if len(set(labels)) == len(labels):  # a repeated label of one array is not broadcast with itself
            shape = [1 if draw(st.sampled_from([False] * 5 + [True])) else n for n in shape]
        place = draw(st.integers(0, len(labels))) if stack is not None and (k == 0 or draw(st.booleans())) else None
        if place is not None:
            tail = stack if k == 0 else stack[draw(st.integers(0, len(stack))) :]
            shape[place:place] = [1 if k and draw(st.booleans()) else n for n in tail]
            labels.insert(place, "...")
        inputs.append("".join(labels))
        arrays.append(numbers(shape, k))
    equation = ",".join(inputs)
    if draw(st.booleans()):
        output = draw(st.permutations(sorted({s for part in inputs for s in part} - {"."})))
        output = list(output)[: draw(st.integers(0, len(output)))]
        if stack is not None:
            output.insert(draw(st.integers(0, len(output))), "...")
        equation += "->" + "".join(output)
    return equation, arrays


@given(equations())
def test_einsum_of_any_equation(case):
    equation, arrays = case
    check_linear(lambda *xs: np.einsum(equation, *xs), arrays)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 1)), ((2, 1), (2, 3)), ((2, 3), (1, 1)), ((1, 3), (2, 1))])
@pytest.mark.parametrize("equation", ["ij,ij->i", "ij,ij->", "ij,ij->ji"])
def test_einsum_broadcasts_axes_of_length_one(equation, shapes):
    check_linear(lambda a, b: np.einsum(equation, a, b), [numbers(shape, i) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    ("equation", "ndims", "expected"),
    [
        ("ij,jk", (2, 2), "ij,jk->ik"),
        ("ba", (2,), "ba->ab"),
        ("i j -> j i", (2,), "ij->ji"),
        ("ii", (2,), "ii->"),
        ("...i,...", (3, 1), "BAi,A->BAi"),
        ("i...->...i", (1,), "i->i"),
        ("A...->...A", (2,), "AB->BA"),
    ],
)
def test_explicit_equation(equation, ndims, expected):
    assert explicit(equation, *ndims) == expected


def test_einsum_of_lists_of_labels():
    a, b = numbers((2, 3)), numbers((3, 4), 1)
    check_linear(lambda a, b: np.einsum(a, [5, 2], b, [2, 0]), [a, b])
    check_linear(lambda a, b: np.einsum(a, [0, ...], b, [..., 3], [..., 3]), [numbers((2, 3)), numbers((3, 4))])


@pytest.mark.parametrize("optimize", [True, False, "greedy"])
def test_einsum_takes_optimize(optimize):
    a, b = leaf((2, 3)), leaf((3, 4))
    np.testing.assert_allclose(np.einsum("ij,jk", a, b, optimize=optimize).numpy(), a.numpy() @ b.numpy())


def test_a_large_einsum_agrees_with_matmul():
    a, b = leaf((2, 40, 50)), leaf((2, 50, 30))
    np.testing.assert_allclose(np.einsum("bij,bjk->bik", a, b).numpy(), (a @ b).numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("ij,jk", "needs 2 arrays for 'ij,jk', but got 1"),
        ("i", "an array of 2 axes for 'i'"),
        ("ijk", "an array of 2 axes for 'ijk'"),
        ("...i->i", "none in its output"),
        ("ij->ii", r"einsum\(W \(2, 3\), equation='ij->ii'\).*multiple times"),
        ("ij->ik", "never appeared"),
        ("ii", r"einsum\(W \(2, 3\)"),
    ],
)
def test_a_wrong_equation_is_named(equation, message):
    with pytest.raises(ValueError, match=message):
        np.einsum(equation, leaf((2, 3), name="W"))


def test_einsum_refuses_other_options():
    with pytest.raises(ValueError, match="labels from 0 to 51, but got"):
        np.einsum(leaf((2, 3)), [0, -1])
    with pytest.raises(TypeError, match=r"einsum\(\) on a Tensor takes .*, not order="):
        np.einsum("ij", leaf((2, 3)), order="F")
