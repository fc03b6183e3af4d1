"""A program, compiled by XLA, and how to call it: what is put on the devices before a run, and what comes back.

The state stays on the devices from one run to the next, and each run takes its memory for the state that follows. In the
tensors that have it, and in the optimizer, an `Away` stands in its place meanwhile.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from tinygrad_edu.engine.registry import Cell
from tinygrad_edu.engine.tensor import Tensor, new_leaf
from tinygrad_edu.program.away import Away, of_entry, of_tensor
from tinygrad_edu.program.program import Compute, Event, Program, Write, owner
from tinygrad_edu.program.run import Record
from tinygrad_edu.program.xla.checks import checks_of
from tinygrad_edu.program.xla.feeds import Feeds
from tinygrad_edu.program.xla.noise import keys_of
from tinygrad_edu.program.xla.placement import Placement
from tinygrad_edu.program.xla.pure import Pure

LOCK = threading.RLock()
"""Held while a step runs or state moves: steps share the state that is away."""


class XlaRecord(Record):
    """A program that XLA compiles.

    placement: where values lie. gradients: whether gradients are kept. on_device: whether the devices draw random numbers.
    name: the step's. homes: where it notes the arrays whose numbers it has away, by their addresses.
    """

    def __init__(
        self,
        program: Program,
        *,
        placement: Placement,
        gradients: bool,
        on_device: bool,
        name: str,
        homes: dict[int, Any],
    ) -> None:
        super().__init__(program)
        self.guards.also_away = True
        self._placement, self._name, self._homes = placement, name, homes
        refuse_float64(program, name)
        events, dropped = list(program.events), set[Tensor]()
        if not gradients:
            events, dropped = _without_gradients(program)
            self.guards.leave_out(dropped)
        self._slopes = [(x, _no_gradient(slope, name) if slope in dropped else slope) for x, slope in self._slopes]
        pure = Pure(program, events, on_device, placement.mesh is not None)
        self._checks = checks_of(pure.events, pure.arguments, program.numbers, program.lines)
        self._keyed = list(pure.generators.items())
        self._drawn_here = [] if on_device else self._generators
        self._awaited = bool(pure.outputs)  # what is computed by the devices has ended when these are there
        self._echoed = [x.ndarray for x in pure.echoed]
        self._moving = [_State(x, pure, program) for x in pure.moving]
        self._constants = [_State(x, pure, program) for x in pure.constants]
        others = {*[state.cell for state in self._moving], *[x.shared_cell() for x in dropped]}
        self._cells = [cell for cell in self._cells if cell not in others]  # `Away` notes the writes to the state
        batch = next((x.shape[0] for x in pure.arguments if x.ndim), None)
        self._feeds = Feeds(pure.fed, placement, batch)
        placement.refuse_unlike(
            f"the weights and other state of {name}",
            [x.name for x in [*self._moving, *self._constants]],
            [x.home for x in [*self._moving, *self._constants]],
        )
        placement.refuse_unlike(
            f"the random generators of {name}",
            [f"generator {i}" for i in range(len(self._generators))],
            [np.frombuffer(repr(g.bit_generator.state).encode(), np.uint8) for g in self._generators],
        )
        with jax.enable_x64(True):
            self._lowered: Any = self._lower(pure)
        pure.forget()
        self._compiled: Any = None
        self._moves = -1  # the count of moves at which these were looked up
        self._aways: list[Away] = []
        self._read: list[Any] = []  # for each constant the value, or what is away

    def _lower(self, pure: Pure) -> Any:
        """The program as a function that JAX has traced, with the shapes, types and places of all that it is given."""
        place = self._placement

        def struct(x: Any, sharding: Any) -> Any:
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)

        given = (
            [struct(x, place.of_argument(x.shape)) for x in pure.arguments],
            [struct(x, place.of_state(x.shape)) for x in pure.moving],
            [struct(x, place.of_state(x.shape)) for x in pure.constants],
            self._feeds.structs,
            [jax.ShapeDtypeStruct((n, 2), np.uint32, sharding=place.of_state(())) for n in pure.generators.values()],
        )
        apart = self._feeds.apart
        moved = [place.of_state(x.shape) for x in pure.moving]
        results = None if place.mesh is None else ((None if place.hosts == 1 else place.whole), moved, place.whole)
        options = {} if place.mesh is None else {"out_shardings": results}

        def run(given: Any, moving: Any, constants: Any, fed: Any, keys: Any) -> Any:
            return pure(given, moving, constants, apart(fed), keys)

        return jax.jit(run, donate_argnums=(1,), **options).lower(*given)

    # -- what it is ---------------------------------------------------------------------------------

    @property
    def source(self) -> str:  # type: ignore[override]  # made when it is asked for
        """The program as JAX hands it to XLA: StableHLO."""
        return self._lowered.as_text() if self._lowered is not None else self._compiled.as_text()

    @property
    def compiled(self) -> Any:
        """What XLA made of the program, compiled when it is first asked for: at the first run after the recording."""
        if self._compiled is None:
            self._compiled = self._lowered.compile()
        return self._compiled

    def profile(self, arrays: list[Any], runs: int) -> str:
        """Raise TypeError: lines are fused, and have no times of their own."""
        raise TypeError(f"{self._name} is compiled by XLA, whose profiler is jax.profiler.trace(folder)")

    # -- running it ---------------------------------------------------------------------------------

    def run(self, arrays: list[Any]) -> Any:
        """Run the program on new arguments."""
        place = self._placement
        place.refuse_uneven(self._names, arrays)
        for check in self._checks:
            check(arrays)
        with LOCK, jax.enable_x64(True):
            compiled = self.compiled  # made before anything is drawn
            before = [g.bit_generator.state for g in self._drawn_here]
            try:
                fed = self._feeds.sent()
                given = [place.put_argument(array, self._awaited) for array in arrays]
            except BaseException:
                for generator, state in zip(self._drawn_here, before, strict=True):
                    generator.bit_generator.state = state
                raise
            keys = [keys_of(generator, draws) for generator, draws in self._keyed]
            keys = keys if place.mesh is None else [place.put(key, place.whole) for key in keys]
            if self._moves != Away.moves:
                self._go()
            for i, known in enumerate(self._constants):
                if known.written != known.cell.written and self._read[i].__class__ is not Away:
                    self._read[i] = self._constant(known)
            constants = [x.value if x.__class__ is Away else x for x in self._read]
            moving = [away.value for away in self._aways]
            results = self._run(compiled, given, moving, constants, fed, keys)
        self._succeeded()
        return self._results(results)

    def _run(self, compiled: Any, given: Any, moving: Any, *others: Any) -> list[Any]:
        """The outputs of a run whose values are there, and take the state that follows."""
        fetch = self._placement.fetch
        try:
            outputs, following, echoed = compiled(given, moving, *others)
            results = [fetch(value) for value in outputs]
            for array, value in zip(self._echoed, echoed, strict=True):
                np.copyto(array, fetch(value))
            for away, value in zip(self._aways, following, strict=True):
                away.value = value
            return results
        except BaseException as error:
            if any(value.is_deleted() for value in moving):
                for away in list(self._aways):
                    away.forget()
                raise RuntimeError(
                    f"the devices failed in the middle of {self._name}, and its state there is lost: tensors have the numbers of "
                    f"the last gather(). {type(error).__name__}: {error}"
                ) from error
            raise

    def _go(self) -> None:
        """Have the state on the devices, and look up where it is."""
        place, cure = self._placement, f"call {self._name}.gather(), or leave its with block"
        for state in self._moving:
            away = Away.known.get(id(state.home))
            if away is None:
                value = place.put(state.home, place.of_state(state.home.shape))
                away = Away(state.home, value, cure, place, state.cell)
                away.replace(state.holders)
            else:
                self._place(away)
        self._homes.update((id(state.home), state.home) for state in self._moving)
        self._aways = [Away.known[id(state.home)] for state in self._moving]
        self._read = [self._constant(state) for state in self._constants]
        self._moves = Away.moves

    def _constant(self, state: _State) -> Any:
        """State that is read alone: where another step has it away, that; else a copy, made anew when it was written."""
        place, away = self._placement, Away.known.get(id(state.home))
        if away is None:
            state.written = state.cell.written
            return place.put(state.home, place.of_state(state.home.shape))
        self._place(away)
        return away

    def _place(self, away: Away) -> None:
        """Have what is away lie as this step wants it."""
        place = self._placement
        if away.placed is not place:
            away.lie(place.put(away.placed.fetch(away.value), place.of_state(away.shape)), place)


class _State:
    """A leaf of the state: its array, and all that hold it.

    written: when it was last written here before it was copied to the devices.
    """

    def __init__(self, leaf: Tensor, pure: Pure, program: Program) -> None:
        self.home, self.name = leaf.ndarray, leaf.describe()
        self.cell = leaf.shared_cell()
        self.written = self.cell.written
        self.holders: list[Callable[[Any, Any], None]] = []
        for twin in pure.twins[leaf]:
            entry = program.held.get(twin)
            self.holders.append(of_tensor(twin) if entry is None else of_entry(*entry))


def refuse_float64(program: Program, name: str) -> None:
    """Raise TypeError for a program in float64, unless JAX was told that it may be."""
    if jax.config.jax_enable_x64:
        return
    for x in [*program.arguments, *program.state, *[e.node for e in program.events if isinstance(e, Compute)]]:
        for array in x.ndarray if isinstance(x.ndarray, tuple) else (x.ndarray,):
            if array.dtype in (np.float64, np.complex128):
                where = f"{x.op.name} at {program.lines.get(x)}" if x.op is not None else x.describe()
                raise TypeError(
                    f"{name} computes in {array.dtype}, {where} the first, which JAX would silently halve, and which most devices "
                    'compute slowly or not at all; write x.astype(np.float32), or jax.config.update("jax_enable_x64", True)'
                )


def _without_gradients(program: Program) -> tuple[list[Event], set[Tensor]]:
    """The events but for those that only leave a gradient in `.grad`, and the tensors in which they would leave it."""
    read = {owner(x) for e in program.events for x in (e.inputs if isinstance(e, Compute) else (e.value,))}
    read |= {owner(x) for x in program.outputs}
    dropped = {x for _, x in program.slopes if x is not None and x not in read}
    return [e for e in program.events if not (isinstance(e, Write) and e.target in dropped)], dropped


def _no_gradient(slope: Tensor | None, name: str) -> Tensor:
    """What stands in `.grad` where gradients are not kept: reading it says how to have them."""
    assert slope is not None
    cure = f'{name} keeps no gradients; write replay(f, backend="jax", gradients=True), and call gather()'
    stand_in = new_leaf(Away(np.broadcast_to(np.zeros((), slope.dtype), slope.shape), None, cure, None, Cell()))
    stand_in.name = slope.name
    return stand_in


def gather(homes: dict[int, Any]) -> None:
    """Bring home what is away of these arrays, by their addresses."""
    with LOCK:
        for address in list(homes):
            away = Away.known.get(address)
            if away is not None:
                away.come_home(away.placed.fetch(away.value))
        homes.clear()


def gather_all() -> None:
    """Bring home all that is away, of any step."""
    gather(dict(Away.known))


def when_gone(step: Any, homes: dict[int, Any]) -> None:
    """When a step is let go, its state comes home."""
    weakref.finalize(step, gather, homes).atexit = False
