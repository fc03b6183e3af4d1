"""How NumPy's functions are called: its names for their arguments, its defaults, its options.

The ops have names of their own for their inputs, those that their formulas print, and take the settings that their
rules know. `Call` stands between the two: it reads the signature of the NumPy function once, and from then on writes
each call of it as a call of the op that answers. What NumPy would do anyway is left out, and what no op takes is
done here (`dtype=`, `out=`), or refused by the name of the function and of the option, with what to write instead.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy

from tinygrad_edu.engine.protocols import NumPyProtocols
from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.refusals import too_many, users_own

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

NO_VALUE = np._NoValue
"""What NumPy passes for an argument that is left out."""

OUR_NAMES = {"dim": "axis", "axes": "axis", "keepdim": "keepdims"}
"""What a setting is called here, by the names that it has elsewhere."""

DONE_HERE = ("dtype", "casting", "signature", "out")
"""Options that no op needs to know: the type to compute in, and where to write."""

IDENTITIES = {"sum": 0, "nansum": 0, "add.reduce": 0, "prod": 1, "nanprod": 1, "multiply.reduce": 1}
"""The `initial` that changes nothing."""

CURES = {
    "casting": "write t.astype(dtype), which casts whatever the types are",
    "hermitian": "leave it out: the answer is the same, by the general way",
    "initial": "combine that number with the result",
    "mean": "leave it out: it is computed once more",
    "mode": "leave it out, and bring the indices into range before",
    "order": "leave it out: a tensor has no fields, and lies in memory as its op makes it",
    "unbiased": "write correction=1 for the unbiased one",
    "where": "put np.where(mask, x, …) in the place of x",
    "axes": "move the axes first, with np.moveaxis",
}
"""What to write for an option of NumPy's that no op takes."""


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


_UNTOLD: dict[Any, Any] = {
    np.concatenate: lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": None,
    np.dot: lambda a, b, out=None: None,
    np.inner: lambda a, b, /: None,
    np.vdot: lambda a, b, /: None,
    np.where: lambda condition, x=None, y=None, /: None,
    "reduce": lambda array, /, axis=0, dtype=None, out=None, keepdims=False, initial=NO_VALUE, where=True: None,
    "accumulate": lambda array, /, axis=0, dtype=None, out=None: None,
}
"""The signatures that an old NumPy does not tell: of functions that are not written in Python, of methods of ufuncs."""

_ELEMENTWISE: Any = lambda *, where=True, casting="same_kind", order="K", dtype=None, subok=True, signature=None: None
_ALONG_AXES: Any = lambda *, axes=NO_VALUE, axis=NO_VALUE, keepdims=False: None
_EINSUM: Any = lambda *, dtype=None, order="K", casting="safe": None
_OUT: Any = lambda out=None: None


def _of_numpy(function: Any) -> list[inspect.Parameter] | None:
    """The parameters of a NumPy function, of a ufunc, or of one of its methods; None if NumPy does not tell."""
    if isinstance(function, tuple):
        return _parameters(_UNTOLD[function[1]])
    if isinstance(function, np.ufunc):
        inputs = [inspect.Parameter(f"x{i + 1}", inspect.Parameter.POSITIONAL_ONLY) for i in range(function.nin)]
        along = _parameters(_ALONG_AXES) if function.signature else []
        return [*inputs, *_parameters(_OUT), *along, *_parameters(_ELEMENTWISE)]
    try:
        told = _parameters(_UNTOLD.get(function, function))
    except ValueError:
        return None
    if function in (np.clip, np.einsum):  # they pass on what they do not name
        told[-1:] = _parameters(_ELEMENTWISE if function is np.clip else _EINSUM)
    return told


def _is_default(value: Any, default: Any) -> bool:
    """Whether an argument is what NumPy takes if it is left out. Tensors and arrays are never compared."""
    return value is default or (value.__class__ in (bool, int, float, str) and value == default)


class Call:
    """A NumPy function, as `answer` computes it on tensors: called as NumPy calls it, or by the answer's own names.

    function: the NumPy function, a ufunc, or (ufunc, method).
    own: how to call the answer by its own signature, if not by calling it.

    What is read of the signatures: `_theirs` are NumPy's parameters, of which those of `_by_place` may stand without a
    name; `_ours` says what the answer calls each, None if it has no such thing. `_own_names` and `_own_places` are the
    answer's. `_many` is said of functions of any number of inputs, `_open` of answers that take any option.
    """

    def __init__(self, function: Any, answer: Any, own: Callable[..., Any] | None = None) -> None:
        self.function = function
        self.answer = answer
        self.own = answer if own is None else own
        plan = getattr(answer, "plan", None)
        self._bind = None if plan is None else plan.own  # looked up once, so that a call need not go through `own`
        self.name = f"{function[0].__name__}.{function[1]}" if isinstance(function, tuple) else function.__name__
        self.direct = -1  # so many arguments by position mean the same to NumPy and to the answer; −1: not read yet
        self._same: set[str] = set()  # the names that mean the same to both
        self._always: dict[str, Any] = {}  # what the answer is told, since it has another default
        self._guarded = False  # whether NumPy's sign for what is left out may stand at one of these positions

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The answer to a call: at once, if its arguments mean the same to NumPy and to the answer."""
        try:
            if len(args) <= self.direct:
                for name, value in options.items():
                    if value is NO_VALUE or name not in self._same:
                        break
                else:
                    if not self._guarded:
                        if self._bind is not None:
                            return self.answer.apply(*self._bind(*args, **options))
                        return self.own(*args, **options)
                    if not any(value is NO_VALUE for value in args):
                        return self.own(*args, **{**self._always, **options})
            elif self.direct < 0:
                self._read()
            return self._as_numpy(args, options)
        except Exception as error:
            error.__traceback__ = users_own(error)
            raise

    def _read(self) -> None:
        """Compare the two signatures: what of NumPy's the answer takes, and under which name."""
        own = self.answer.parameters() if hasattr(self.answer, "parameters") else _parameters(self.answer)
        theirs = _of_numpy(self.function) or own
        named = {p.name for p in own}
        shared = {p.name for p in theirs if p.name in named}
        places = [p for p in own if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._theirs = {p.name: p for p in theirs if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        self._by_place = [name for name, p in self._theirs.items() if p.kind is not p.KEYWORD_ONLY]
        self._many = any(p.kind is p.VAR_POSITIONAL for p in theirs)  # f(*xs)
        self._open = any(p.kind is p.VAR_KEYWORD for p in own)
        self._own_names = [p.name for p in own if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        self._own_places = [p.name for p in places]
        self._ours: dict[str, str | None] = {}
        for i, name in enumerate(self._theirs):
            place = places[i].name if i < len(places) and name in self._by_place else None
            self._ours[name] = name if name in named else None if place in shared else place
        same = [self._ours[name] == place for name, place in zip(self._by_place, self._own_places, strict=False)]
        first = [*same, False].index(False)
        self._same = {name for name in self._own_names if self._ours.get(name, name) == name}
        defaults = [self._theirs[name].default for name in self._by_place[:first]]
        self._guarded = any(default is NO_VALUE for default in defaults)
        if isinstance(self.function, tuple):
            self._always, self._guarded = {"axis": 0}, True
            self._theirs["axis"] = self._theirs["axis"].replace(default=inspect.Parameter.empty)
        self.direct = sys.maxsize if self._many else first  # last: other threads may call meanwhile

    def _as_numpy(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The call, with the names that the answer has for its arguments."""
        given = dict(options) if self._many else self._by_name(args, options)
        settings: dict[str, Any] = dict(self._always)
        rest: dict[str, Any] = {}
        for name, value in given.items():
            if value is NO_VALUE:
                continue
            parameter = self._theirs.get(name)
            if parameter is None:
                if name in self._own_names or self._open:
                    settings[name] = value
                elif value is not None:
                    self._refuse(name)
            elif not _is_default(value, parameter.default):
                ours = self._ours[name]
                if ours is None:
                    if not self._changes_nothing(name, value):
                        rest[name] = value
                else:
                    settings[ours] = value
        if self._many:
            inputs = list(args)
        else:
            inputs = []
            for name in self._own_places:
                if name not in settings:
                    break
                inputs.append(settings.pop(name))
        if not rest:
            return self.own(*inputs, **settings)
        return self._with_options(inputs, settings, rest)

    def _changes_nothing(self, name: str, value: Any) -> bool:
        """Whether an option that no op takes has a value that is as good as its default."""
        if name == "initial":
            return value.__class__ in (int, float) and value == IDENTITIES.get(self.name)
        if name == "order":
            return value.__class__ is str and value in ("K", "A", "C")
        return (
            name in ("subok", "overwrite_input")  # of no class below ndarray, and never overwritten
            or (name == "where" and value is True)
            or (name == "device" and value == "cpu")
        )

    def _by_name(self, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
        """All arguments by NumPy's names."""
        if len(args) > len(self._by_place):
            further = [name for name, ours in self._ours.items() if name not in self._by_place and ours is not None]
            raise too_many(self.name, len(self._by_place), len(args), further)
        given = dict(zip(self._by_place, args, strict=False))
        for name, value in options.items():
            if name in given:
                raise TypeError(f"{self.name}() got {name} twice: by position, and by name")
            given[name] = value
        return given

    def _with_options(self, inputs: list[Any], settings: dict[str, Any], rest: dict[str, Any]) -> Any:
        """The call with options that no op takes: the type to compute in, and where to write."""
        out = rest.pop("out", None)
        dtype = rest.pop("dtype", None)
        casting = rest.pop("casting", None)
        signature = rest.pop("signature", None)
        for name in rest:
            self._refuse(name)
        if isinstance(self.function, np.ufunc):
            if dtype is not None:
                signature = (None,) * self.function.nin + (np.dtype(dtype),) * self.function.nout
            if signature is not None or casting is not None:
                n = self.function.nin
                inputs[:n] = self._in_loop(inputs[:n], signature, casting or "same_kind")
        elif dtype is not None:
            dtype = self._dtype(dtype)
            casting = casting or getattr(self._theirs.get("casting"), "default", "unsafe")
            n = len(inputs) if self._many else 1
            inputs[:n] = [self._cast(x, dtype, casting) for x in inputs[:n]]
        result = self.own(*inputs, **settings)
        if dtype is not None and not isinstance(self.function, np.ufunc) and result.dtype != dtype:
            result = np.astype(result, dtype)  # a sum of int8 is an int64
        return result if out is None else into(out if isinstance(out, tuple) else (out,), result, self.name)

    def _dtype(self, dtype: Any) -> Any:
        """The type to compute in."""
        if isinstance(dtype, bool):
            raise TypeError(f"{self.name}() got dtype={dtype}, by position perhaps; write keepdims={dtype} by name")
        return np.dtype(dtype)

    def _cast(self, x: Any, dtype: Any, casting: str) -> Any:
        """An input, or each of a sequence of them, in a type."""
        if isinstance(x, list | tuple):
            return [self._cast(part, dtype, casting) for part in x]
        if not hasattr(x, "dtype") or x.dtype == dtype:
            return x
        if not np.can_cast(x.dtype, dtype, casting):
            raise TypeError(f"{self.name}() does not cast {x.dtype} to {dtype}; write casting='unsafe', or t.astype")
        return np.astype(x, dtype)

    def _in_loop(self, inputs: list[Any], signature: Any, casting: str) -> list[Any]:
        """The inputs of a ufunc, in the types of the loop that NumPy would choose."""
        wanted = {} if signature is None else {"signature": signature}
        arrays = [np.asarray(x) if isinstance(x, list | tuple) else x for x in inputs]
        kinds = [self._kind(x) for x in arrays]
        try:
            loop = self.function.resolve_dtypes((*kinds, *[None] * self.function.nout), casting=casting, **wanted)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}; write t.astype(dtype), or casting='unsafe'") from None
        return [
            np.astype(x, kind) if hasattr(x, "dtype") and x.dtype != kind and not isinstance(x, np.generic) else x
            for x, kind in zip(arrays, loop, strict=False)
        ]

    def _kind(self, x: Any) -> Any:
        """The type of an input, for NumPy to choose a loop by: numbers are weak, NumPy's own too."""
        if isinstance(x, np.generic):
            x = x.item()
        if x.__class__ in (int, float, complex):
            return x.__class__
        return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype

    def _refuse(self, name: str) -> NoReturn:
        """Say that there is no such option, what there is, and what to write."""
        takes = [
            theirs
            for theirs, ours in list(self._ours.items())[not self._many :]
            if (ours is not None or theirs in DONE_HERE)
            and self._theirs[theirs].kind is not inspect.Parameter.POSITIONAL_ONLY
        ]
        takes += [ours for ours in self._own_names if ours not in self._ours and ours not in self._ours.values()]
        ours = OUR_NAMES.get(name, "")
        cure = f"write {ours}=" if self._ours.get(ours) else CURES.get(name, "leave it out, or compute on t.numpy()")
        if name == "where" and isinstance(self.function, np.ufunc):
            cure = f"write np.where(mask, np.{self.name}(…), other)"
        raise TypeError(f"{self.name}() on a Tensor takes {', '.join(takes) or 'no settings'}, not {name}=; {cure}")


@watched
def into(out: tuple[Any, ...], result: Any, name: str) -> Any:
    """Write the result of `np.f(..., out=array)`; refuse where that would lose a record."""
    if len(out) > 1:
        raise TypeError(f"np.{name} of a tensor has no out=; write the results to names: a, b = np.{name}(...)")
    (target,) = out
    if isinstance(target, NumPyProtocols):
        raise TypeError(
            f"np.{name} got out={target.describe()}; a tensor is not written by a function: write t = np.{name}(...)"
        )
    if isinstance(result, NumPyProtocols):
        if result.op is not None:
            raise RuntimeError(
                f"np.{name} was to be recorded, but out= is an array outside the graph; leave out=, or compute inside no_grad()"
            )
        result = result.ndarray
    np.copyto(target, result, casting="same_kind")
    return target
