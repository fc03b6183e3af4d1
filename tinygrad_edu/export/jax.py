"""A model as a function of JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module
from tinygrad_edu.program.nested import mapped
from tinygrad_edu.program.program import PLACE
from tinygrad_edu.program.record import recorded
from tinygrad_edu.program.tape import Tape


def to_jax(model: Module, *x: Any) -> JaxFunction:
    """The model as a pure function f(params, *x) of JAX, for `jax.jit`, `vmap`, `grad` and `jax.export`.

    model: in evaluation mode, as for a model that is to be used; random numbers and running statistics are refused.
    x: arrays or tensors as the model is called with. They say how many there are, and of which types: the numbers do not
        matter, and the function takes other shapes too, such as other batches, for each of which the model is recorded once.

    `f.params` are the parameters and buffers by their names in `state_dict()`, as arrays of NumPy's; any that are alike will
    do, those of an ensemble stacked for `vmap`, or those that JAX's optimizers make. The function computes what the model's
    layers do, by XLA's operations. It keeps the model, whose numbers it does not read again.

    Raises ImportError without JAX, TypeError for what is no module and for one in float64 unless `jax_enable_x64` is on,
    RuntimeError for a model that is being trained, and for an op that XLA cannot have, with its line.

        f = tg.export.to_jax(model.eval(), x)
        slopes = jax.grad(lambda params: jnp.square(f(params, x) - y).mean())(f.params)
        kept = jax.export.export(jax.jit(f))(f.params, x).serialize()  # StableHLO, for other programs
    """
    if find_spec("jax") is None:
        raise ImportError('to_jax() needs JAX; install it with: pip install "tinygrad-edu[jax]"')
    if not isinstance(model, Module):
        raise TypeError(f"to_jax() takes a module, whose parameters have names, but got {type(model).__name__}")
    f = JaxFunction(model)
    f.recorded([np.asarray(part.ndarray if isinstance(part, Tensor) else part) for part in x])
    return f


class JaxFunction:
    """A model as a function of JAX's arrays: `to_jax` says how it is used.

    params: the parameters and buffers that the model had, by name.
    outputs: the results, as they were recorded last, which `viz.draw(f.outputs)` draws: what XLA was given to compute.
    """

    def __init__(self, model: Module) -> None:
        self._model = model
        self._modes = [m.training for m in model.modules()]
        self._names: dict[Tensor, str] = {}
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            self._names.setdefault(value, name)
        self.params: dict[str, Any] = {name: np.array(value.ndarray) for value, name in self._names.items()}
        self.outputs: list[Tensor] = []
        self._known: dict[Any, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"<{type(self._model).__name__} as a function of JAX: f(params, *x), {len(self.params)} params>"

    def __call__(self, params: Mapping[str, Any], *x: Any) -> Any:
        """What the model computes of x with these parameters, which are named as `params` are."""
        if params.keys() != self.params.keys():
            odd = [f"has no {key!r}" for key in self.params if key not in params]
            odd += [f"has {key!r} as well" for key in params if key not in self.params]
            raise KeyError(f"params has the names of f.params, but this one {', '.join(odd[:3])}")
        run = self._known.get(tuple([(np.shape(part), str(getattr(part, "dtype", ""))) for part in x]))
        if run is None:
            run = self.recorded([np.zeros(np.shape(part), getattr(part, "dtype", None)) for part in x])
        return run(params, *x)

    def recorded(self, arrays: list[Any]) -> Callable[..., Any]:
        """The function for arrays of these shapes and types."""
        from tinygrad_edu.program.xla.pure import Pure  # here, since it takes JAX
        from tinygrad_edu.program.xla.record import refuse_float64

        if self._modes != [m.training for m in self._model.modules()]:
            raise RuntimeError(
                "the model is in another mode than when it was exported; call model.eval(), and export it"
            )
        tape = Tape()
        try:
            program, _ = no_grad().run(recorded, tape, self._model, tuple(arrays), {})
            if program.generators or program.written:
                what = "draws random numbers" if program.generators else f"writes into {program.written[0].describe()}"
                raise RuntimeError(f"the model {what}, which a pure function does not; call model.eval() before")
            refuse_float64(program, "the model")
            pure = Pure(program, program.events)
        except BaseException:
            for action in reversed(tape.undo):
                action()
            raise
        constants = [self._names.get(x) for x in pure.constants]
        others = [
            np.array(x.ndarray) if name is None else None for x, name in zip(pure.constants, constants, strict=True)
        ]
        fed = [np.array(feed.leaf.ndarray) for feed in pure.fed]
        dtypes = [array.dtype for array in arrays]

        def run(params: Mapping[str, Any], *x: Any) -> Any:
            import jax.numpy as jnp

            given = [jnp.asarray(part, dtype) for part, dtype in zip(x, dtypes, strict=True)]
            state = [
                jnp.asarray(other if name is None else params[name])
                for name, other in zip(constants, others, strict=True)
            ]
            outputs = iter(pure(given, [], state, [jnp.asarray(array) for array in fed], [])[0])
            return mapped(lambda part: next(outputs) if part is PLACE else part, program.result)

        self.outputs = list(program.outputs)
        self._known[tuple([(array.shape, str(array.dtype)) for array in arrays])] = run
        return run
