"""NumPy's functions, called on tensors in every way that NumPy's own signatures allow.

The calls are derived: from NumPy's signatures, and from the examples of the op that answers.
"""

import inspect
import warnings

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor
from tinygrad_edu.engine.calls import Call
from tinygrad_edu.engine.registry import COMPOSITES, OPS

METHODS = {
    "reduce": "(array, /, axis=0, dtype=None, out=None, keepdims=False, initial=np._NoValue, where=True)",
    "accumulate": "(array, /, axis=0, dtype=None, out=None)",
}


UNTOLD = {
    np.concatenate: "arrays, /, axis=0, out=None, *, dtype=None, casting='same_kind'",
    np.dot: "a, b, out=None",
    np.inner: "a, b, /",
    np.vdot: "a, b, /",
    np.where: "condition, x=None, y=None, /",
}


def _signature(text):
    """The signature that is written so."""
    return inspect.signature(eval(f"lambda {text[1:-1]}: None", {"np": np}))


def signature(key):
    """The signature of a NumPy function, of a ufunc, or of a method of one."""
    if isinstance(key, tuple):
        return _signature(METHODS[key[1]])
    if not isinstance(key, np.ufunc):
        try:
            return inspect.signature(key)
        except ValueError:  # an old NumPy does not tell that of a function which is not written in Python
            return _signature(f"({UNTOLD[key]})")
    inputs = ", ".join(f"x{i}" for i in range(key.nin))
    own = "axes=np._NoValue, axis=np._NoValue, keepdims=False" if key.signature else "where=True"
    return _signature(f"({inputs}, /, out=None, *, {own}, casting='same_kind', order='K', dtype=None, subok=True)")


def called(key):
    return getattr(*key) if isinstance(key, tuple) else key


def name_of(key):
    if isinstance(key, tuple):
        return f"{key[0].__name__}.{key[1]}"
    if isinstance(key, np.ufunc):
        return key.__name__
    return f"{key.__module__.removeprefix('numpy.')}.{key.__name__}".removeprefix("numpy.")


def _examples(key, op):
    """Arguments that NumPy's function takes, from the op's examples: at most three, of different settings."""
    found = {}
    for example in op.examples:
        args, settings = example.draw(np.random.default_rng(0), op.domains)
        try:
            with np.errstate(all="ignore"):
                called(key)(*args, **settings)
            bound = signature(key).bind(*args, **settings)
        except Exception:
            continue
        found.setdefault(tuple(bound.arguments), bound)
    return list(found.values())[:3]


SKIPPED = {"put", "place", "putmask", "put_along_axis", "copyto", "fill_diagonal"}  # they write, and are refused

KEYS = {
    name_of(key): (key, answer)
    for table in (OPS, COMPOSITES)
    for answer in table.values()
    for key in answer.answers
    if (isinstance(key, np.ufunc | tuple) or key.__module__.startswith("numpy")) and name_of(key) not in SKIPPED
}
KEYS["logaddexp.reduce"] = (np.logaddexp, "reduce"), OPS["logsumexp"]


def forms(key, bound, parameters=None):
    """Ways to write one call: how it is called, the positional arguments, the named ones."""
    parameters = signature(key).parameters if parameters is None else parameters
    given = dict(bound.arguments)
    extra = given.pop(next((p.name for p in parameters.values() if p.kind is p.VAR_KEYWORD), None), {})

    def written(values, *, named):
        args, kwargs = [], dict(extra)
        for p in parameters.values():
            if p.name not in values:
                named = named or p.kind is p.POSITIONAL_OR_KEYWORD  # what follows a gap goes by name
            elif p.kind is p.VAR_POSITIONAL:
                args.extend(values[p.name])
            elif p.kind is p.KEYWORD_ONLY or (named and p.kind is not p.POSITIONAL_ONLY):
                kwargs[p.name] = values[p.name]
            else:
                args.append(values[p.name])
        return args, kwargs

    defaults = {p.name: p.default for p in parameters.values() if p.default is not p.empty and p.name not in given}
    if isinstance(key, np.ufunc) and key.nout > 1:
        del defaults["out"]
    if defaults.get("axes", 0) is np._NoValue:  # a default that NumPy itself refuses when it is written
        defaults = {name: value for name, value in defaults.items() if name not in ("axes", "axis")}
    if "ddof" in given or "correction" in given:
        defaults.pop("correction", 0)
    yield "by position", *written(given, named=False)
    yield "by name", *written(given, named=True)
    for name, value in defaults.items():
        yield f"{name} spelled out", *written({**given, name: value}, named=False)
    yield "all spelled out", *written({**given, **defaults}, named=True)
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        yield "all by position", *written({**given, **defaults}, named=False)


def of_tensors(value, requires_grad):
    if isinstance(value, list | tuple):
        return type(value)([of_tensors(part, requires_grad) for part in value])
    if isinstance(value, dict):
        return {key: of_tensors(part, requires_grad) for key, part in value.items()}
    if isinstance(value, np.ndarray) and (value.dtype.kind == "f" or not requires_grad):
        return Tensor(value.copy(), requires_grad=requires_grad)
    return value


def flat(result):
    if isinstance(result, tuple | list):
        return [part for y in result for part in flat(y)]
    return [result.numpy() if isinstance(result, Tensor) else np.asarray(result)]


def alike(got, expected):
    got, expected = flat(got), flat(expected)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6 if b.dtype == np.float32 else 1e-12, atol=1e-12)


def is_recorded(result):
    return any(getattr(y, "op", None) is not None for y in (result if isinstance(result, tuple | list) else [result]))


def gives_floats(result):
    return any(np.asarray(y).dtype.kind == "f" for y in (result if isinstance(result, tuple | list) else [result]))


def has_floats(value):
    if isinstance(value, list | tuple):
        return any(map(has_floats, value))
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def calls_of(name):
    """Each way to call one function: what to call it in an error, its arguments, and what NumPy makes of them."""
    key, answer = KEYS[name]
    for bound in _examples(key, answer):
        for how, args, kwargs in forms(key, bound):
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    expected = called(key)(*args, **kwargs)
            except Exception:  # NumPy itself refuses this default when it is written out
                continue
            yield how, args, kwargs, expected


def check(name, call, how, args, kwargs, expected):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            got = call(*args, **kwargs)
            alike(got, expected)
        except Exception as error:
            raise AssertionError(f"{name}, {how}: {error!r}") from error
    return got


@pytest.mark.parametrize("name", KEYS)
def test_called_as_numpy_is_called(name):
    key, answer = KEYS[name]
    for how, args, kwargs, expected in calls_of(name):
        call = called(key)
        check(name, call, how, of_tensors(args, False), of_tensors(kwargs, False), expected)
        if has_floats(args) or has_floats(list(kwargs.values())):
            got = check(name, call, how, of_tensors(args, True), of_tensors(kwargs, True), expected)
            assert is_recorded(got) or answer.name in UNRECORDED or not gives_floats(expected), (name, how)


@pytest.mark.parametrize(
    "name", [name for name, (key, _) in KEYS.items() if not isinstance(key, tuple) and name != "fix"]
)
def test_the_packages_functions_are_called_as_numpys_too(name):
    _, answer = KEYS[name]
    ours = getattr(tg.linalg if name.startswith("linalg.") else tg, name.removeprefix("linalg."), answer)
    for how, args, kwargs, expected in calls_of(name):
        if "order" in kwargs and kwargs["order"] is None:
            continue
        check(f"tg.{name}", ours, how, of_tensors(args, False), of_tensors(kwargs, False), expected)


def test_every_function_is_called_in_many_ways():
    ways = [how for name in KEYS for how, *_ in calls_of(name)]
    assert len(KEYS) >= 225
    assert len(ways) >= 2500
    assert all(any(True for _ in calls_of(name)) for name in KEYS)


# ---------------------------------------------------------------------------------------------------
# Methods

NDARRAY = {
    "all": "axis=None, out=None, keepdims=False, *, where=True",
    "any": "axis=None, out=None, keepdims=False, *, where=True",
    "argmax": "axis=None, out=None, *, keepdims=False",
    "argmin": "axis=None, out=None, *, keepdims=False",
    "argsort": "axis=-1, kind=None, order=None, *, stable=None",
    "astype": "dtype, order='K', casting='unsafe', subok=True, copy=True",
    "choose": "choices, /, *, out=None, mode='raise'",
    "clip": "min=None, max=None, out=None",
    "compress": "condition, axis=None, out=None",
    "copy": "order='C'",
    "cumprod": "axis=None, dtype=None, out=None",
    "cumsum": "axis=None, dtype=None, out=None",
    "diagonal": "offset=0, axis1=0, axis2=1",
    "dot": "other, /, out=None",
    "flatten": "order='C'",
    "max": "axis=None, out=None, keepdims=False, *, where=True",
    "mean": "axis=None, dtype=None, out=None, keepdims=False, *, where=True",
    "min": "axis=None, out=None, keepdims=False, *, where=True",
    "nonzero": "",
    "prod": "axis=None, dtype=None, out=None, keepdims=False, initial=1, where=True",
    "ravel": "order='C'",
    "repeat": "repeats, axis=None",
    "reshape": "shape, /, *, order='C', copy=None",
    "round": "decimals=0, out=None",
    "squeeze": "axis=None",
    "std": "axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True",
    "sum": "axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True",
    "swapaxes": "axis1, axis2, /",
    "take": "indices, axis=None, out=None, mode='raise'",
    "trace": "offset=0, axis1=0, axis2=1, dtype=None, out=None",
    "transpose": "axes=None, /",
    "var": "axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True",
}
"""The methods of an array, and how NumPy's manual calls them."""

GIVEN = {
    "astype": [{"dtype": np.float32}],
    "choose": [{"choices": [np.ones((3, 3)), np.zeros((3, 3))]}],
    "clip": [{"min": -0.5}, {"min": -0.5, "max": 0.5}],
    "compress": [{"condition": [True, False, True], "axis": 1}],
    "diagonal": [{}, {"offset": 1}],
    "dot": [{"other": np.arange(3.0)}],
    "repeat": [{"repeats": 2}, {"repeats": 2, "axis": 0}],
    "reshape": [{"shape": (9,)}, {"shape": -1}],
    "round": [{}, {"decimals": 1}],
    "squeeze": [{}],
    "swapaxes": [{"axis1": 0, "axis2": 1}],
    "take": [{"indices": [0, 2]}, {"indices": [0, 2], "axis": 1}, {"indices": [0, 11], "mode": "wrap"}],
    "trace": [{}, {"offset": 1}, {"dtype": np.float32}],
    "transpose": [{}, {"axes": (1, 0)}],
    "std": [{}, {"ddof": 1}, {"axis": 0, "keepdims": True}, {"dtype": np.float32}],
    "var": [{}, {"ddof": 1}, {"axis": 0, "keepdims": True}, {"dtype": np.float32}],
    "sum": [{}, {"axis": 1}, {"axis": (0, 1), "keepdims": True}, {"axis": 0, "dtype": np.float32}],
    "cumsum": [{}, {"axis": 1}, {"axis": 0, "dtype": np.float32}],
    **{name: [{}] for name in ("nonzero", "ravel", "flatten", "copy")},
}


@pytest.mark.parametrize("name", NDARRAY)
def test_a_method_is_called_as_that_of_an_array(name):
    parameters = _signature(f"({NDARRAY[name]})")
    x = np.random.default_rng(0).standard_normal((3, 3))
    if name == "choose":
        x = (x > 0).astype(int)
    count = 0
    for given in GIVEN.get(name, [{}, {"axis": 1}]):
        bound = parameters.bind(**{k: v for k, v in given.items() if parameters.parameters[k].kind > 0}) if not any(
            p.kind is p.POSITIONAL_ONLY for p in parameters.parameters.values()
        ) else parameters.bind(*given.values())  # fmt: skip
        for how, args, kwargs in forms(name, bound, parameters.parameters):
            try:
                expected = getattr(x, name)(*args, **kwargs)
            except TypeError:  # NumPy itself refuses out=None by position
                assert how == "all by position"
                continue
            for requires_grad in (False, True):
                t = Tensor(x.copy(), requires_grad=requires_grad and x.dtype.kind == "f")
                check(f"t.{name}", getattr(t, name), how, args, kwargs, expected)
                count += 1
    assert count >= (2 if name == "nonzero" else 4)


# ---------------------------------------------------------------------------------------------------
# The type to compute in


def _has_floating_loop(key):
    """Whether a function that takes dtype= makes floating numbers of floating ones."""
    if "dtype" not in signature(key).parameters or key is np.astype or name_of(key).startswith("logical"):
        return False
    floats = (np.dtype(float),) * getattr(key, "nin", 0)
    try:
        return not floats or key.resolve_dtypes((*floats, *[None] * key.nout))[-1].kind == "f"
    except TypeError:  # bits are of integers
        return False


@pytest.mark.parametrize("name", [name for name, (key, _) in KEYS.items() if _has_floating_loop(key)])
def test_dtype_is_what_it_is_computed_in_and_gradients_keep_the_type_of_the_input(name):
    key, answer = KEYS[name]
    for bound in _examples(key, answer):
        args, kwargs = list(bound.args), dict(bound.kwargs)
        if not has_floats(args):
            continue
        try:
            with np.errstate(all="ignore"):
                expected = called(key)(*args, **{**kwargs, "dtype": np.float32})
        except TypeError:  # float_power has no such loop
            with pytest.raises(TypeError):
                called(key)(*of_tensors(args, True), **{**kwargs, "dtype": np.float32})
            continue
        tensors = of_tensors(args, True)
        got = check(name, called(key), "dtype=float32", tensors, {**kwargs, "dtype": np.float32}, expected)
        plain = of_tensors(args, True)
        if isinstance(got, tuple) or answer.name in STEPS:
            continue
        got.sum().backward()
        called(key)(*plain, **kwargs).sum().backward()
        for a, b in zip(leaves(tensors), leaves(plain), strict=True):
            assert a.grad.dtype == np.float64
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)


def leaves(value):
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value] if isinstance(value, Tensor) else []


STEPS = {name for name, op in OPS.items() if op.vjp is None}
UNRECORDED = STEPS | {"histogram", "histogram_bin_edges"}  # edges that are given are of no graph


def test_integers_are_added_up_in_the_type_that_is_asked_for():
    x = np.array([100, 100, 100], np.int8)
    t = Tensor(x)
    for f in (np.sum, np.prod, np.cumsum, np.cumprod, np.add.reduce, np.add.accumulate):
        for dtype in (np.int8, np.int16, float, bool):
            got, expected = f(t, dtype=dtype), f(x, dtype=dtype)
            assert got.dtype == expected.dtype
            assert np.array_equal(got.numpy(), expected), (f, dtype)
    assert np.einsum("i->", t, dtype=np.int64).item() == 300
    assert np.mean(t, dtype=np.float32).dtype == np.float32
    assert tg.sum(t, 0, np.float32).dtype == t.sum(0, np.float32).dtype == np.float32


# ---------------------------------------------------------------------------------------------------
# What is refused


OFF = {
    "where": np.array(False), "initial": 3.0, "order": "F", "hermitian": True, "mean": 0.0, "device": "gpu", "axes": [0],
}  # fmt: skip
"""Options that no op takes, off their default."""

TAKEN = {
    *[(name, "axes") for name in ("transpose", "permute_dims", "rot90", "tensordot", "linalg.tensordot", "linalg.tensorsolve")],
    *[("cross", "axis"), ("reshape", "order"), ("ravel", "order"), ("pad", "mode")],
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, (key, _) in KEYS.items() if OFF.keys() & signature(key).parameters])
def test_what_is_refused_is_named_with_what_there_is_and_what_to_write(name):
    key, answer = KEYS[name]
    bound = _examples(key, answer)[0]
    for option, value in OFF.items():
        if option not in signature(key).parameters or (name, option) in TAKEN:
            continue
        position = list(signature(key).parameters).index(option)
        with pytest.raises(TypeError) as caught:
            called(key)(*of_tensors(list(bound.args)[:position], False), **{**bound.kwargs, option: value})
        said = str(caught.value)
        assert said.startswith(f"{name.removeprefix('linalg.')}() on a Tensor takes ")
        assert f"not {option}=; " in said


def test_out_by_position_or_by_name_writes_an_array():
    x = np.arange(6.0).reshape(2, 3)
    for call in (
        lambda t, out: np.sum(t, 0, None, out),
        lambda t, out: t.sum(0, None, out),
        lambda t, out: tg.sum(t, 0, out=out),
        lambda t, out: np.max(t, 0, out),
        lambda t, out: np.nansum(t, axis=0, out=out),
        lambda t, out: np.add.reduce(t, 0, None, out),
        lambda t, out: np.add(t[0], 0, out),
        lambda t, out: np.clip(t[1], 0, 9, out),
        lambda t, out: t[1].clip(0, 9, out),
        lambda t, out: np.fix(t[1], out),
        lambda t, out: np.concatenate([t[0, :1], t[1, 1:]], 0, out),
    ):
        expected = call(x, np.zeros(3))
        out = np.zeros(3)
        assert call(Tensor(x), out) is out
        assert np.array_equal(out, expected)
        with pytest.raises(RuntimeError, match="out= is an array outside the graph"):
            call(Tensor(x, requires_grad=True), np.zeros(3))
        with pytest.raises(TypeError, match="a tensor is not written by a function"):
            call(Tensor(x), Tensor(np.zeros(3)))


def test_an_argument_given_twice():
    with pytest.raises(TypeError, match=r"sum\(\) got axis twice: by position, and by name"):
        tg.sum(tg.ones(2), 0, axis=0)
    with pytest.raises(TypeError, match=r"sum\(\) got a twice: by position, and by name"):
        tg.sum(tg.ones(2), a=tg.ones(2))


def test_what_is_plain_may_have_vectors_that_have_no_derivative():
    for shape in ((3, 2), (2, 4), (2, 3, 2)):
        x = np.random.default_rng(0).standard_normal(shape)
        u, s, vh = np.linalg.svd(Tensor(x))
        for got, expected in zip((u, s, vh), np.linalg.svd(x), strict=True):
            assert np.array_equal(got.numpy(), expected)
        q, r = np.linalg.qr(Tensor(x), mode="complete")
        for got, expected in zip((q, r), np.linalg.qr(x, mode="complete"), strict=True):
            assert np.array_equal(got.numpy(), expected)
        t = Tensor(x, requires_grad=True)
        u, s, vh = np.linalg.svd(t)  # the singular values have one
        np.testing.assert_allclose(tg.grad((s**3).sum(), t), tg.grad((np.linalg.svdvals(t) ** 3).sum(), t), atol=1e-12)
        for part in (u, vh):
            with pytest.raises(ValueError, match=r"svd\(\) of shape .* pass full_matrices=False"):
                tg.grad(part.sum(), t)


def test_the_rank_of_each_matrix_of_a_stack():
    x = np.random.default_rng(0).standard_normal((2, 3, 2))
    for options in ({"rtol": np.array([1e-10, 0.9])}, {"rcond": np.array([0.9, 1e-10])}, {"rtol": Tensor([0.9, 0.9])}):
        numbers = {name: np.asarray(value) for name, value in options.items()}
        got = np.linalg.pinv(Tensor(x, requires_grad=True), **options)
        np.testing.assert_allclose(got.numpy(), np.linalg.pinv(x, **numbers), atol=1e-12)


def test_shifts_in_place():
    with tg.no_grad():
        t = kept = Tensor([1, 2, 12])
        t <<= np.array([1, 0, 2])
        assert t is kept
        assert kept.tolist() == [2, 2, 48]
        t >>= 1
        assert t is kept
        assert kept.tolist() == [1, 1, 24]


def test_what_changes_nothing_is_taken():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert np.add(t, 1, subok=False).tolist() == [2.0, 3.0]
    assert np.copy(t, order="C", subok=True).tolist() == [1.0, 2.0]
    assert np.astype(t, np.float32, device="cpu").dtype == np.float32
    assert np.nanmedian(t, overwrite_input=True).item() == 1.5


def test_an_answer_is_never_told_one_argument_for_another():
    """The second of an answer's arguments is not what NumPy has in its place, if NumPy has it in another."""
    call = Call(np.sum, lambda x, keepdims=False, axis=None: (x, keepdims, axis))
    assert call(1, 2) == call(1, axis=2) == call(a=1, axis=2) == (1, False, 2)
    assert call(1, 2, None, None, True) == (1, True, 2)
