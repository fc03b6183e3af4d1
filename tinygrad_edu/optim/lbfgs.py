"""L-BFGS: Newton's method, whose curvature is estimated from the last few steps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import partial
from typing import Annotated, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.registry import Edits
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.optim.line_search import Point, strong_wolfe
from tinygrad_edu.optim.optimizer import Loss, Optimizer
from tinygrad_edu.optim.settings import Bound, Count, NotNegative

Vector = NDArray[Any]

LineSearch = Annotated[
    str | None, Bound(lambda x: x in (None, "strong_wolfe"), 'is None or "strong_wolfe"', number=False)
]
MaxEval = Annotated[
    int | None, Bound(lambda x: x is None or (isinstance(x, int) and x > 0), "is a whole number above 0", number=False)
]

LEAST_CURVATURE = 1e-10
"""The smallest yᵀs of a pair that is remembered: without curvature the inverse of it would be without bounds."""


class LBFGS(Optimizer):
    """w ← w − t·H·g, where H ≈ (∇²L)⁻¹ is made of the last m moves s of w and changes y of the gradient.

    H fulfils H·y = s for the last pair, and for each pair before it changes as little as that allows; it is never
    written down. The first step goes along −g, by min(1, 1/|g|₁) of lr.

    It is for a loss of all the data without dropout, and needs far fewer steps there than the other rules.
    `step(closure)` evaluates the loss as often as it needs to.

    params: the tensors to learn, in one group.
    lr: the step length t, or with a line search the first that is tried.
    max_iter: how many updates a step makes at most.
    max_eval: how many evaluations it makes at most; None stands for 5/4 of max_iter.
    tolerance_grad: the step ends when no |gᵢ| is larger.
    tolerance_change: the step ends when no weight, or the loss, changes by more.
    history_size: m, the number of pairs that are remembered.
    line_search_fn: "strong_wolfe" looks for the t of `line_search.strong_wolfe`, by at least one evaluation and as many
        more as are left of max_eval; None takes lr.
    maximize: whether to climb instead of to fall.

    A function that is recorded for replay cannot contain the step, because how often the closure runs, and how far each
    update goes, depends on the values of the loss. Replay the closure: `optimizer.step(tg.replay(closure))`.

    Raises ValueError for more than one group.

    Source: Nocedal, *Updating quasi-Newton matrices with limited storage* (1980); Nocedal and Wright, *Numerical
    optimization* (2006), algorithms 7.4 and 7.5; settings and stopping as in PyTorch.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([-1.5, 2.0], requires_grad=True)
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(3):
    ...     loss = optimizer.step(closure)
    >>> w.numpy().round(4).tolist()
    [1.0, 1.0]
    """

    __slots__ = ("memory",)

    lr: InitVar[NotNegative] = 1.0
    max_iter: InitVar[Count] = 20
    max_eval: InitVar[MaxEval] = None
    tolerance_grad: InitVar[NotNegative] = 1e-7
    tolerance_change: InitVar[NotNegative] = 1e-9
    history_size: InitVar[Count] = 100
    line_search_fn: InitVar[LineSearch] = None

    def __post_init__(self, *values: Any) -> None:
        self.memory = Memory()
        super().__post_init__(*values)
        if len(self.param_groups) > 1:
            raise ValueError(
                f"LBFGS takes one group, {_TOGETHER}, but got {len(self.param_groups)}: write LBFGS([w, b])"
            )

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Refuse: raises ValueError, because the parameters are one group from the start."""
        raise ValueError(f"LBFGS has one group, {_TOGETHER}: make it with all parameters")

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    @watched
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:
        """Minimize by up to max_iter updates, and return the loss before the first.

        closure: forgets the gradients, computes the loss, goes backward, and returns the loss.
        Raises TypeError if there is none, or one that returns no number; RuntimeError while a function is recorded.
        """
        if closure is None:
            raise TypeError(
                "LBFGS.step() evaluates the loss again and again: write def closure(): optimizer.zero_grad(); loss = …; "
                "loss.backward(); return loss, and then optimizer.step(closure)"
            )
        Edits.note()
        group = self.param_groups[0]
        params = [member.param for member in group.members]
        for member in group.members:
            member.look()
        objective = Objective(partial(self.evaluated, closure), params, -1 if group.settings["maximize"] else 1)
        first = objective.at_present()
        self._descend(objective, first, group.settings, self.memory)
        return first.returned

    def _descend(self, objective: Objective, now: Value, settings: Mapping[str, Any], memory: Memory) -> None:
        """Update until a limit or a tolerance of the settings is reached."""
        most = settings["max_eval"] or settings["max_iter"] * 5 // 4
        for update in range(1, settings["max_iter"] + 1):
            if np.abs(now.gradient).max() <= settings["tolerance_grad"] or (
                update > 1 and objective.evaluations >= most
            ):
                return
            memory.learn(now, settings["history_size"])
            first = min(1.0, 1 / float(np.abs(now.gradient).sum())) if memory.updates == 1 else 1.0
            memory.step = first * settings["lr"]
            slope = float(now.gradient @ memory.direction)
            if slope > -settings["tolerance_change"]:
                return
            if settings["line_search_fn"] is not None:
                point = Point(0.0, now.loss, slope)
                left = most - objective.evaluations
                memory.step, now = objective.search(
                    point, now, memory, tolerance=settings["tolerance_change"], most=left
                )
            else:
                objective.move(memory.step * memory.direction)
                if update == settings["max_iter"]:
                    return
                now = objective.at_present()
            moved = memory.step * np.abs(memory.direction).max()
            if moved <= settings["tolerance_change"] or abs(now.loss - memory.loss) < settings["tolerance_change"]:
                return

    def state_dict(self) -> dict[str, Any]:
        """The settings, and under 0 the memory, whose vectors hold the numbers of all parameters one after another."""
        kept = super().state_dict()
        return {**kept, "state": {0: self.memory.state_dict()} if self.memory.updates else {}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy settings and memory from the `state_dict()` of an optimizer of the same parameters.

        Raises ValueError, and changes nothing, if the settings' names or the number of weights differ.
        """
        kept = state["state"] if isinstance(state, Mapping) and "state" in state else {}
        memory = Memory.loaded(kept[0]) if 0 in kept else Memory()
        weights = sum(member.param.size for member in self.param_groups[0].members)
        if memory.updates and memory.direction.size != weights:
            raise ValueError(
                f"the state is of {memory.direction.size} weights, but the parameters of this LBFGS have {weights}"
            )
        super().load_state_dict({**state, "state": {}} if kept else state)
        self.memory = memory


_TOGETHER = "since its curvature is that of all parameters together"


class Value(NamedTuple):
    """What a call of the closure gave: what it returned, the loss as a number to minimize, and its gradient as a
    vector.
    """

    returned: Any
    loss: float
    gradient: Vector


class Objective:
    """The closure as a function of one vector, in which the numbers of all parameters stand one after another."""

    def __init__(self, evaluate: Callable[[], Any], params: Sequence[Tensor], sign: int) -> None:
        self.evaluate, self.params, self.sign = evaluate, params, sign
        self.evaluations = 0

    def at_present(self) -> Value:
        """Evaluate the loss and its gradient where the parameters are."""
        self.evaluations += 1
        returned = self.evaluate()
        if returned is None:
            raise TypeError("the closure given to LBFGS.step() returned None: end it with return loss")
        if all(p.held_grad is None for p in self.params):
            raise ValueError("the closure given to LBFGS.step() left no gradient: write loss.backward() in it")
        slopes = [np.zeros_like(p.ndarray) if p.held_grad is None else p.held_grad.ndarray for p in self.params]
        return Value(returned, self.sign * float(returned), self.sign * _vector(slopes))

    def present(self) -> Vector:
        """The numbers that the parameters have now."""
        return _vector([p.ndarray for p in self.params])

    def move_to(self, place: Vector) -> None:
        """Write a vector's numbers into the parameters."""
        start = 0
        for p in self.params:
            p.ndarray[...] = place[start : start + p.size].reshape(p.shape)
            p.note_write()
            start += p.size

    def move(self, by: Vector) -> None:
        """Add a vector to the parameters."""
        self.move_to(self.present() + by)

    def search(self, here: Point, now: Value, memory: Memory, *, tolerance: float, most: int) -> tuple[float, Value]:
        """Go along the direction to a point that the line search accepts: return the step's length, and the value
        there.

        If anything interrupts it, the parameters are put back where they were.
        """
        start, values = self.present(), {0.0: now}

        def evaluate(step: float) -> Point:
            self.move_to(start + step * memory.direction)
            values[step] = self.at_present()
            return Point(step, values[step].loss, float(values[step].gradient @ memory.direction))

        length = float(np.abs(memory.direction).max())
        found = 0.0
        try:
            found = strong_wolfe(evaluate, here, memory.step, length, tolerance=tolerance, most=most).step
        finally:
            self.move_to(start + found * memory.direction)
        return found, values[found]


def _vector(arrays: Sequence[NDArray[Any]]) -> Vector:
    return np.concatenate([array.reshape(-1) for array in arrays])


@dataclass
class Memory:
    """What an update leaves for the next one. Vectors hold the numbers of all parameters, one after another.

    updates: how many there were.
    direction: d, the last direction.
    step: t, how far the last update went in it.
    gradient, loss: those from which d was computed.
    scale: H begins as this number times I.
    pairs: moves s and changes y of the gradient, the latest last.
    """

    updates: int = 0
    direction: Vector = field(default_factory=lambda: np.empty(0))
    step: float = 0.0
    gradient: Vector = field(default_factory=lambda: np.empty(0))
    loss: float = 0.0
    scale: float = 1.0
    pairs: list[tuple[Vector, Vector]] = field(default_factory=list)

    def learn(self, now: Value, limit: int) -> None:
        """Remember how the gradient changed over the last move, in at most `limit` pairs, and set the direction to
        −H·g.
        """
        if self.updates:
            move, change = self.step * self.direction, now.gradient - self.gradient
            if change @ move > LEAST_CURVATURE:
                self.pairs = [*self.pairs, (move, change)][-limit:]
                self.scale = float(change @ move / (change @ change))
        self.updates += 1
        self.loss, self.gradient, self.direction = now.loss, now.gradient, -self.times(now.gradient)

    def times(self, gradient: Vector) -> Vector:
        """H·g, computed by two loops over the pairs: from the latest to the first, and back again."""
        q, shares = gradient.copy(), []
        for move, change in reversed(self.pairs):
            shares.append(move @ q / (change @ move))
            q -= shares[-1] * change
        q *= self.scale
        for (move, change), share in zip(self.pairs, reversed(shares), strict=True):
            q += (share - change @ q / (change @ move)) * move
        return q

    def state_dict(self) -> dict[str, Any]:
        """A copy of the memory, as numbers and arrays. Moves and changes are the rows of a matrix each."""
        moves, changes = zip(*self.pairs, strict=True) if self.pairs else ((), ())
        own = {name: value for name, value in vars(self).items() if name != "pairs"}
        return {**copy.deepcopy(own), "moves": np.array(moves), "changes": np.array(changes)}

    @classmethod
    def loaded(cls, state: Mapping[str, Any]) -> Memory:
        """Make a memory of what `state_dict()` gave."""
        pairs = zip(np.array(state["moves"]), np.array(state["changes"]), strict=True)
        return cls(
            updates=state["updates"],
            direction=np.array(state["direction"]),
            step=state["step"],
            gradient=np.array(state["gradient"]),
            loss=state["loss"],
            scale=state["scale"],
            pairs=[(move.copy(), change.copy()) for move, change in pairs],
        )
