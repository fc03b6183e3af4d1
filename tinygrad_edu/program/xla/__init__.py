"""XLA: another reader of programs, which has JAX compile them for GPUs, TPUs and many devices. It needs JAX, the extra [jax].

array.py      an array that speaks NumPy's protocols and computes by jax.numpy
table.py      the ops that need an entry; windows.py and time.py, those of networks
pure.py       a program as a pure function, which JAX traces
feeds.py      what is set before each run, and sent along
noise.py      random numbers that the devices draw
checks.py     what is looked at before a run, since a compiled program cannot raise
placement.py  where values lie: devices and hosts
record.py     a program, compiled, and how to call it
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.program import Replay
from tinygrad_edu.program.nested import mapped
from tinygrad_edu.program.record import names_of
from tinygrad_edu.program.run import Record
from tinygrad_edu.program.xla.array import XlaArray
from tinygrad_edu.program.xla.placement import Placement, mesh_of
from tinygrad_edu.program.xla.record import XlaRecord, gather, gather_all, when_gone

__all__ = ["XlaArray", "XlaReplay"]

Result = TypeVar("Result", covariant=True)


class XlaReplay(Replay[Result]):
    """A function that is recorded as `replay` says, and then compiled and run by XLA: `tg.replay(f, backend="jax")`.

    The first call of each signature runs here, and is the recording. The state that later calls write (parameters, buffers,
    what the optimizer keeps) stays on the devices between them. To read or write it here, call `gather()`, or call the step
    in `with step:`, at whose end that is done; until then reading raises. What shares memory with it, such as an array that
    `w.numpy()` gave before, keeps the numbers of before. Further steps of this kind, such as one that evaluates, find the
    state where it is; recording brings all of it home first.

    f: as for `replay`.
    gradients: whether `.grad` is kept, on the devices, until `gather()`. Else reading it raises, and none is moved.
    noise: "host" draws random numbers here, and they are those of an eager call; "device" has the devices draw them, by keys
        that the generator gives for each call, one for each draw: others, but the same for the same seed and on any number
        of devices.
    devices: over how many devices the batch is split, along axis 0 of every argument. Gradients and the statistics of batch
        normalization are of the whole batch. Over several hosts, after `jax.distributed.initialize()`, all devices are
        taken, and each host gives its part of the batch; results are of the whole.
    mesh: a `jax.sharding.Mesh` of Auto axes instead, along whose first axis the batch is split.
    shard_parameters: whether the state is split as well, along the longest axis that the devices divide.

    A class number or an index that is out of range raises before the run, if it is an argument or made of arguments by a few
    ops; one that the devices compute gives NaN. On GPUs and TPUs products are as exact as
    `jax.config.jax_default_matmul_precision` says.

    Raises ImportError without JAX; TypeError for a program in float64, unless `jax_enable_x64` is on; ValueError for a batch
    that the devices do not divide; RuntimeError for an op that XLA cannot have, such as an index of truths, naming the line,
    and for state that differs between hosts. All is then as before.

    >>> import numpy as np
    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor(np.ones(2, np.float32), requires_grad=True, name="w")
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> def step(x):
    ...     loss = np.square(x * w).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> step = tg.replay(step, backend="jax")
    >>> with step:
    ...     losses = [round(step(np.ones(2, np.float32)).item(), 2) for _ in range(3)]
    >>> losses, w.tolist()[0] < 0.52
    ([2.0, 1.28, 0.82], True)
    """

    def __init__(
        self,
        f: Callable[..., Result],
        *,
        gradients: bool = False,
        noise: str = "host",
        devices: int | None = None,
        mesh: Any = None,
        shard_parameters: bool = False,
    ) -> None:
        super().__init__(f)
        if noise not in ("host", "device"):
            raise ValueError(f'noise= is "host" or "device", but got {noise!r}')
        for option, value in (("gradients", gradients), ("shard_parameters", shard_parameters)):
            if not isinstance(value, bool):
                raise TypeError(f"{option}= is True or False, but got {value!r}")
        self._placement = Placement(mesh_of(devices, mesh), shard_parameters)
        self._options = {"gradients": gradients, "on_device": noise == "device"}
        self._homes: dict[int, Any] = {}
        when_gone(self, self._homes)

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Record, Any]:
        gather_all()
        found: list[Any] = []
        names: list[str] = []
        for name, value in (*zip(names_of(self._f, len(args)), args, strict=True), *kwargs.items()):
            mapped(found.append, value)
            names += [name] * (len(found) - len(names))
        arrays = [x.ndarray if isinstance(x, Tensor) else x for x in found]
        self._placement.refuse_uneven(names, arrays)
        if self._placement.hosts > 1:
            whole = iter(self._placement.together(names, arrays))
            args, kwargs = mapped(lambda x: next(whole), (args, kwargs))
        options = {**self._options, "placement": self._placement, "name": self._name, "homes": self._homes}
        return XlaRecord.make(self._f, args, kwargs, **options)

    def gather(self) -> None:
        """Bring the state home: parameters, buffers, the optimizer's state, and gradients that are kept."""
        gather(self._homes)

    def __enter__(self) -> XlaReplay[Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gather()

    @property
    def compiled(self) -> Any:
        """What XLA made of the program that the last call ran, a `jax.stages.Compiled`: `.as_text()`,
        `.cost_analysis()`, `.memory_analysis()`."""
        record = self._record()
        assert isinstance(record, XlaRecord)
        return record.compiled

    def forget(self) -> None:
        """Bring the state home, and drop all records."""
        self.gather()
        super().forget()
