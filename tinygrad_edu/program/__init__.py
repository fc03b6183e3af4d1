"""replay: a step recorded once, then run as straight-line NumPy over planned buffers.

`record.py` runs the function once, under a `tape`, and makes a `Program` of what it did: plain data (`program.py`). What a
step of an optimizer, `backward()` or a drawn number means there is said in `steps.py`, `readings.py` and `guards.py`.

The rest are readers of programs. One runs them by NumPy: `simplify.py` drops what need not be computed, `plan.py` gives
every value its array, `blocks.py` cuts long elementwise stretches, `direct.py` says what a line calls, `emit.py` writes
the lines down, and `run.py` calls them as long as what the function was recorded with is as it was; after a while
`kernels.py` has elementwise lines compiled by `llvm.py`. The other is `xla`, which has JAX compile them.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import numpy as np

from tinygrad_edu.creation import get_default_dtype
from tinygrad_edu.engine.recording import RECORDING, Recording
from tinygrad_edu.engine.refusals import refuse_masked
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.program.nested import signature
from tinygrad_edu.program.plan import Plan
from tinygrad_edu.program.record import parameters
from tinygrad_edu.program.run import PlannedRecord, Record
from tinygrad_edu.program.tape import refuse

if TYPE_CHECKING:
    from tinygrad_edu.program.xla import XlaReplay

__all__ = ["Replay", "replay"]

MOST_RECORDS = 8
"""How many records a function keeps; the one used longest ago goes first."""


Result = TypeVar("Result", covariant=True)


@overload
def replay(f: Callable[..., Result], *, backend: Literal["numpy"] = "numpy") -> Replay[Result]: ...
@overload
def replay(
    f: Callable[..., Result],
    *,
    backend: Literal["jax"],
    gradients: bool = False,
    noise: Literal["host", "device"] = "host",
    devices: int | None = None,
    mesh: Any = None,
    shard_parameters: bool = False,
) -> XlaReplay[Result]: ...
def replay(f: Callable[..., Result], *, backend: str = "numpy", **options: Any) -> Replay[Result]:
    """`f`, recorded at its first call and replayed after: the same numbers, without the cost of recording.

    f: a function of tensors, arrays and plain values, and of tuples, lists and dicts of them: a training step, a model,
    a method. Arrays reach it as tensors. Everything it does to tensors is replayed: forward, `backward()`,
    `optimizer.step()`, writes under `no_grad`. What it returns is the caller's own, and in no graph.

    Its Python is not run again. So looking at a number inside (`if loss > 1`, `loss.item()`, printing) raises at
    recording; numbers from elsewhere (a plain variable outside, a NumPy array made inside) stay what they were; warnings
    are not given again. A result that is kept outside, in a list or an attribute, raises too; so do random numbers drawn
    from `random`, `np.random`, or a generator of NumPy that the function names or a module has (`tg.rand`, `tg.randn` and
    dropout are drawn in every run). The recording holds all results of its run at once: a few times the memory of an
    eager call.

    What is followed: other shapes, types or plain values of arguments; `no_grad`, the default dtype; of modules (those
    called, given, or named by the function) the mode, attributes, and what is in their lists and dicts; of tensors their
    memory, hooks, and whether they require a gradient; of optimizers their settings and state. A change records anew, and
    up to 8 records are kept: give a number that changes in every call as an array, `np.asarray(t)`.

    What is not: tensors, models and optimizers are those of the recording, though a name or an entry of a dict outside
    be bound to others while the old ones live; attributes of classes, and of objects that are no modules; what threads
    compute that the function starts; `np.errstate`; that an array is made read-only, or resized, after the recording. What it puts into attributes itself, and a hook that it leaves on a
    tensor from outside, is put there at recording only.
    A logger that is given a tensor catches the error that would have been raised, and prints it instead.

    Where arrays do not lie in memory row by row (transposed, or sliced with a step), sums may be added up in another order
    than eagerly, and differ in the last bits.

    Where llvmlite is installed, which the extra "fast" brings, what a program computes element by element is compiled once
    that has taken a tenth of a second in all: updates of parameters above all, in one call. The numbers stay the same to the
    last bit, and `.source` says which lines are machine code.

    backend: "numpy" replays here; "jax" has XLA compile the same record, for GPUs, TPUs and many devices, which
    `tinygrad_edu.program.xla.XlaReplay` describes with its options: gradients, noise, devices, mesh, shard_parameters.

    `.grad` is one tensor that each run writes again: to keep it, copy it. A run that raises leaves parameters, buffers,
    the optimizer's state and generators as they were; but an interrupt from the keyboard in the middle of an update
    leaves it half done. Calls from several threads take turns.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> @replay
    ... def step(x):
    ...     loss = np.square(x * w).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [round(step(np.ones(2)).item(), 4) for _ in range(3)]
    [5.0, 3.2, 2.048]
    """
    if backend == "jax":
        if find_spec("jax") is None:
            raise ImportError('replay(backend="jax") needs JAX; install it with: pip install "tinygrad-edu[jax]"')
        from tinygrad_edu.program.xla import XlaReplay  # here, since it takes JAX, which is slow to import

        return XlaReplay(f, **options)
    if backend != "numpy":
        raise ValueError(f'replay() has the backends "numpy" and "jax", but got {backend!r}')
    if options:
        raise TypeError(f'{", ".join(options)}: an option of backend="jax" alone; write replay(f, backend="jax", …)')
    return Replay(f)


class Replay(Generic[Result]):
    """A function that is recorded for each signature it is called with, and replayed. See `replay`."""

    def __init__(self, f: Callable[..., Result]) -> None:
        if not callable(f):
            raise TypeError(f"replay() takes a function, but got {type(f).__name__}")
        functools.update_wrapper(self, f, updated=())
        self._f = f
        self._records: list[tuple[Any, Record]] = []  # the latest first
        self._lock = threading.Lock()  # runs share buffers
        self._recorder: int | None = None  # the thread that records
        self.recorded_in_a_row = 0
        self._takes_any_name = any(p.kind is p.VAR_KEYWORD for p in parameters(f))

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Result]:
        """As a method: the object is then the first argument."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        """As a function, it is pickled by its name, if it is found there; else a copy records for itself."""
        found: Any = sys.modules.get(self.__module__)
        for name in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, name, None)
        return self.__qualname__ if found is self else (Replay, (self._f,))

    def __repr__(self) -> str:
        return f"<replay of {self._name}: {len(self._records)} of {MOST_RECORDS} records>"

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """The function's result; its tensors are the caller's own."""
        recording = RECORDING.get()
        if recording.watcher is not None:
            refuse(f"calling {self._name}, which is replayed itself,", f"call {self._name}.__wrapped__")
        found: list[Any] = []
        key: tuple[Any, ...] = (recording.enabled, get_default_dtype())
        if args:
            key += tuple([signature(x, found) for x in args])
        if kwargs:
            kwargs = self._ordered(kwargs)
            key += ("by name", signature(kwargs, found))
        arrays = [x if x.__class__ is np.ndarray else self._numbers(x, recording) for x in found] if found else found
        if self._lock.locked():
            self._wait()
        with self._lock:  # an interrupt between acquire() and try would leave it locked for ever
            entry: Any = None
            for entry in self._records:
                known, record = entry
                if known == key and record.serves() and not recording.anomaly:
                    if entry is not self._records[0]:
                        self._records.remove(entry)
                        self._records.insert(0, entry)
                    if found:
                        record.admit(found, arrays)
                    self.recorded_in_a_row = 0
                    return record.run(arrays)
            entry = known = record = None
            return self._recorded(key, args, kwargs, recording.anomaly)

    def _recorded(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], anomaly: bool) -> Any:
        """Record the function: its result."""
        self._records = [entry for entry in self._records if not entry[1].guards.lost()]
        self._recorder = threading.get_ident()
        try:
            record, result = self._made(args, kwargs)
        finally:
            self._recorder = None
        if not anomaly:  # which looks at each op, and so records every call
            self._records = [(key, record), *self._records[: MOST_RECORDS - 1]]
            self.recorded_in_a_row += 1
        if self.recorded_in_a_row == 2 * MOST_RECORDS:
            warnings.warn(
                f"{self._name} was recorded {2 * MOST_RECORDS} times in a row and never replayed, which is slower than calling it: what it "
                "depends on is another each time; give numbers that change as arrays, np.asarray(t), batches one shape, "
                "and what changes in a module as a tensor",
                stacklevel=3,
            )
        return result

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Record, Any]:
        """A record of a run on these arguments, and what the run returned."""
        return PlannedRecord.make(self._f, args, kwargs)

    def _wait(self) -> None:
        """Wait for another thread's call to end; raise RuntimeError if that waits too, as it would for a thread of its own."""
        asked = time.monotonic()
        while self._lock.locked():
            time.sleep(1e-4)
            if time.monotonic() < asked + 1:
                continue
            asked = time.monotonic()
            frame = sys._current_frames().get(self._recorder) if self._recorder is not None else None
            if frame is not None and frame.f_code.co_filename == threading.__file__:
                raise RuntimeError(
                    f"{self._name} is called in a thread while it is being recorded for replay in another, which waits for a "
                    f"thread: a recorded function is one thread; call {self._name}.__wrapped__ in threads that it starts"
                )

    def _ordered(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name, in one order for all calls, unless the function takes them as a dict."""
        return dict(sorted(kwargs.items())) if len(kwargs) > 1 and not self._takes_any_name else kwargs

    def _numbers(self, x: Any, recording: Recording) -> Any:
        """The array of an argument."""
        if not isinstance(x, Tensor):
            refuse_masked(x)
            return np.asarray(x)
        if x.needs_grad and recording.enabled and (x.op is not None or recording.differentiating):
            raise RuntimeError(
                f"{x.describe()} is part of a graph, which would end at {self._name}: what a replayed function returns is in "
                f"no graph; compute the gradient inside it, pass .detach(), or call {self._name}.__wrapped__"
            )
        if x.needs_grad and x.attached is not None and x.attached.hooks:
            raise RuntimeError(
                f"{x.describe()} is an argument with a hook, which {self._name} would not run when it is replayed: remove it, "
                f"put it on a result inside, or call {self._name}.__wrapped__"
            )
        return x.ndarray

    @property
    def _name(self) -> str:
        return getattr(self._f, "__name__", type(self._f).__name__)

    def _record(self) -> Record:
        if not self._records:
            raise RuntimeError(
                f"{self._name} has not been called yet, or has forgotten it, so there is no program; call it once"
            )
        return self._records[0][1]

    @property
    def source(self) -> str:
        """The program that the last call ran, as Python; after a smaller last batch, the one for that."""
        return self._record().source

    @property
    def plan(self) -> Plan:
        """Where the values of that program live: `plan.instructions`, `plan.buffers`, `plan.nbytes`; printed, a table."""
        record = self._record()
        if not isinstance(record, PlannedRecord):
            raise TypeError(
                f"{self._name} is compiled by XLA, which plans its memory itself; see .source and .compiled"
            )
        return record.plan

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> str:
        """The program with the microseconds each line takes, the mean of `runs`. It runs, and so writes, as calls do.

        Afterwards each of `plan.instructions` has its `seconds`.
        """
        if runs < 1:
            raise ValueError(f"profile() takes the mean of 1 or more runs, but got runs={runs}")
        self(*args, **kwargs)
        found: list[Any] = []
        signature((args, self._ordered(kwargs)), found)
        with self._lock:
            return self._record().profile([self._numbers(x, RECORDING.get()) for x in found], runs)

    def forget(self) -> None:
        """Drop all records; the next call records anew."""
        self._records = []
