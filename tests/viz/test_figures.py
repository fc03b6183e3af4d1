"""The chapter's figures: what is written on each, its graph as plain data, and that all can be drawn and leafed through.

`python -m tests.viz.test_figures` writes the golden data again, for a person to compare.
"""

import json
import math
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from examples.figures import affine, batch_normalization, figures, network, place, sigmoid
from examples.figures.__main__ import index, main
from tests.viz.figures import leaf
from tinygrad_edu import nn
from viz import draw
from viz.command import Expression
from viz.layout.clearance import beheaded, crossed, loose, merged, overlapping, struck
from viz.wording.numbers import number_text

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parents[1] / "golden" / "figures.json"

NUMBERS = [
    "5-2", "5-3", "5-5", "5-7", "5-8", "5-9", "5-10", "5-11", "5-12", "5-13", "5-14", "5-15", "5-17", "5-18", "5-19",
    "5-20", "5-21", "5-22", "5-24", "5-25", "5-26", "5-27", "5-28", "5-30", "6-17", "A-1", "A-2", "A-3", "A-4", "A-5",
]  # fmt: skip
OTHERS = ["R-1"]  # which are not of graphs
OURS = ["V-1", "V-2", "V-3", "V-4"]  # which are in no book

FIGURES = {figure.number: figure for figure in figures()}


def written(number):
    """What is written along each arrow: from → to: above | below. A fork is •."""
    plan = FIGURES[number].drawing.plan
    called = {place.id: " ".join(line.text for line in place.lines) or "•" for place in plan.places}
    found = []
    for wire in plan.wires:
        above = " ".join(line.text for line in wire.above)
        below = " ".join((f"[{line.key}] " if line.key else "") + line.text for line in wire.below)
        said = f"{above} | {below}" if wire.flows else above
        found.append(f"{called[wire.source]} → {called[wire.target]}: {said}".rstrip(" :"))
    return found


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


def test_all_figures_are_there_in_order():
    assert list(FIGURES) == NUMBERS + OTHERS + OURS
    assert sorted(["A-1", "5-14", "10-2", "5-2"], key=place) == ["5-2", "5-14", "10-2", "A-1"]
    assert all(figure.title and figure.about and figure.code for figure in FIGURES.values())


# ---------------------------------------------------------------------------------------------------
# What is written on them

APPLES = """
    apple → ×: 100 | 2.2
    count → ×: 2 | 110
    tax → ×: 1.1 | 200
    × → ×: 200 | 1.1
    × → price: 220 | 1
"""
ONE_APPLE = """
    apple → ×: 100 | 2.2
    count → ×: 2
    tax → ×: 1.1
    × → ×: 200 | 1.1
    × → price: 220 | 1
"""
FRUIT = """
    count of apples → ×: 2 | 110
    apple → ×: 100 | 2.2
    orange → ×: 150 | 3.3
    count of oranges → ×: 3 | 165
    tax → ×: 1.1 | 650
    × → +: 200 | 1.1
    × → +: 450 | 1.1
    + → ×: 650 | 1.1
    × → price: 715 | 1
"""
CHAIN_RULE = """
    x → +:  | ∂z/∂z·2t·1
    y → +:  | ∂z/∂z·2t·1
    + → ^2: t | ∂z/∂z·2t
    ^2 → z:  | ∂z/∂z
"""
CHAIN_RULE_IN_NUMBERS = """
    x → +: 2 | 10 2t
    y → +: 3 | 10 2t
    + → ^2: t 5 | 10 2t
    ^2 → z: 25 | 1
"""
ADDITION = """
    x → +:  | ∂L/∂z·1
    y → +:  | ∂L/∂z·1
    + → z:  | ∂L/∂z
"""
CLOUD = """
    x → +:  | ∂L/∂z·1
    y → +:  | ∂L/∂z·1
    + → some computation: z | ∂L/∂z
    some computation → L:  | ∂L/∂L
"""
ADDED = """
    x → +: 10 | 1.3
    y → +: 5 | 1.3
    + → z: 15 | 1.3
"""
MULTIPLICATION = """
    x → ×:  | ∂L/∂z·y
    y → ×:  | ∂L/∂z·x
    × → z:  | ∂L/∂z
"""
MULTIPLIED = """
    x → ×: 10 | 6.5
    y → ×: 5 | 13
    × → z: 50 | 1.3
"""
RELU = """
    x → ReLU:  | ∂L/∂y
    x → ReLU:  | 0
    ReLU → y: x | ∂L/∂y
    ReLU → y: 0 | ∂L/∂y
"""
SIGMOID = """
    x → ×:  | ∂L/∂y·y²·exp(−x)
    −1 → ×
    1 → +
    × → exp: −x | −∂L/∂y·y²·exp(−x)
    exp → +: exp(−x) | −∂L/∂y·y²
    + → /: 1+exp(−x) | −∂L/∂y·y²
    / → y:  | ∂L/∂y
"""
SIGMOID_NODE = """
    x → sigmoid:  | ∂L/∂y·y²·exp(−x)
    sigmoid → y:  | ∂L/∂y
"""
SIGMOID_NODE_BY_OUTPUT = """
    x → sigmoid:  | ∂L/∂y·y·(1−y)
    sigmoid → y:  | ∂L/∂y
"""
AFFINE = """
    X → dot: (2,) | [1] ∂L/∂X (2,)
    W → dot: (2, 3) | [2] ∂L/∂W (2, 3)
    B → +: (3,) | [3] ∂L/∂B (3,)
    dot → +: (3,) X·W | ∂L/∂(X·W) (3,)
    + → Y: (3,) | ∂L/∂Y (3,)
"""
AFFINE_BATCH = """
    X → dot: (N, 2) | [1] ∂L/∂X (N, 2)
    W → dot: (2, 3) | [2] ∂L/∂W (2, 3)
    B → +: (3,) | [3] ∂L/∂B (3,)
    dot → +: (N, 3) X·W | ∂L/∂(X·W) (N, 3)
    + → Y: (N, 3) | ∂L/∂Y (N, 3)
"""
NETWORK = """
    x → Affine affine1: (N, 4)
    t → Softmax with loss last: (N, 3)
    Affine affine1 → ReLU relu: (N, 8) | (N, 8)
    ReLU relu → Affine affine2: (N, 8) | (N, 8)
    Affine affine2 → Softmax with loss last: (N, 3) a | y − t (N, 3)
    Softmax with loss last → L: 35.48 | 1
"""
LAYERS = """
    a₁ → Softmax:  | y₁ − t₁
    a₂ → Softmax:  | y₂ − t₂
    a₃ → Softmax:  | y₃ − t₃
    t₁ → Cross entropy error
    t₂ → Cross entropy error
    t₃ → Cross entropy error
    Softmax → Cross entropy error: y₁ | −t₁/y₁
    Softmax → Cross entropy error: y₂ | −t₂/y₂
    Softmax → Cross entropy error: y₃ | −t₃/y₃
    Cross entropy error → L:  | 1
"""
ONE_LAYER = """
    a₁ → Softmax with loss:  | y₁ − t₁
    a₂ → Softmax with loss:  | y₂ − t₂
    a₃ → Softmax with loss:  | y₃ − t₃
    t₁ → Softmax with loss
    t₂ → Softmax with loss
    t₃ → Softmax with loss
    Softmax with loss → L:  | 1
"""
CROSS_ENTROPY = """
    y₁ → log:  | −t₁/y₁
    y₂ → log:  | −t₂/y₂
    y₃ → log:  | −t₃/y₃
    t₁ → ×
    t₂ → ×
    t₃ → ×
    −1 → ×
    log → ×: log(y₁) | −t₁
    log → ×: log(y₂) | −t₂
    log → ×: log(y₃) | −t₃
    × → +: t₁·log(y₁) | −1
    × → +: t₂·log(y₂) | −1
    × → +: t₃·log(y₃) | −1
    + → ×: Σ t·log(y) | −1
    × → L:  | 1
"""
SOFTMAX = """
    a₁ → exp:  | y₁ − t₁
    a₂ → exp:  | y₂ − t₂
    a₃ → exp:  | y₃ − t₃
    t₁ → ×
    t₂ → ×
    t₃ → ×
    −1 → ×
    exp → •: exp(a₁) | Σ
    • → +:  | 1/S
    • → ×:  | −t₁/exp(a₁)
    exp → •: exp(a₂) | Σ
    • → +:  | 1/S
    • → ×:  | −t₂/exp(a₂)
    exp → •: exp(a₃) | Σ
    • → +:  | 1/S
    • → ×:  | −t₃/exp(a₃)
    + → /: S | 1/S
    / → •: 1/S | Σ
    • → ×:  | −t₁·S
    • → ×:  | −t₂·S
    • → ×:  | −t₃·S
    × → log: y₁ | −t₁/y₁
    × → log: y₂ | −t₂/y₂
    × → log: y₃ | −t₃/y₃
    log → ×: log(y₁) | −t₁
    log → ×: log(y₂) | −t₂
    log → ×: log(y₃) | −t₃
    × → +: t₁·log(y₁) | −1
    × → +: t₂·log(y₂) | −1
    × → +: t₃·log(y₃) | −1
    + → ×: Σ t·log(y) | −1
    × → L:  | 1
"""
BATCH_NORMALIZATION = """
    x → •: (N, D) | ∂L/∂x ✓ (N, D)
    • → mean:  | (N, D) ✓
    • → −:  | (N, D) ✓
    1e−7 → +
    γ → ×: (D,) | ∂L/∂γ ✓ (D,)
    β → +: (D,) | ∂L/∂β ✓ (D,)
    mean → −: (D,) μ | ∂L/∂μ ✓ (D,)
    − → •: (N, D) xc | ∂L/∂xc ✓ (N, D)
    • → ^2:  | (N, D) ✓
    • → ×:  | (N, D) ✓
    ^2 → mean: (N, D) xc² | ∂L/∂xc² ✓ (N, D)
    mean → +: (D,) var | ∂L/∂var ✓ (D,)
    + → √: (D,) var+1e−7 | ∂L/∂(var+1e−7) ✓ (D,)
    √ → /: (D,) std | ∂L/∂std ✓ (D,)
    / → ×: (D,) 1/std | ∂L/∂(1/std) ✓ (D,)
    × → ×: (N, D) xn | ∂L/∂xn ✓ (N, D)
    × → +: (N, D) γ⊙xn | ∂L/∂(γ⊙xn) ✓ (N, D)
    + → y: (N, D) | ∂L/∂y (N, D)
"""

WRITTEN = {
    "5-5": ONE_APPLE, "5-14": APPLES, "5-17": FRUIT, "5-7": CHAIN_RULE, "5-8": CHAIN_RULE_IN_NUMBERS, "5-9": ADDITION,
    "5-10": CLOUD, "5-11": ADDED, "5-12": MULTIPLICATION, "5-13": MULTIPLIED, "5-18": RELU, "5-19": SIGMOID,
    "5-20": SIGMOID, "5-21": SIGMOID_NODE, "5-22": SIGMOID_NODE_BY_OUTPUT, "5-25": AFFINE, "5-27": AFFINE_BATCH,
    "5-28": NETWORK, "5-30": LAYERS, "6-17": BATCH_NORMALIZATION, "A-1": ONE_LAYER, "A-4": CROSS_ENTROPY, "A-5": SOFTMAX,
}  # fmt: skip
FORWARD = {"5-2": APPLES, "5-3": FRUIT, "5-24": AFFINE, "A-3": CROSS_ENTROPY}


@pytest.mark.parametrize("number", WRITTEN)
def test_what_is_written_along_the_arrows(number):
    assert written(number) == lines(WRITTEN[number])


@pytest.mark.parametrize("number", FORWARD)
def test_the_forward_figures_are_those_without_derivatives(number):
    assert written(number) == [line.partition(" |")[0].rstrip(" :") for line in lines(FORWARD[number])]


def test_an_exercise_is_its_answer_with_room_for_it():
    exercise, answer = (FIGURES[number].drawing for number in ("5-15", "5-17"))
    assert exercise.graph == answer.graph
    blanks = {wire.id for wire in exercise.plan.wires for line in wire.below if line.role == "blank"}
    assert blanks == {wire.id for wire in answer.plan.wires if wire.flows and not wire.target.endswith("result")}
    assert len(blanks) == 8


def test_softmax_forward_forks_each_exponential_and_the_reciprocal():
    assert written("A-2")[3:6] == ["exp → •: exp(a₁)", "• → +", "• → ×"]
    assert written("A-2")[-7:-3] == ["/ → •: 1/S", "• → ×", "• → ×", "• → ×"]


def test_the_sigmoid_comes_back_one_node_a_frame():
    steps, drawing = FIGURES["5-19"].steps, FIGURES["5-19"].drawing
    symbols = [op.symbol for op in drawing.graph.ops]
    assert symbols == ["×", "exp", "+", "/"]
    back = {wire.back_step: wire.below[0].text for wire in drawing.plan.wires if wire.flows}
    assert [back[step] for step in sorted(back)] == [
        "∂L/∂y", "−∂L/∂y·y²", "−∂L/∂y·y²", "−∂L/∂y·y²·exp(−x)", "∂L/∂y·y²·exp(−x)",
    ]  # fmt: skip
    assert sorted(back) == list(range(min(back), min(back) + 5))
    assert steps.figure is drawing


def test_the_panels_show_forward_and_backward_beside_each_other():
    assert {FIGURES[number].drawing.look.direction for number in ("5-9", "5-11", "5-12", "5-13")} == {"side-by-side"}


# ---------------------------------------------------------------------------------------------------
# Whether it is true


def number_of(text, values):
    """Compute a formula such as −t₁/exp(a₁) from the values of what it names."""
    text = text.replace("²", "**2").replace("2t", "2·t").replace("−", "-").replace("·", "*")
    return float(Expression(unicodedata.normalize("NFKC", text)).compute(values))


def values_of(graph):
    return {unicodedata.normalize("NFKC", value.name): value.data for value in graph.values if value.name}


@pytest.mark.parametrize("number", ["5-21", "5-30", "A-1", "A-5"])
def test_annotations_say_what_was_traced(number):
    drawing = FIGURES[number].drawing
    values = values_of(drawing.whole)
    if number == "A-1":  # its probabilities are inside
        e = np.exp([values["a1"], values["a2"], values["a3"]])
        values |= dict(zip(("y1", "y2", "y3"), (e / e.sum()).tolist(), strict=True))
    traced = {thing.id: thing.grad for thing in (*drawing.whole.values, *drawing.whole.uses)}
    assert drawing.labels.below_text
    for id, text in drawing.labels.below_text.items():
        assert number_of(text.replace("∂L/∂y", "1"), values) == pytest.approx(traced[id], rel=1e-9), text


@pytest.mark.parametrize(
    ("number", "output", "count"),
    [
        ("5-7", "∂z/∂z", 4), ("5-9", "∂L/∂z", 3), ("5-12", "∂L/∂z", 3), ("5-20", "∂L/∂y", 5), ("5-22", "∂L/∂y", 2),
        ("A-4", "∂L/∂L", 11), ("A-5", "∂L/∂L", 17),
    ],
)  # fmt: skip
def test_printed_formulas_come_to_the_numbers(number, output, count):
    graph = FIGURES[number].drawing.graph
    written = {use.id: use.symbol.replace(output, "1") for use in graph.uses if use.symbol}
    whole = {use.id: text for use in graph.uses if "∂" not in (text := written.get(use.id, "∂"))}
    assert len(whole) == count
    for use in graph.uses:
        if use.id in whole:
            assert number_of(whole[use.id], values_of(graph)) == pytest.approx(use.grad, rel=1e-9), use.symbol


def test_derivatives_that_vanish_are_thin():
    figure = FIGURES["V-1"].drawing
    chain = [op.outputs[0] for op in figure.graph.ops if op.name == "sigmoid"]
    weights = {line.classes.rpartition(" ")[2]: line.weight for line in figure.scene.lines if line.backward}
    assert [weights[value] for value in chain] == sorted(weights[value] for value in chain)
    assert weights[chain[0]] < 0.4 * weights[chain[-1]]
    assert figure.letter_height >= 12


def test_a_layer_in_matrices_and_in_shapes():
    matrices = [text.text for text in FIGURES["V-2"].drawing.scene.texts if text.matrix]
    assert "[[1, −1], [0.5, 0], [−1, 2]]" in matrices
    assert len(matrices) == 2 * 6
    shapes = [text.text for text in FIGURES["V-3"].drawing.scene.texts]
    assert {"(N, 3)", "(2,)", "→ (N, 2) along axis 0", "Σ over axis 0"} <= set(shapes)


def test_one_path_among_many_is_highlighted():
    figure = FIGURES["V-4"].drawing
    lit = {line.tail for line in figure.scene.lines if line.classes.startswith("lit")}
    assert lit == {"v3", "o1", "o2", "o3", "o4", "u7-result"}
    pale = {text.text for text in figure.scene.texts if text.classes.startswith("pale") and text.role == "name"}
    assert pale == {"X", "W"}


def test_relu_lets_everything_pass_or_nothing():
    graph = FIGURES["5-18"].drawing.graph
    assert [(value.name, value.data, value.grad) for value in graph.values] == [
        ("x", 2.0, 1.0), ("y", 2.0, 1.0), ("x", -2.0, 0.0), ("y", 0.0, 1.0),
    ]  # fmt: skip


def test_the_panels_of_relu_stand_beside_each_other():
    on, off = (shape for shape in FIGURES["5-18"].drawing.scene.shapes if shape.shape == "circle")
    assert on.y == off.y
    assert off.x - on.x > 300
    titles = [text for text in FIGURES["5-18"].drawing.scene.texts if text.role == "title"]
    assert [text.text for text in titles] == ["x > 0", "x ≤ 0"]


def test_the_network_gets_back_probabilities_less_targets():
    probabilities = nn.functional.softmax(network.network.scores.numpy(), axis=1)
    back = tg.grad(network.L, network.network.scores).numpy()
    np.testing.assert_allclose(back, probabilities - network.t.numpy(), rtol=1e-9, atol=1e-12)


def test_what_the_legend_of_the_affine_layer_says_is_true(rng):
    one, batch = ([line.text for line in FIGURES[n].drawing.labels.legend()] for n in ("5-25", "5-27"))
    assert one == [
        "∂L/∂X (2,) = ∂L/∂Y (3,) · Wᵀ (3, 2)",
        "∂L/∂W (2, 3) = Xᵀ (2, 1) · ∂L/∂Y (1, 3)",
        "∂L/∂B (3,) = ∂L/∂Y (3,)",
    ]
    assert batch == [
        "∂L/∂X (N, 2) = ∂L/∂Y (N, 3) · Wᵀ (3, 2)",
        "∂L/∂W (2, 3) = Xᵀ (2, N) · ∂L/∂Y (N, 3)",
        "∂L/∂B (3,) = Σ₀ ∂L/∂Y (N, 3)",
    ]
    X, Y, W, B = affine.X, affine.Y, affine.W, affine.B
    g = rng.standard_normal(Y.shape)
    dX, dW, dB = (part.numpy() for part in tg.grad(Y, [X, W, B], g))
    np.testing.assert_allclose(dX, g @ W.numpy().T)
    np.testing.assert_allclose(dW, X.numpy().T @ g)
    np.testing.assert_allclose(dB, g.sum(axis=0))
    x, g = rng.standard_normal(2), rng.standard_normal(3)
    leaf = tg.Tensor(x, requires_grad=True)
    dX, dW, dB = (part.numpy() for part in tg.grad(leaf @ W + B, [leaf, W, B], g))
    np.testing.assert_allclose(dX, g @ W.numpy().T)
    np.testing.assert_allclose(dW, x[:, None] @ g[None])
    np.testing.assert_allclose(dB, g)


def test_every_derivative_of_batch_normalization_agrees_with_a_numerical_one():
    graph = FIGURES["6-17"].drawing.graph
    uses = [use for use in graph.uses if use.flows and use.op is not None]
    assert len(uses) == 14
    assert {use.verdict for use in uses} == {"agrees"}
    y = batch_normalization.y.numpy()
    x = batch_normalization.x.numpy()
    standard = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-7)
    np.testing.assert_allclose(y, batch_normalization.γ.numpy() * standard + batch_normalization.β.numpy())


def test_both_sigmoids_are_the_same():
    in_operations, in_one = (FIGURES[number].drawing.graph for number in ("5-20", "5-22"))
    for graph in (in_operations, in_one):
        (x,) = (value for value in graph.values if value.name == "x")
        assert x.grad == pytest.approx(sigmoid.y.item() * (1 - sigmoid.y.item()), rel=1e-12)


# ---------------------------------------------------------------------------------------------------
# As plain data


def plain(drawing):
    """A figure's graph as JSON, without what is not there."""

    def there(data):
        return data is not None and data is not False and data != []

    graph = json.loads(drawing.json())
    return {
        part: [{key: data for key, data in entry.items() if there(data)} for entry in graph[part]]
        for part in ("values", "ops", "uses")
    }


def same(a, b):
    """Whether two data are equal, numbers to 12 places."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-14) and number_text(a) == number_text(b)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("number", NUMBERS)
def test_the_graph_is_the_golden_one(number):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[number]
    found = plain(FIGURES[number].drawing)
    for part in ("values", "ops", "uses"):
        for entry, expected in zip(found[part], golden[part], strict=True):
            assert same(entry, expected), (entry, expected)


def test_a_wrong_number_is_noticed():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["5-14"]
    assert same(golden, json.loads(json.dumps(golden)))
    golden["uses"][0]["grad"] *= 1 + 1e-9
    assert not same(golden, plain(FIGURES["5-14"].drawing))


PRINT = """
import sys
from examples.figures import figures
from viz.formats.dot import placement
from viz.layout.columns import columns
for figure in figures():
    sys.stdout.buffer.write(figure.drawing.json().encode())
    if figure.number != "R-1":
        plan = figure.drawing.plan
        sys.stdout.buffer.write(placement(plan, columns(plan)).encode())
sys.stdout.buffer.write((figure.drawing.dot() + figure.drawing.svg()).encode())
"""


def test_two_hash_seeds_give_the_same_bytes():
    def printed(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, check=True).stdout

    first, second = printed("1"), printed("2")
    assert len(first) > 100_000
    assert first == second


# ---------------------------------------------------------------------------------------------------
# As pictures


class Page(HTMLParser):
    """The elements of a page, and what they refer to."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag, key):
        return [attributes[key] for name, attributes in self.found if name == tag and key in attributes]


def test_all_figures_are_written_with_a_page_to_leaf_through_them(tmp_path, capsys):
    assert main(["-o", str(tmp_path), "-f", "svg"]) == 0
    assert re.fullmatch(rf"{len(FIGURES)} figures in [\d.]+ s: .*index\.html\n", capsys.readouterr().out)
    for number, figure in FIGURES.items():
        scene = figure.drawing.scene
        if number in OTHERS:  # there, names stand on bars
            scene = replace(scene, shapes=())
        for found in (overlapping, struck, crossed, beheaded, merged, loose):
            assert found(scene) == [], (number, found.__name__)
        assert not any(text.halo for text in scene.texts), number
        assert "<desc>" in (tmp_path / f"{number}.svg").read_text(encoding="utf-8")
    assert len(list((tmp_path / "5-19-steps").glob("*.svg"))) == len(FIGURES["5-19"].steps) == 9
    assert "prefers-reduced-motion" in (tmp_path / "5-19-animated.svg").read_text(encoding="utf-8")
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert page.all("section", "id") == [*FIGURES]
    assert [href for href in page.all("a", "href") if href.startswith("#")][1:] == [f"#{number}" for number in FIGURES]
    assert all((tmp_path / source).exists() for source in page.all("img", "src"))
    linked = {href for href in page.all("a", "href") if not href.startswith("#")}
    assert linked == {f"{n}{kind}" for n in FIGURES for kind in (".svg", ".html")} | {"5-19-steps/01.svg", "sheet.html"}
    assert len(set(page.all("section", "aria-labelledby"))) == len(FIGURES)


def test_the_page_needs_no_network_and_keeps_the_answers():
    text = index(list(FIGURES.values()))
    assert not re.search("https?:|//[a-z]|@import|url\\(", text)
    assert "$" not in text.replace("${", "")
    said = [part for part in re.findall("<p>(.*?)</p>", text, re.DOTALL) if re.search(r"[`*]", part)]
    assert said == [], "marks of Markdown, which the page does not read"
    exercise = text.partition('<section id="5-15"')[2].partition("</section>")[0]
    assert "165" not in exercise
    assert "165" in text.partition('<section id="5-17"')[2].partition("</section>")[0]


def test_one_figure_can_be_written_alone_in_other_formats(tmp_path, capsys):
    assert main(["5-14", "-o", str(tmp_path), "-f", "json", "md"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"5-14.json", "5-14.md"}
    with pytest.raises(SystemExit):
        main(["5-99", "-o", str(tmp_path)])
    assert "there is no figure 5-99; there are 5-2," in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------
# What the figures ask of `draw`


def test_a_key_stands_in_a_box_before_its_derivative_and_in_the_legend():
    x, w = leaf(2.0, "x"), leaf(3.0, "w")
    scene = draw(x * w, loss="L", legend=[w, x], names={"y": x * w}).scene
    keys = [text for text in scene.texts if text.role == "key"]
    assert sorted(key.text for key in keys) == ["1", "1", "2", "2"]
    for key in keys:
        (said,) = (text for text in scene.texts if f"{text.id}-key" == key.id)
        assert key.box[2] < said.box[0]
        assert abs(key.y - said.y) < 1
    said = [text.text for text in scene.texts if text.role == "legend"]
    assert [text.partition(" = ")[0] for text in said] == ["∂L/∂w", "∂L/∂x"]
    bottom = min(shape.y - shape.height / 2 for shape in scene.shapes)
    assert all(text.box[3] < bottom for text in scene.texts if text.role == "legend")
    assert "rectangle" in draw(x * w, legend=[x]).tikz().split(r"\fontsize")[0].splitlines()[-1]
    with pytest.raises(ValueError, match="no value is called 'v'"):
        draw(x * w, legend=["v"])


def test_lengths_are_written_as_words_where_they_are_known():
    x = leaf(np.ones((32, 3)), "x")
    texts = [text.text for text in draw(x * 2.0, sizes={32: "N"}, loss="L").scene.texts]
    assert "(N, 3)" in texts
    assert "(32, 3)" not in texts


class Layer(nn.Module):
    def forward(self, x):
        return np.exp(x * 2.0) + 1.0


def test_modules_can_be_called_something_else_or_be_clouds():
    layer, x = Layer(), leaf(0.5, "x")
    y = layer(x)
    assert [op.symbol for op in draw(y, collapse="all").graph.ops] == ["Layer"]
    assert [op.symbol for op in draw(y, collapse="all", names={"Growth": layer}).graph.ops] == ["Growth"]
    assert "Growth" in [text.text for text in draw(y, names={"Growth": layer}).scene.texts]
    (cloud,) = draw(y, cloud=layer).graph.ops
    assert (cloud.symbol, cloud.shape, cloud.parts) == ("some computation", "cloud", 3)
    assert draw(y, cloud=[layer], lang="ko").graph.ops[0].symbol == "어떤 계산"
    for option in ({"cloud": Layer()}, {"names": {"Growth": Layer()}}):
        with pytest.raises(ValueError, match=f"{next(iter(option))}= names a module that was not called"):
            draw(y, **option)


def test_part_of_an_arrays_derivative_is_not_called_the_whole():
    x = leaf(np.ones(3), "x")
    wires = {wire.kind: wire for wire in draw(x * 2.0 + x, loss="L").plan.wires if wire.value == "v0"}
    assert [line.text for line in wires["trunk"].below] == ["∂L/∂x", "(3,)"]
    assert [line.text for line in wires["branch"].below] == ["(3,)"]


def test_separate_parts_stand_below_each_other_in_their_order():
    leaves = [leaf(float(k), f"x{k}") for k in range(4)]
    texts = {text.text: text.y for text in draw([np.exp(x) * 2.0 for x in leaves]).scene.texts}
    heights = [texts[name] for name in ("x₀", "x₁", "x₂", "x₃")]
    assert heights == sorted(heights, reverse=True)


def write_golden():
    """The golden data, an entry a line."""
    figures = []
    for number in NUMBERS:
        parts = []
        for part, entries in plain(FIGURES[number].drawing).items():
            rows = ",\n".join("   " + json.dumps(entry, ensure_ascii=False) for entry in entries)
            parts.append(f'  "{part}": [\n{rows}\n  ]')
        figures.append(f' "{number}": {{\n' + ",\n".join(parts) + "\n }")
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text("{\n" + ",\n".join(figures) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write_golden()
