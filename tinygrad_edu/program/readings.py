"""What watched functions of the engine mean while a function is recorded for replay.

Each page below marks as `watched` what would be wrong if it were run as it is written. There are four kinds:

- what gives Python a number (`item()`, printing, `if t > 0`): it is refused, for Python is not run again;
- what writes (`-=`, `t[i] = v`): the tape is told, so that every run writes;
- what differentiates: it is recorded too, and `.grad` is noted;
- what is decided by numbers (limits in `linalg`) or drawn at random: it is prepared for all runs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine import backward, calls, derived
from tinygrad_edu.engine.attached import RemovableHook
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.differentiate import Visit
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.op import alias
from tinygrad_edu.engine.presence import whole_mask
from tinygrad_edu.engine.protocols import numbers, tensors_in
from tinygrad_edu.engine.recording import detect_anomaly, recording
from tinygrad_edu.engine.registry import ANSWERS, tick
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.functional.embedding import any_of
from tinygrad_edu.nn.functional.normalization import follow
from tinygrad_edu.nn.lazy import Lazy
from tinygrad_edu.ops.linalg.limits import jumps
from tinygrad_edu.ops.linalg.spectra import note_where_close
from tinygrad_edu.program.tape import Tape, free, reading, refuse

_DATA: property = vars(Tensor)["data"]
_GRAD: property = vars(Tensor)["grad"]

# ---------------------------------------------------------------------------------------------------
# What gives Python a number


def _refuses(function: Any, what: str) -> None:
    """Have a method of tensors refused."""

    @reading(function)
    def refused(tape: Tape, as_written: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        refuse(f"{what} of {x.describe()}")


for _function, _what in {
    _DATA.fget: "data",
    Tensor.numpy: "numpy()",
    Tensor.item: "item()",
    Tensor.tolist: "tolist()",
    Tensor.refuse_unseen: "the array",
    Tensor.__bool__: "the truth",
    Tensor.__index__: "the integer value",
    Tensor.__repr__: "printing",
    Tensor.__reduce__: "copying or pickling",
}.items():
    _refuses(_function, _what)


@reading(numbers)
def numbers_of(tape: Tape, as_written: Any, value: Any, what: str = "the numbers") -> Any:
    """Refused if there is a tensor in `value`."""
    for x in tensors_in(value):
        refuse(f"{what} of {x.describe()}")
    return as_written(value, what)


@reading(calls.into)
def into(tape: Tape, as_written: Any, out: tuple[Any, ...], result: Any, name: str) -> Any:
    """Refused for an array, which would be written at recording alone."""
    if len(out) == 1 and isinstance(out[0], np.ndarray) and isinstance(result, Tensor):
        what = f"out={type(out[0]).__name__} of np.{name}, or += and its like on an array: the numbers"
        refuse(f"{what} of {result.describe()}")
    return as_written(out, result, name)


@reading(evaluate)
def evaluated(tape: Tape, as_written: Any, *args: Any, **kwargs: Any) -> Any:
    """Refused: it computes on arrays, of which the tape sees nothing."""
    refuse("evaluate()")


@reading(vars(detect_anomaly)["__wrapped__"])
def anomaly(tape: Tape, as_written: Any) -> Any:
    """Refused: each op would be looked at in this run alone."""
    refuse("detect_anomaly()", "put it round the call, where every call is then recorded anew")


# ---------------------------------------------------------------------------------------------------
# What writes


@reading(Tensor.assign)
def assign(tape: Tape, as_written: Any, x: Tensor, key: Any, value: Any) -> None:
    """x[key] = value, in every run."""
    tape.write(x, recording(enabled=False).run(ANSWERS["index_update"], x, key, value))


@reading(Tensor.in_place)
def in_place(tape: Tape, as_written: Any, x: Tensor, ufunc: Any, other: Any) -> Tensor:
    """x ∘= other, in every run."""
    if x.rebinds(ufunc, other):
        new: Tensor = as_written(x, ufunc, other)
        return new
    tape.write(x, ufunc(x, other))
    return x


@reading(Tensor.reorder)
def reorder(tape: Tape, as_written: Any, x: Tensor, function: Any, axis: int, settings: dict[str, Any]) -> None:
    """x.sort() or x.partition(), in every run."""
    tape.write(x, recording(enabled=False).run(function, x, axis=axis, **settings))


@reading(_DATA.fset)
def set_data(tape: Tape, as_written: Any, x: Tensor, value: Any) -> None:
    """Refused: the plan writes into the memory that the tensor had at recording."""
    refuse(f"assigning .data to {x.describe()}")


@reading(Tensor.alias)
def aliased(tape: Tape, as_written: Any, x: Tensor) -> Tensor:
    """A node, so that every run sees what is written to `x`."""
    y: Tensor = alias(x)
    y.name, y.cell = x.name, x.shared_cell()
    return y


# ---------------------------------------------------------------------------------------------------
# What differentiates


@reading(_GRAD.fget)
def grad(tape: Tape, as_written: Any, x: Tensor) -> Tensor | None:
    """Reading `x.grad` makes it an input of the program: what it was before the run counts."""
    tape.slope(x)
    found: Tensor | None = as_written(x)
    return found


@reading(_GRAD.fset)
def set_grad(tape: Tape, as_written: Any, x: Tensor, value: Any) -> None:
    """Set `x.grad`, and note that later runs do not depend on what it was before."""
    tape.reset(x)
    as_written(x, value)


@reading(Tensor.requires_grad_)
def requires_grad_(tape: Tape, as_written: Any, x: Tensor, value: bool = True) -> Tensor:
    """Put back should the run fail. A result that passes for a leaf then has a gradient of its own."""
    before, changes = x.needs_grad, isinstance(value, bool | np.bool_) and bool(value) is not x.needs_grad
    if changes and x in tape.placeholders:
        refuse(f"requires_grad_() of {x.describe()}, an argument,", "write x = x.detach().requires_grad_()")
    if x.op is None and changes:
        tape.on_failure(lambda: setattr(x, "needs_grad", before))
    elif changes and not x.is_recorded():
        if value:
            x.refuse_derivative()
            tape.variables.add(x)
        x.needs_grad = x.attachments().retains = bool(value)
    told: Tensor = as_written(x, value)
    return told


@reading(Tensor.register_hook)
def register_hook(tape: Tape, as_written: Any, x: Tensor, hook: Any) -> RemovableHook:
    """Taken off should the run fail."""
    if x in tape.placeholders:
        refuse(f"a hook on {x.describe()}, an argument,", "put it on a result, such as x * 1")
    removable: RemovableHook = as_written(x, hook)
    tape.on_failure(removable.remove)
    return removable


@reading(backward.go_back)
@np.errstate(all="ignore")
def go_back(tape: Tape, as_written: Any, output: Tensor, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
    """The walk is recorded; the gradients that it leaves are results that pass for leaves, unless create_graph."""
    g = tape.cotangent(output, gradient, "backward()")
    order = _order(tape, [output])
    tape.read(order, free=not retain_graph)

    def totals() -> list[tuple[Any, Any]]:
        begun: dict[Any, Any] = {output: g}
        visit = None if create_graph else _letting_go(order, begun)
        found = backward.recorded_totals(order, begun, {id(g.ndarray)}, False, visit)
        return [(x, _settled(total)) for x, total in found]

    for x, total in recording(enabled=create_graph, holds=create_graph).run(totals):
        tape.slope(x)
        x.held_grad = total if create_graph else total.alias()


@reading(backward.gradients)
@np.errstate(all="ignore")
def gradients(
    tape: Tape,
    as_written: Any,
    begun: Sequence[tuple[Tensor, Any]],
    xs: Sequence[Tensor],
    create_graph: bool,
    order: list[Any] | None = None,
) -> list[Any]:
    """The walk is recorded; its results pass for leaves, unless create_graph."""
    totals = backward.cotangents([(y, tape.cotangent(y, g, "grad()")) for y, g in begun], True)
    if order is None:
        order = _order(tape, list(totals))
    tape.read(order, free=False)

    def found() -> list[Any]:
        visit = None if create_graph else _letting_go(order, totals, set(xs))
        return [None if g is None else _settled(g) for g in backward.totals_at(order, totals, xs, True, visit)]

    slopes: list[Any] = recording(enabled=create_graph, holds=create_graph).run(found)
    return slopes if create_graph else [None if g is None else g.alias() for g in slopes]


def _letting_go(order: Sequence[Any], totals: dict[Any, Any], kept: Container[Any] = ()) -> Visit | None:
    """A visitor of a walk that frees what came to a node when the walk has gone on to the next, since nobody reads it any
    more, unless it is kept. None where hooks or retained gradients read it.

    totals: of the walk. kept: the nodes whose totals it keeps.
    """
    if any(x.attached is not None and (x.attached.hooks or x.attached.retains) for x in order):
        return None
    begun = tick()
    node: Any = None
    came: dict[Any, list[Tensor]] = {}  # to a node: its contributions
    uses: dict[Tensor, int] = {}  # of a contribution: to how many nodes it came that are still to be read, or are kept

    def visit(reached: Any, i: int, contribution: Any) -> None:
        nonlocal node
        if reached is not node:
            for spent in came.pop(node, ()):
                uses[spent] -= 1
                if not uses[spent] and spent.made_at > begun:
                    free(spent)
            node = reached
            if node in kept and isinstance(totals[node], Tensor):
                uses[totals[node]] = uses.get(totals[node], 0) + 1
        if isinstance(contribution, Tensor):  # a rule may give an array, such as zeros
            came.setdefault(reached.inputs[i], []).append(contribution)
            uses[contribution] = uses.get(contribution, 0) + 1

    return visit


def _order(tape: Tape, outputs: Sequence[Node]) -> list[Any]:
    """The record of the outputs. It ends at results that pass for leaves and have a gradient of their own."""
    order = topological(outputs, leaves=False, ends=tape.variables)
    return [x for x in order if x not in tape.variables or x.attached.hooks]


def _settled(g: Tensor) -> Tensor:
    """A gradient; a copy of one that shows memory of others, which may be written before a run reads it."""
    return np.copy(g) if g.op is not None and g.op.view else g  # type: ignore[return-value]


@reading(derived.argument_of)
def argument_of(tape: Tape, as_written: Any, given: Tensor) -> Tensor:
    """`argument(given)` as an op, so that the tape is told of the node."""
    made: Tensor = derived.argument(given)
    return made


@reading(derived.at_once)
def at_once(tape: Tape, as_written: Any) -> bool:
    """Whether they are recorded as they are computed: yes, for every run computes them anew."""
    return True


@reading(derived.connected_by)
def connected_by(
    tape: Tape,
    as_written: Any,
    called: tuple[str, str],
    found: list[Node],
    inputs: Sequence[Node],
    connected: bool,
    unfold: Callable[[], list[Node]],
) -> list[Node]:
    """The derivatives are nodes already; where no input requires a gradient, they pass for leaves."""
    return found if connected else [d.alias() for d in found]


@reading(checkpoint)
def checkpointed(tape: Tape, as_written: Any, f: Callable[..., Any], *args: Any) -> Any:
    """A replay keeps no record, so there is nothing to compute again."""
    return f(*args)


# ---------------------------------------------------------------------------------------------------
# What is decided by numbers, or drawn


@reading(whole_mask)
def mask(tape: Tape, as_written: Any, shape: tuple[int, ...], present: bool, like: Node | None) -> Any:
    """The mask is a constant of the program, for nothing writes it."""
    made = as_written(shape, present, like)
    return made if like is None else tape.number(made)


@reading(note_where_close)
def no_limits(tape: Tape, as_written: Any, *args: Any, **kwargs: Any) -> None:
    """Nothing is noted: which values are equal may be another matter in the next run."""


@reading(jumps)
def may_jump(tape: Tape, as_written: Any, g: Sequence[Any], y: Any, null: Any) -> Any:
    """The gradient is taken to jump wherever a singular value is 0: whether it does hangs on the values of each run."""
    return np.any(null, axis=-1, keepdims=True)[..., None]


@reading(follow)
def followed(
    tape: Tape,
    as_written: Any,
    running_mean: Any,
    mean: Any,
    running_var: Any,
    var: Any,
    momentum: Any,
    correction: float,
) -> None:
    """The running statistics move in every run."""
    running_mean -= momentum * (running_mean - mean)
    running_var -= momentum * (running_var - var * correction)


@reading(any_of)
def any_row(tape: Tape, as_written: Any, longer: Any) -> bool:
    """Whether there are such rows: yes, for another run may have some. Where there are none, rows keep their numbers."""
    return True


@reading(Lazy.become)
def become(tape: Tape, as_written: Any, layer: Lazy, inputs: int) -> None:
    """Refused: a replay runs no Python, so the weight would be made at recording alone."""
    refuse(f"the first call of {layer!r}, which makes its weight,", "call the model once before")


@reading(random.generator)
def generator(tape: Tape, as_written: Any, given: Any = None) -> Any:
    """Refused: numbers that Python draws would be the same in every run."""
    refuse("drawing random numbers in Python", "do it outside, or draw tensors: rand(), randn(), dropout()")


@reading(random.draw)
def draw(
    tape: Tape,
    as_written: Any,
    what: Any,
    shape: tuple[int, ...],
    dtype: Any,
    given: np.random.Generator | None = None,
    name: str = "noise",
) -> Tensor:
    """A leaf that is drawn anew in each run: from the same generator, in the same order, and so the same numbers as the
    function itself would draw."""
    own = random.chosen(given)
    tape.follow(own)
    if given is None and tape.turn((random.draw, id(own))) == 1:  # in another thread it is another
        tape.guard(lambda: random.chosen() is own)
    return tape.feed(lambda array: what(own, array), shape, dtype, name=name, draw=(what, own))
