"""Op: an operation, declared once.

A declaration holds the forward function, the symbol that figures draw, one gradient rule per input, and
examples. A rule is a plain NumPy expression: `g` is the incoming gradient ∂L/∂y, `y` the output, then the
inputs, and the settings as keywords. Run on arrays it computes, on tensors it records, on symbols it prints:

    multiply = ufunc(np.multiply, symbol="×",
                     vjp=(lambda g, y, a, b: g * b,
                          lambda g, y, a, b: g * a))

So a rule uses operators, the attributes `shape ndim dtype size T mT`, NumPy functions, `math` and other ops;
never `.data`, never a type test. From the examples alone the tests derive values, first and second
derivatives, dtypes, aliasing and the rest (`tinygrad_edu.testing.check_op`).

A new op of one's own:

>>> import numpy as np
>>> import tinygrad_edu as tg
>>> from tinygrad_edu.op import example, op
>>> @op(symbol="cube", vjp=(lambda g, y, x: g * 3 * x**2,), examples=[example((3,)), example((2, 1))])
... def cube(x):
...     \"""y = x³, elementwise.\"""
...     return x * x * x
>>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
>>> cube(x).sum().backward()
>>> x.grad.tolist()
[3.0, 12.0]
>>> cube.formula(0)
'∂L/∂x = ∂L/∂y ⊙ 3x²'
"""

from __future__ import annotations

import inspect
import pickle
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial, wraps
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from tinygrad_edu.engine.attached import Attached
from tinygrad_edu.engine.calls import Call
from tinygrad_edu.engine.example import (
    At,
    Domain,
    Example,
    real,
)
from tinygrad_edu.engine.node import NUMBERS, as_arrays
from tinygrad_edu.engine.origins import Origin, node_of
from tinygrad_edu.engine.plans import EMPTY, CallPlan
from tinygrad_edu.engine.recording import RECORDING, SCOPE
from tinygrad_edu.engine.refusals import explained, has_nan, here, refuse_masked
from tinygrad_edu.engine.registry import ANSWERS, COMPOSITES, NO_SETTINGS, OPS, UFUNCS, tick
from tinygrad_edu.engine.rules import ByResult, Joint, Positions, Rule, rules_of
from tinygrad_edu.engine.source import declared, place
from tinygrad_edu.engine.tables import is_table, of_list, table
from tinygrad_edu.engine.tensor import Tensor, new_leaf

if TYPE_CHECKING:
    from tinygrad_edu.engine.signatures import Declares, declares_ops, declares_ufuncs
else:
    declares_ops = declares_ufuncs = lambda function: function

Declared = TypeVar("Declared", bound="Op")
Presence = (
    Literal["selects", "rectifies", "moves", "linear", "tame", "elementwise", "product", "ends"] | Callable[..., Any]
)

_array = np.ndarray
_new = object.__new__
SAY_NOTHING = ("Any", Any, "Array", "ArrayLike", "Array | Sequence[Array]")


# ---------------------------------------------------------------------------------------------------
# The declaration


class _OfInstances:
    """An attribute computed when it is looked up on an instance; the class has none, so that its own signature and source
    are those of the class."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            raise AttributeError("only instances have this attribute")
        return self._compute(instance)


class Op:
    """A differentiable operation on arrays and tensors. Declared with `op` or `ufunc`, called like a function.

    What it is:

    forward: arrays (and settings as keywords) to an array, or to a tuple of them. It depends on nothing else.
    name, symbol: what errors and figures call it; symbol may be a function of the settings.
    doc: its docstring, if forward has none that says it.
    arity: how many arguments are inputs. Left out: as many as there are rules.
    bind: the arguments as the caller writes them, to `(inputs, settings)`. Left out: the first `arity`
        arguments of `forward` are inputs, the others settings.
    outputs: how many results a tuple-valued forward shows; what it returns beyond them is for the rules.
    results: what makes them into what the caller gets: a tuple, or a named one (`EighResult._make`).
    ignores: names of options that say nothing here and are accepted, such as `inplace`: results have memory of their own.
    answers: the NumPy functions, ufuncs and (ufunc, method) pairs that this op stands for on tensors.
    spelled: how formulas print it, `spelled(s, *xs)`: of the inputs as expressions, which add and multiply as numbers do,
        another one, such as a + b; `s` has what else there is to print (`formula.Spelling`). Left out, as a call,
        name(x); of nothing but numbers, as the number that it gives, or, if it is "by name", as a call all the same.

    Its derivative:

    vjp (kept as `rules`): one rule for each input (None where there is no derivative); a single function, given the input's
        position first, for any number of inputs; None for an op that has no derivative at all. Of an op with several
        results, an input may have a tuple of rules, one by each result: g is then that result's cotangent alone, and
        only the rules of results that have one are run. A rule that stands there for several results gets a tuple of
        theirs. `Joint(rule, count)` of an op with several results: one function that gives the gradients by all inputs.
    formulas: what `formula` prints for each input (the last for all further ones) where the rule is an algorithm rather
        than a formula: a sentence, "∂L/∂x = …", or the rule in its plainest form, a function like the rule itself, or
        a pair of both: the sentence for `formula`, the plain rule for the formulas of a whole record.
    symmetric: the input is a matrix taken for symmetric, so forward may read either of xᵢⱼ and xⱼᵢ: the gradient is by
        both at once, and symmetric.
    presence: which elements of an input are present, that is, reached by a path on which no selection dropped them, given
        those of the result; what is absent sends nothing back, even where its own derivative is ∞ or NaN. One for all
        inputs or a tuple of them:
        "selects": where its rule has 0, it drops. Its rule maps what is present of y to what is present of x.
        "rectifies": the same, by its input, as activations and max pooling do in every layer. In a recorded walk what nothing
            else dropped is present again before a product, or what else joins elements: to look for NaN there would cost
            each layer of a replayed net a few percent.
        "moves": elements, or adds them up. Its rule maps likewise, but drops nothing by itself.
        "linear": an element of y hangs on those of the inputs at its own place, with a slope that is never ∞ or NaN.
        "elementwise": the same, with any slope; "tame": with one that is finite where y is.
        "product": y is linear in each input, y = B(a, b), with nonnegative factors before the products.
        a function (present, i, *inputs, **settings) to a mask that broadcasts with input i: what hangs together is
            present together.
        "ends": an input is present if anything of y is. It is right of any op.
    drops: whether the op drops elements. Left out, it does if it selects or rectifies.

    How it runs:

    broadcasts: the inputs are broadcast together, so gradients are summed back by the engine.
    view: the result may share memory with the first input.
    takes_out: forward(..., out=array) writes its result there, or with several outputs, hidden ones too, out=(array, …).
        If forward takes `scratch` as well, an array of the shape that the inputs broadcast to and of the type of the
        result saves it from making one to compute in.
    may_raise: whether forward may raise over the values of its inputs, such as a class number out of range. Left out: False
        for an op that takes `out`, else True.
    advice: what is wrong with inputs of these shapes and what to type, or None: said instead of NumPy's ValueError.

    How it is tested:

    examples, domain, special: what the tests draw from; domain is one for all inputs or a tuple of them.
    analytic: the forward is complex-differentiable, so tests may judge it by a complex step.
    refuses: settings that are there to be refused off their default, each with a value that raises: {"order": "F"}.
    """

    selects = False  # whether its gradient goes to one place of a node with several results: `item`
    folds = False  # whether each node stands for a record of its own, its setting `fold`: `FoldedOp`

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        # what it is
        name: str | None = None,
        symbol: str | Callable[..., str] | None = None,
        doc: str | None = None,
        arity: int | None = None,
        bind: Callable[..., tuple[tuple[Any, ...], dict[str, Any]]] | None = None,
        outputs: int | None = None,
        results: Callable[[Any], Any] = tuple,
        ignores: Sequence[str] = (),
        answers: Sequence[Any] = (),
        spelled: Callable[..., Any] | Literal["by name"] | None = None,
        # its derivative
        vjp: tuple[Any, ...] | Rule | Positions | Joint | None = None,
        formulas: Sequence[str | Rule | tuple[str, Rule] | None] | None = None,
        symmetric: bool = False,
        presence: Presence | tuple[Presence, ...] = "ends",
        drops: bool | None = None,
        # how it runs
        broadcasts: bool = False,
        view: bool = False,
        takes_out: bool = False,
        may_raise: bool | None = None,
        advice: Callable[..., str | None] | None = None,
        # how it is tested
        examples: Sequence[Example] = (),
        domain: Domain | tuple[Domain, ...] = real,
        special: Sequence[At] = (),
        analytic: bool = False,
        refuses: dict[str, Any] | None = None,
    ) -> None:
        if not callable(forward):
            raise TypeError(f"an op is declared over a function, but got {type(forward).__name__} {forward!r:.60}")
        self.forward = forward
        self.name: str = name or _named(forward).strip("_")
        self.__name__, self.__doc__ = self.name, doc or forward.__doc__
        self._symbol = symbol if symbol is not None else self.name
        self.outputs, self.results, self.answers, self.spelled = outputs, results, tuple(answers), spelled
        self._place = place()
        # a Python function knows its module, which may be another than that of the helper that declares the op
        written = _inmost(forward)
        self.__module__ = (written.__module__ if isinstance(written, FunctionType) else None) or self._place.module

        each = self._take_rules(vjp)
        self.formulas, self.symmetric, self.presence = formulas, symmetric, presence
        kinds = presence if isinstance(presence, tuple) else (presence,)
        self.drops = not {"selects", "rectifies"}.isdisjoint(kinds) if drops is None else drops

        self.broadcasts, self.view, self.takes_out, self.advice = broadcasts, view, takes_out, advice
        self.may_raise = not takes_out if may_raise is None else may_raise

        self.examples, self.special, self.analytic = tuple(examples), tuple(special), analytic
        self.refuses = refuses or {}
        self.domains: tuple[Domain, ...] = domain if isinstance(domain, tuple) else (domain,)
        inputs = arity if arity is not None or not each else len(each)
        self.plan = CallPlan(self.name, forward, inputs, bind, outputs is not None, frozenset(ignores))
        self.arity, self.takes_scratch = self.plan.arity, self.plan.takes_scratch
        self._call = self._as_numpys()

    def _take_rules(self, vjp: Any) -> tuple[Rule | None, ...]:
        """Keep the rules, and what every walk asks of them; returns those that are one for each input."""
        rules = rules_of(vjp, self.name)
        if not self.folds:
            self.rules: Any = rules
        self.vjp = rules.rule if isinstance(rules, Positions) else rules
        each = rules if isinstance(rules, tuple) else ()
        self.by_result = any(isinstance(rule, ByResult) for rule in each)
        self._partial = None in each
        # whether floating inputs always give a floating result
        self._smooth = rules is not None and not self._partial and isinstance(self.forward, np.ufunc)
        return each

    def _as_numpys(self) -> Call | None:
        """How the op is called: as the first NumPy function that it answers for; None if it is called by its own
        signature alone."""
        functions = [key for key in self.answers if not isinstance(key, tuple)]
        return Call(functions[0], self, self._own) if functions else None

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """As a function, an op is pickled by its name: in the package's table, or in the module that declares it."""
        if OPS.get(self.name) is self:
            return _declared, (self.name, self.__module__)
        module = sys.modules.get(self.__module__)
        name = next((name for name, value in vars(module).items() if value is self), None) if module else None
        if module is None or name is None:
            raise pickle.PicklingError(
                f"{self!r} is pickled by its name, but {module.__name__ if module else 'its module'} has no such op; "
                "declare it at the top of a module, outside functions and classes"
            )
        return _found, (module.__name__, name)

    def __copy__(self) -> Op:
        """An op to change: another object, unlike what `deepcopy` and pickling give."""
        other: Op = object.__new__(type(self))
        vars(other).update(vars(self))
        other._call = other._as_numpys()
        return other

    def __deepcopy__(self, memo: Any) -> Op:
        return self

    # -- looking up: what `inspect`, `help`, doctest and IPython's ?? read -----------------------------

    def __get__(self, instance: Any, owner: Any = None) -> Op:
        """The op itself, also as an attribute of a class. Having this, an op is a routine to `inspect` and `help`."""
        return self

    @_OfInstances
    def __signature__(self) -> inspect.Signature:
        """The inputs and settings. Types that say nothing are left out; so are those of inputs, which may be tensors too."""
        said = [p.replace(annotation=p.empty) if p.annotation in SAY_NOTHING else p for p in self.parameters()]
        return inspect.Signature(said)

    @_OfInstances
    def __wrapped__(self) -> Callable[..., Any]:
        """A function whose source is the declaration."""
        found = declared(self.name, self.forward, self._place)
        if found is None:
            raise AttributeError(
                f"the text of the declaration of {self.name} is not found", name="__wrapped__", obj=self
            )
        return found

    def symbol(self, **settings: Any) -> str:
        """The text that figures write into the circle of a call with these settings."""
        return self._symbol if isinstance(self._symbol, str) else self._symbol(**settings)

    def formula(self, i: int | str = 0, *, latex: bool = False, simplify: bool = True) -> str:
        """The gradient rule of input `i`, a position or a name, printed: the rule itself, run on symbols.

        >>> import tinygrad_edu as tg
        >>> tg.multiply.formula(0)
        '∂L/∂a = ∂L/∂y ⊙ b'
        >>> tg.multiply.formula("b")
        '∂L/∂b = ∂L/∂y ⊙ a'
        """
        from tinygrad_edu.formula import rule_formula  # here, since few programs print formulas

        return rule_formula(self, i, latex=latex, simplify=simplify)

    # -- calling ------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """The op on these arguments: arrays give arrays; a tensor among them makes the result a tensor."""
        plan = self.plan
        if plan.raw and args and args[0].__class__ is _array and not isinstance(args[-1], Tensor):
            try:
                return self.forward(*args, **settings)  # arrays in, array out: a rule that computes
            except TypeError:
                if self._call is None and plan.ignores.isdisjoint(settings):
                    raise
            other = self._call or self._own  # NumPy may have another name for an argument, or an option more
            return other(*args, **settings)
        if plan.direct == len(args) and settings.keys() == plan.settings:
            if not settings:
                return self.apply(args)
            for value in settings.values():
                if value.__class__ is list:
                    break
            else:
                return self.apply(args, settings)
        return self._own(*args, **settings) if self._call is None else self._call(*args, **settings)

    def _own(self, *args: Any, **settings: Any) -> Any:
        """The op, called by its own signature."""
        plan = self.plan
        if plan.direct == len(args) and settings.keys() <= plan.settings:
            settings = {**plan.defaults, **settings}
            for value in settings.values():
                if value.__class__ is list or value is EMPTY:
                    break
            else:
                return self.apply(args, settings or NO_SETTINGS)
        return self.apply(*plan.bind(*args, **settings))

    def parameters(self) -> list[inspect.Parameter]:
        """How the op is called by its own signature: its inputs, then its settings."""
        return self.plan.parameters()

    def apply(self, inputs: tuple[Any, ...], settings: dict[str, Any] = NO_SETTINGS) -> Any:
        """Compute the op on `inputs`, and record it if one of them is to be differentiated."""
        arrays = []
        others = 0
        requires = recorded = computed = False
        for x in inputs:
            if x.__class__ is Tensor or isinstance(x, Tensor):
                arrays.append(x.ndarray)
                if x.needs_grad:
                    requires = True
                elif x.op is not None:
                    recorded = True
                elif x.attached is not None and x.attached.origin is not None:
                    computed = True
            else:
                others += 1
                if x.__class__ is _array or x.__class__ is float or x.__class__ is int:
                    arrays.append(x)
                elif hasattr(x, "__apply_op__"):
                    return x.__apply_op__(self, inputs, settings)
                else:
                    arrays.append(self._array(x))
        if others == len(inputs):
            return self._plainly(inputs, settings)
        try:
            data = self.forward(*arrays, **settings) if settings else self.forward(*arrays)
        except Exception as error:
            raise self._explained(error, inputs, settings) from None
        if data.__class__ is not _array:
            data = as_arrays(data, self.name)
        y: Any = _new(Tensor)  # all that a node has is set below
        y.ndarray = data
        y.held_grad = y.name = y.cell = y.attached = None
        if self.view and self._shares(data, inputs[0]):
            y.cell = inputs[0].shared_cell()
        recording = RECORDING.get()
        if recording.watcher is not None:
            return recording.watcher.computed(self, y, inputs, arrays, settings)
        if recording.enabled and (requires or recorded or computed or recording.everything):
            learns = requires and (self._smooth or self.differentiable(data, inputs))
            if others:
                inputs = as_nodes(inputs, arrays)
            if learns or recorded or recording.holds or recording.everything:
                if computed:
                    inputs = tuple([x if x.attached is None else node_of(x) for x in inputs])
                y.needs_grad = learns
                y.op = self
                y.inputs = inputs
                y.settings = settings
                y.scope = SCOPE.get()
                y.made_at = tick()
            else:  # a result without a derivative is a leaf
                _as_leaf(y)
                y.attached = Attached(Origin(self, inputs, settings))
            if recording.anomaly:
                self.refuse_nan(y, inputs)
        else:
            _as_leaf(y)
        return y if self.outputs is None else self.visible(y)

    def _shares(self, data: Any, x: Any) -> bool:
        """Whether the result lies in the memory of the first input."""
        return isinstance(x, Tensor) and (
            self.selects or self.outputs is not None or np.may_share_memory(data, x.ndarray)
        )

    def _array(self, x: Any) -> Any:
        """An input that is neither tensor nor array: a number stays one, a list becomes an array."""
        if isinstance(x, np.generic):
            return x.item()  # NumPy's scalars are as weak as Python's
        if isinstance(x, np.ndarray):  # one of another kind, such as a memory map
            refuse_masked(x)
            return np.asarray(x)
        if isinstance(x, NUMBERS) or hasattr(x, "__array_function__"):
            return x
        if isinstance(x, list | tuple):
            return of_list(x, f"{self.name}()")
        if is_table(x):
            return table(x, f"{self.name}()")
        raise TypeError(f"{self.name}() takes tensors, arrays and numbers, but got {type(x).__name__} {x!r:.60}")

    def differentiable(self, data: Any, inputs: tuple[Any, ...]) -> bool:
        """Whether the result has a derivative by an input that requires one."""
        if self.vjp is None or self._smooth:
            return self._smooth
        if self.outputs is None and data.dtype.kind != "f":
            if data.dtype.kind == "c":
                raise TypeError(
                    f"{self.name} makes complex numbers, which are not differentiated, of a tensor that requires a gradient; "
                    "compute with real and imaginary parts, or on t.detach()"
                )
            return False
        if not self._partial:
            return True
        for i, x in enumerate(inputs):  # noqa: SIM110 (a loop is sooner done than any())
            if self.rules[i] is not None and isinstance(x, Tensor) and x.needs_grad:
                return True
        return False

    def compute(self, arrays: Sequence[Any], settings: dict[str, Any]) -> Any:
        """The forward function on arrays, always giving arrays."""
        return as_arrays(self.forward(*arrays, **settings), self.name)

    def _plainly(self, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """Compute on arrays alone, without a record: lists become arrays, and the caller gets the visible results."""
        arrays = [
            self._array(x) if x.__class__ is not _array and (isinstance(x, list | tuple) or is_table(x)) else x
            for x in inputs
        ]
        data = self.forward(*arrays, **settings)
        if self.outputs is None:
            return data
        return data[0] if self.outputs == 1 else self.results(data[: self.outputs])

    def visible(self, y: Any) -> Any:
        """The visible results of a tuple-valued node."""
        if y.op is None and y.attached is None:
            parts = [y.constant(part) for part in y.ndarray[: self.outputs]]
            for part in parts:
                part.cell = y.cell
        else:
            parts = [item.apply((y,), {"index": i}) for i in range(len(y.ndarray[: self.outputs]))]
        return parts[0] if self.outputs == 1 else self.results(parts)

    def refuse_nan(self, y: Any, inputs: tuple[Any, ...]) -> None:
        """Raise FloatingPointError if the op made NaN of numbers; and note the line at which it was recorded."""
        y.attachments().line = here()
        if has_nan(y.ndarray) and not any(has_nan(x.ndarray) for x in inputs):
            names = ", ".join(x.describe() for x in inputs)
            raise FloatingPointError(f"{self.name} made NaN out of {names} at {y.attached.line}")

    def _explained(self, error: Exception, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Exception:
        """The same error, naming the op, the caller's tensors and their shapes."""
        named = ", ".join(
            (f"{x.name} " if isinstance(x, Tensor) and x.name else "") + str(np.shape(x.ndarray if isinstance(x, Tensor) else x))
            if not isinstance(getattr(x, "ndarray", None), tuple) else "results"
            for x in inputs
        )  # fmt: skip
        if "key" in settings:  # of an index, as it is written: [1:, ...]
            options = f", {self.symbol(**settings)}"
        else:
            options = "".join(f", {key}={value!r}" for key, value in settings.items() if value is not None)
        said = str(error)
        if isinstance(error, ValueError) and self.advice is not None:
            said = self.advice(*[np.shape(x.ndarray if isinstance(x, Tensor) else x) for x in inputs]) or said
        if self.broadcasts and "broadcast" in said:
            cure = "lengths must be equal or 1, counted from the last axis: reshape, or np.expand_dims"
            said = f"{said.rstrip()}; {cure}"
        return explained(error, f"{self.name}({named}{options}): {said}")


def _inmost(forward: Any) -> Any:
    """A function; of a partial one, the function inside."""
    while isinstance(forward, partial):
        forward = forward.func
    return forward


def _named(forward: Any) -> str:
    """The name of a function."""
    return getattr(_inmost(forward), "__name__", type(_inmost(forward)).__name__)


def _declared(name: str, module: str = "") -> Op:
    """The op of the package that was pickled by this name, and was declared in this module then."""
    if name not in OPS and module:  # a page that is loaded when it is needed
        with suppress(ImportError):  # it may have another name today
            import_module(module)
    if name not in OPS:
        raise pickle.UnpicklingError(f"no op {name!r} is declared; import the module that declares it first")
    return OPS[name]


def _found(module: str, name: str) -> Any:
    """The op of a user's module that was pickled by this name."""
    found = getattr(import_module(module), name, None)
    if found is None:
        raise pickle.UnpicklingError(
            f"the op {name!r} was pickled by its name, and is not in {module} here; declare it at the top of a module that can be "
            "imported, rather than in a notebook or script"
        )
    return found


def _as_leaf(y: Tensor) -> None:
    """Set what says of a leaf that no op led to it."""
    y.needs_grad = False
    y.op = y.scope = None
    y.inputs = ()
    y.settings = NO_SETTINGS
    y.made_at = 0


def as_nodes(inputs: Sequence[Any], arrays: Sequence[Any]) -> tuple[Tensor, ...]:
    """The inputs, whose arrays these are, with a leaf for each that is not a tensor."""
    return tuple([x if isinstance(x, Tensor) else leaf_of(a, arrays) for x, a in zip(inputs, arrays, strict=True)])


def leaf_of(a: Any, arrays: Sequence[Any]) -> Tensor:
    """An input that is not a tensor, as a leaf. A number is kept in the dtype that the op computed in; a truth value stays
    one, for it may be a condition, and beside numbers counts as 0 or 1 of their type.
    """
    if hasattr(a, "dtype"):
        if a.dtype.kind not in "biufc":
            raise TypeError(f"a Tensor holds numbers, and cannot be combined with an array of {a.dtype}")
        return new_leaf(a)
    if a.__class__ is bool:
        return new_leaf(np.asarray(a))
    other = arrays[1 if arrays[0] is a else 0]
    floats = len(arrays) == 2 and a.__class__ is not complex and other.dtype.kind == "f"
    return new_leaf(np.asarray(a, dtype=other.dtype if floats else np.result_type(*arrays)))


# ---------------------------------------------------------------------------------------------------
# Declaring


def declare(declared: Declared) -> Declared:
    """Enter an op into the table: its name, and the NumPy functions it answers for."""
    OPS[declared.name] = declared
    ANSWERS[declared.name] = declared
    for key in declared.answers:
        ANSWERS[key] = Call(key, declared, declared._own)
    return declared


@declares_ops
def op(*forward: Any, **declaration: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare the decorated forward function as an op; the arguments are those of `Op`.

    Inside the package the op also enters the table; a user's own op is called by its own name.
    """
    if forward:
        name = getattr(forward[0], "__name__", "f")
        raise TypeError(f"@op takes what the op is declared by: write @op(vjp=(lambda g, y, x: …,)) above {name}")

    def decorate(forward: Callable[..., Any]) -> Op:
        made = Op(forward, **declaration)
        return declare(made) if str(getattr(forward, "__module__", None)).startswith("tinygrad_edu.") else made

    return decorate


@declares_ufuncs
def ufunc(
    function: np.ufunc,
    symbol: str | Callable[..., str],
    vjp: tuple[Rule | None, ...] | None,
    doc: str,
    **declaration: Any,
) -> Op:
    """Declare a NumPy ufunc as an op: it broadcasts, takes `out`, and answers for itself."""
    usual = {
        "name": function.__name__,
        "answers": (function,),
        "arity": function.nin,
        "broadcasts": True,
        "takes_out": True,
    }
    made = declare(Op(function, symbol=symbol, vjp=vjp, doc=doc, **{**usual, **declaration}))
    if function in made.answers:
        UFUNCS[function] = made.apply
    return made


def composite(
    *,
    answers: Sequence[Any] = (),
    examples: Sequence[Example] = (),
    domain: Any = real,
    analytic: bool = False,
    formulas: Sequence[Any] | None = None,
    refuses: dict[str, Any] | None = None,
) -> Declares:
    """Declare a function written in other ops as the answer for NumPy functions, with examples to test it by.

    Its `formula` is that of its parts, run on symbols, or, where that is hard to read, one of the sentences in
    `formulas`, one for each input (the last for all further ones).
    """

    def decorate(function: Any) -> Any:
        def formula(i: int | str = 0, *, latex: bool = False, simplify: bool = True) -> str:
            """What comes back to input `i`, a position or a name, printed: the rules of the parts, run on symbols."""
            from tinygrad_edu.formula import composite_formula  # here, since few programs print formulas

            return composite_formula(function, i, latex=latex, simplify=simplify)

        function.formula = formula
        function.formulas = formulas
        function.name = function.__name__
        function.examples = tuple(examples)
        function.domains = domain if isinstance(domain, tuple) else (domain,)
        function.analytic = analytic
        function.refuses = refuses or {}
        function.answers = tuple(answers)
        calls = {key: Call(key, function) for key in answers}
        ANSWERS.update(calls)
        made = _as_numpys(calls[answers[0]]) if answers else function
        COMPOSITES[function.name] = ANSWERS[function.name] = made
        return made

    return decorate


def _as_numpys(call: Call) -> Any:
    """A composite as it is called from outside: by its own signature, or by that of the NumPy function."""
    function = call.own

    @wraps(function)
    def called(*args: Any, **settings: Any) -> Any:
        return call(*args, **settings) if settings or len(args) > call.direct else function(*args)

    return called


class Item(Op):
    """An op whose gradient goes to one place of a node with several results."""

    selects = True


item = declare(
    Item(
        lambda x, index: x[index],
        name="item",
        doc="One of the results of an op that has several.",
        spelled=lambda s, x: s.make("index", x, data=str(s.settings["index"])),
        vjp=(lambda g, y, x, *, index: g,),
        presence="linear",
        view=True,
        may_raise=False,
    )
)


@op(symbol="=", vjp=(None,), view=True, may_raise=False)
def alias(x: Any) -> Any:
    """y = x in the same memory, without a derivative: what `detach()` is where all must be recorded."""
    return x[...]
