"""PyTorch under NumPy's signatures: what each op of the table is called there.

A counterpart takes the arguments that the op's examples have, with torch's tensors where arrays stand, so every
example runs on both sides.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

T = torch
L = torch.linalg


def dims(axis, x):
    """NumPy's axis as the axes that it means."""
    if axis is None:
        return tuple(range(x.ndim))
    return (axis,) if isinstance(axis, int) else tuple(axis)


def reduction(f):
    """A reduction f(x, dims, keepdim) under NumPy's signature; no axes mean no reduction, which torch does not say."""

    def reduce(x, axis=None, *, keepdims=False, **settings):
        if axis == () or (axis is None and x.ndim == 0):
            return f(x.unsqueeze(-1), (-1,), False, **settings)
        return f(x, dims(axis, x), keepdims, **settings)

    return reduce


def one_at_a_time(f):
    """A reduction that torch has over a single axis, over several: flattened into one."""

    def over(x, axes, keepdim, **settings):
        axes = tuple(a % x.ndim for a in axes)
        rest = [a for a in range(x.ndim) if a not in axes]
        count = math.prod(x.shape[a] for a in axes)
        flat = x.permute((*rest, *axes)).reshape(*[x.shape[a] for a in rest], count)
        y = f(flat, -1, **settings)
        return y.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdim else y

    return reduction(over)


def var(f):
    def over(x, axes, keepdim, correction=0, ddof=None):
        return f(x, axes, correction=correction if ddof is None else ddof, keepdim=keepdim)

    return reduction(over)


def along(f):
    """A scan; NumPy's flattens when no axis is given."""
    return lambda x, axis=None: f(x.reshape(-1), 0) if axis is None else f(x, axis)


def number(f):
    """torch's function of two tensors, where one may be a number."""

    def both(a, b, **settings):
        dtype = next(x.dtype for x in (a, b) if isinstance(x, T.Tensor))
        return f(*[x if isinstance(x, T.Tensor) else T.tensor(x, dtype=dtype) for x in (a, b)], **settings)

    return both


def softmax(f):
    def over(x, axis=-1):
        if x.ndim == 0:
            return f(x.reshape(1), 0).reshape(())
        axes = tuple(a % x.ndim for a in dims(axis, x))
        rest = [a for a in range(x.ndim) if a not in axes]
        order = (*rest, *axes)
        y = x.permute(order)
        flat = f(y.reshape(*[x.shape[a] for a in rest], -1), -1)
        return flat.reshape(y.shape).permute(*np.argsort(order).tolist())

    return over


def index(key):
    """An index as torch takes it: lists are arrays of integers, as in NumPy."""
    if isinstance(key, tuple):
        return tuple(index(k) for k in key)
    if isinstance(key, list):
        return T.tensor(key, dtype=T.int64)
    return T.from_numpy(key) if isinstance(key, np.ndarray) else key


def getitem(x, key):
    """x[key]; steps backwards, which torch does not take, by flipping."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(isinstance(p, slice) and (p.step or 1) < 0 for p in parts):
        where = np.arange(x.numel()).reshape(x.shape)[key]
        return x.reshape(-1)[T.from_numpy(where.copy())]
    return x[index(key)]


def written(x, key, values, accumulate):
    """A copy of x with values written, or added, at key."""
    where = T.from_numpy(np.array(np.arange(x.numel()).reshape(x.shape)[_numpy(key)]))
    values = T.broadcast_to(values, where.shape) if values.ndim <= where.ndim else values.reshape(where.shape)
    if accumulate:
        return x.reshape(-1).index_put((where.reshape(-1),), values.reshape(-1), True).reshape(x.shape)
    source = np.full(x.numel(), -1)  # where an index repeats, the last value stays: torch leaves that open
    source[where.numpy().reshape(-1)] = np.arange(where.numel())
    chosen = values.reshape(-1)[T.from_numpy(np.maximum(source, 0))]
    return T.where(T.from_numpy(source >= 0), chosen, x.reshape(-1)).reshape(x.shape)


def _numpy(key):
    if isinstance(key, tuple):
        return tuple(_numpy(k) for k in key)
    return key.numpy() if isinstance(key, T.Tensor) else key


def split(x, parts, axis=0):
    return T.tensor_split(x, parts if isinstance(parts, int) else tuple(parts), dim=axis)


def moved(x, axis):
    return x.reshape(-1) if axis is None else x


def pad(x, pad_width, mode="constant", *, constant_values=0):
    widths = np.broadcast_to(pad_width, (x.ndim, 2))
    if mode == "constant":
        return F.pad(x, [int(w) for pair in widths[::-1] for w in pair], value=constant_values)
    where = np.pad(np.arange(x.numel()).reshape(x.shape), pad_width, mode=mode)
    return x.reshape(-1)[T.from_numpy(where)]


def norm(x, ord=None, axis=None, keepdims=False):
    if axis is None and ord is None:
        return reduction(lambda x, d, k: L.vector_norm(x, 2, d, k))(x, keepdims=keepdims)
    if axis is None:
        return L.norm(x, ord, keepdim=keepdims)
    if isinstance(axis, tuple) and len(axis) == 2:
        return L.matrix_norm(x, "fro" if ord is None else ord, axis, keepdim=keepdims)
    return L.vector_norm(x, 2 if ord is None else ord, dims(axis, x), keepdim=keepdims)


def quantile(x, q, axis=None, *, method="linear", keepdims=False, overwrite_input=False):
    if method == "hazen":  # torch has no such
        raise NotImplementedError
    q = T.tensor(q, dtype=x.dtype)
    if axis == ():
        raise NotImplementedError
    shape = q.shape
    axes = tuple(a % x.ndim for a in dims(axis, x)) if x.ndim else ()
    rest = [a for a in range(x.ndim) if a not in axes]
    flat = x.permute((*rest, *axes)).reshape(*[x.shape[a] for a in rest], -1)
    y = T.quantile(flat, q.reshape(-1), -1)
    kept = [1 if a in axes else n for a, n in enumerate(x.shape)] if keepdims else [x.shape[a] for a in rest]
    return y.reshape((*shape, *kept))


def tensordot(a, b, axes=2):
    if isinstance(axes, tuple):
        axes = tuple([k] if isinstance(k, int) else list(k) for k in axes)
    return T.tensordot(a, b, dims=axes)


def take(x, indices, axis=None, *, mode="raise"):
    x, axis = moved(x, axis), axis or 0
    i = T.as_tensor(indices)
    n = x.shape[axis]
    i = i % n if mode != "clip" else i.clamp(0, n - 1)
    axis %= x.ndim
    return x.index_select(axis, i.reshape(-1)).reshape(*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])


def diff(x, n=1, axis=-1, prepend=None, append=None):
    def ends(end):
        if end is None or isinstance(end, T.Tensor):
            return end
        return T.full([1 if a == axis % x.ndim else m for a, m in enumerate(x.shape)], end, dtype=x.dtype)

    return T.diff(x, n, axis, ends(prepend), ends(append))


def average(x, axis=None, weights=None, returned=False, *, keepdims=False):
    if weights is None:
        return COUNTERPARTS["mean"](x, axis, keepdims=keepdims)
    axes = tuple(a % x.ndim for a in dims(axis, x))
    if weights.ndim != x.ndim:
        weights = weights.reshape([n if a in axes else 1 for a, n in enumerate(x.shape)]).expand_as(x)
    total = weights.sum(axes)
    y = (x * weights).sum(axes) / total
    return (y, total) if returned else y


def recurrence(a, b):
    """yₜ = aₜ·yₜ₋₁ + bₜ."""
    a, b = T.broadcast_tensors(a, b)
    y, ys = T.zeros_like(b[..., 0]), []
    for t in range(b.shape[-1]):
        y = a[..., t] * y + b[..., t]
        ys.append(y)
    return T.stack(ys, -1) if ys else b


def cast(x, dtype):
    return x if dtype is None else x.to(getattr(T, dtype))


def cumulative(f):
    def run(x, *, axis=None, include_initial=False, dtype=None):
        y = f(cast(x, dtype), 0 if axis is None else axis)
        if include_initial:
            start = T.full_like(y.narrow(axis, 0, 1), 0.0 if f is T.cumsum else 1.0)
            y = T.cat([start, y], axis)
        return y

    return run


same = [
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt",
    "square", "reciprocal", "negative", "positive", "sigmoid", "floor", "ceil", "trunc", "sign", "sinc", "deg2rad",
    "rad2deg", "isnan", "isinf", "isfinite", "signbit", "logical_not", "arcsin", "arccos", "arctan", "arcsinh", "arccosh",
    "arctanh", "absolute", "fliplr", "flipud", "det", "slogdet", "inv", "svdvals",
]  # fmt: skip

COUNTERPARTS = {name: getattr(T, name, None) or getattr(L, name) for name in same}
COUNTERPARTS |= {
    "gate": lambda a, x: T.where(x > 0, a, T.zeros((), dtype=a.dtype)), "zero": T.zeros_like,
    "fabs": T.abs, "rint": T.round, "copy": T.clone, "conjugate": T.conj, "invert": T.bitwise_not,
    "round": lambda x, decimals=0: T.round(x, decimals=decimals),
    "cbrt": lambda x: T.sign(x) * T.pow(T.abs(x), 1 / 3),
    "constant_power": lambda x, n: x**n,
    "relu": F.relu, "leaky_relu": F.leaky_relu, "elu": F.elu, "silu": F.silu, "softplus": F.softplus,
    "logsigmoid": F.logsigmoid, "gelu": lambda x, approximate="none": F.gelu(x, approximate=approximate),
    "prelu": number(lambda x, w: T.where(x > 0, x, w * x)),  # F.prelu broadcasts along the channels alone
    "hardtanh": F.hardtanh, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
    "selu": F.selu, "softsign": F.softsign, "mish": F.mish,
    "standardize": lambda x, axis=-1, eps=1e-5, centered=True: (
        (x - x.mean(axis, keepdim=True)) * T.rsqrt(x.var(axis, correction=0, keepdim=True) + eps)
        if centered
        else x * T.rsqrt(T.square(x).mean(axis, keepdim=True) + eps)
    ),
    "embedding": lambda weight, numbers, padding_idx=None: F.embedding(numbers, weight, padding_idx),
    "gelu_slope": lambda x: 0.5 * T.erfc(-x / math.sqrt(2)) + x * T.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    "normal_cdf": lambda x: 0.5 * T.erfc(-x / math.sqrt(2)),
    "softmax": softmax(F.softmax), "log_softmax": softmax(F.log_softmax),
    "softmax_cross_entropy": F.cross_entropy,
    "sigmoid_cross_entropy": number(
        lambda x, t: F.binary_cross_entropy_with_logits(*T.broadcast_tensors(x, t), reduction="none")
    ),
    "nan_to_num": T.nan_to_num,
    "clip": lambda x, a=None, b=None, **k: _clip(x, k.get("min", a), k.get("max", b)),
    "where": lambda c, a, b: T.where(c != 0, a, b),
    "isclose": number(T.isclose),
    **{name: number(getattr(T, name)) for name in [
        "add", "subtract", "multiply", "divide", "arctan2", "hypot", "logaddexp", "logaddexp2", "maximum", "minimum",
        "fmax", "fmin", "fmod", "copysign", "remainder", "greater", "greater_equal", "less",
        "less_equal", "not_equal", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor",
    ]},
    "floor_divide": number(lambda a, b: T.floor_divide(a.detach(), b.detach())),  # torch has no rule for these two
    "heaviside": number(lambda a, b: T.heaviside(a.detach(), b.detach())),
    "equal": number(T.eq), "power": number(T.pow), "float_power": number(T.float_power),
    "left_shift": number(T.bitwise_left_shift), "right_shift": number(T.bitwise_right_shift),
    "divmod": number(lambda a, b: (T.floor_divide(a.detach(), b.detach()), T.remainder(a, b))),
    "channel_sum": lambda x: x.sum((0, *range(2, x.ndim))),
    "batch_norm": lambda x, weight, bias, eps=1e-5: (
        F.batch_norm(x, None, None, weight, bias, training=True, eps=eps),
        x.mean((0, *range(2, x.ndim))),
        x.var((0, *range(2, x.ndim)), correction=0),
    ),
    # reductions
    "sum": reduction(T.sum), "mean": reduction(T.mean), "max": reduction(T.amax), "min": reduction(T.amin),
    "nanmax": reduction(T.amax), "nanmin": reduction(T.amin),
    "var": var(T.var), "std": var(T.std), "nanvar": var(T.var), "nanstd": var(T.std),
    "prod": one_at_a_time(T.prod), "nanprod": one_at_a_time(T.prod),
    "nansum": reduction(T.nansum), "nanmean": reduction(T.nanmean), "logsumexp": reduction(T.logsumexp),
    "ptp": reduction(lambda x, d, k: T.amax(x, d, k) - T.amin(x, d, k)),
    "euclidean_norm": reduction(lambda x, d, k: L.vector_norm(x, 2, d, k)),
    "p_norm": lambda x, p, axis=None, keepdims=False: L.vector_norm(x, p, axis, keepdims),
    "root": T.sqrt, "power_log": lambda a, b, n: a**b * T.log(a) ** n,
    "count_nonzero": one_at_a_time(lambda x, d: T.count_nonzero(x, d)),
    "any": one_at_a_time(T.any), "all": one_at_a_time(T.all),
    "argmax": one_at_a_time(T.argmax), "argmin": one_at_a_time(T.argmin),
    "nanargmax": one_at_a_time(T.argmax), "nanargmin": one_at_a_time(T.argmin),
    "median": lambda x, axis=None, keepdims=False: quantile(x, 0.5, axis, keepdims=keepdims),
    "nanmedian": lambda x, axis=None, keepdims=False: quantile(x, 0.5, axis, keepdims=keepdims),
    "quantile": quantile, "nanquantile": quantile,
    "percentile": lambda x, q, axis=None, **s: quantile(x, (np.asarray(q) / 100).tolist(), axis, **s),
    "nanpercentile": lambda x, q, axis=None, **s: quantile(x, (np.asarray(q) / 100).tolist(), axis, **s),
    "norm": norm, "vector_norm": lambda x, *, axis=None, keepdims=False, ord=2: L.vector_norm(x, ord, axis, keepdims),
    "matrix_norm": lambda x, *, keepdims=False, ord="fro": L.matrix_norm(x, ord, keepdim=keepdims),
    "average": average, "diff": diff,
    "trapezoid": lambda y, x=None, dx=1.0, axis=-1: T.trapezoid(y, x, dim=axis) if x is not None else T.trapezoid(y, dx=dx, dim=axis),
    "cumsum": along(T.cumsum), "cumprod": along(T.cumprod), "nancumsum": along(T.cumsum), "nancumprod": along(T.cumprod),
    "cumulative_sum": cumulative(T.cumsum), "cumulative_prod": cumulative(T.cumprod), "recurrence": recurrence,
    # shapes
    "reshape": lambda x, shape: x.reshape(shape), "ravel": T.ravel,
    "transpose": lambda x, axes=None: x.permute(tuple(axes or range(x.ndim)[::-1])),
    "matrix_transpose": lambda x: x.mT, "swapaxes": lambda x, axis1, axis2: T.swapaxes(x, axis1, axis2), "moveaxis": T.moveaxis,
    "expand_dims": lambda x, axis: x.reshape(np.expand_dims(np.empty(x.shape), axis).shape),
    "squeeze": lambda x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
    "broadcast_to": lambda x, shape: T.broadcast_to(x, (shape,) if isinstance(shape, int) else shape),
    "flip": lambda x, axis=None: T.flip(x, dims(axis, x)),
    "roll": lambda x, shift, axis=None: x.clone() if not x.ndim else _roll(x, shift, axis),
    "rot90": lambda x, k=1, axes=(0, 1): T.rot90(x, k, axes),
    "concatenate": lambda xs, axis=0: T.cat([moved(x, axis) for x in xs], axis or 0),
    "stack": lambda xs, axis=0: T.stack(xs, axis), "vstack": T.vstack, "hstack": T.hstack, "dstack": T.dstack,
    "column_stack": T.column_stack, "append": lambda x, v, axis=None: T.cat([moved(x, axis), moved(v, axis)], axis or 0),
    "split": split, "array_split": split, "unstack": lambda x, axis=0: T.unbind(x, axis),
    "hsplit": lambda x, p: T.hsplit(x, p), "vsplit": lambda x, p: T.vsplit(x, p), "dsplit": lambda x, p: T.dsplit(x, p),
    "tile": lambda x, reps: T.tile(x, (reps,) if isinstance(reps, int) else reps),
    "repeat": lambda x, repeats, axis=None: T.repeat_interleave(
        moved(x, axis), repeats if isinstance(repeats, int) else T.tensor(repeats), dim=axis or 0
    ),
    "pad": pad, "pad_constant": pad,
    "atleast_1d": T.atleast_1d, "atleast_2d": T.atleast_2d, "atleast_3d": T.atleast_3d,
    "broadcast_arrays": lambda *xs: T.broadcast_tensors(*xs),
    "meshgrid": lambda *xs, indexing="xy", sparse=False, copy=True: _meshgrid(xs, indexing, sparse),
    # indexing
    "getitem": getitem, "take": take,
    "scatter_add": lambda x, key, values: written(x, key, values, True),
    "index_update": lambda x, key, values: written(x, key, values, False),
    "take_along_axis": lambda x, i, axis=-1: T.take_along_dim(x, i, axis),
    "extract": lambda c, x: T.masked_select(x, c), "compress": lambda c, x, axis=None: take(x, c.nonzero()[:, 0], axis),
    "diag": lambda x, k=0: T.diag(x, k), "diagflat": lambda x, k=0: T.diagflat(x, k), "diagonal": lambda x, offset=0, axis1=0, axis2=1: T.diagonal(x, offset, axis1, axis2),
    "trace": lambda x, offset=0, axis1=0, axis2=1, dtype=None: T.diagonal(cast(x, dtype), offset, axis1, axis2).sum(-1),
    "matrix_trace": lambda x, *, offset=0, dtype=None: T.diagonal(cast(x, dtype), offset, -2, -1).sum(-1),
    "matrix_diagonal": lambda x, *, offset=0: T.diagonal(x, offset, -2, -1),
    "tril": lambda x, k=0: T.tril(_square(x), k), "triu": lambda x, k=0: T.triu(_square(x), k),
    "sort": lambda x, axis=-1, **_: T.sort(moved(x, axis), dim=0 if axis is None else axis).values,
    "argsort": lambda x, axis=-1, **k: T.argsort(moved(x, axis), dim=0 if axis is None else axis),
    "one_hot": lambda i, n, dtype=None: F.one_hot(i, n),
    "nonzero": lambda x: x.nonzero(as_tuple=True), "argwhere": T.argwhere,
    # linear algebra
    "cholesky": lambda x, upper=False: L.cholesky(x, upper=upper),
    "matmul": T.matmul, "inner": T.inner, "kron": T.kron, "tensordot": tensordot,
    "dot": lambda a, b: a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, ((-1,), (-2 if b.ndim > 1 else 0,))),
    "vdot": lambda a, b: T.dot(a.reshape(-1), b.reshape(-1)), "outer": lambda a, b: T.outer(a.reshape(-1), b.reshape(-1)),
    "vecdot": lambda a, b, axis=-1: L.vecdot(a, b, dim=axis),
    "matvec": lambda a, x: (a @ x[..., None])[..., 0], "vecmat": lambda x, a: (x[..., None, :] @ a)[..., 0, :],
    "einsum": lambda equation, *xs, **_: T.einsum(equation, *xs),
    "multi_dot": L.multi_dot, "matrix_power": L.matrix_power,
    "pinv": lambda x, rtol=None, **_: L.pinv(x, rtol=None if rtol is None else torch.as_tensor(rtol)),
    "solve": lambda a, b: L.solve(a, b) if b.ndim != 1 else (L.inv(a) @ b),
    "lstsq": lambda a, b, rcond=None: (L.pinv(a) @ b,),
    "tensorsolve": lambda a, b, axes=None: L.tensorsolve(a, b, dims=axes), "tensorinv": lambda x, ind=2: L.tensorinv(x, ind),
    "eigvalsh": lambda x, UPLO="L": L.eigvalsh(x, UPLO=UPLO), "cond": lambda x, p=None: L.cond(x, p) if p in (None, -2) else L.matrix_norm(x, p) * L.matrix_norm(L.inv(x), p),
    "reduced_qr": lambda x: L.qr(x), "qr": lambda x, mode="reduced": L.qr(x)[1] if mode == "r" else L.qr(x, mode),
}  # fmt: skip


def _clip(x, low, high):
    if low is None and high is None:
        return x.clone()
    bounds = [T.as_tensor(b, dtype=x.dtype) if b is not None else None for b in (low, high)]
    return T.clamp(x.expand(T.broadcast_shapes(x.shape, *[b.shape for b in bounds if b is not None])), *bounds)


def _square(x):
    """A vector as NumPy's tril takes it: as every row of a square."""
    return x.expand(len(x), len(x)) if x.ndim == 1 else x


def _roll(x, shift, axis):
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return T.roll(x, shift, axis)


def _meshgrid(xs, indexing, sparse):
    grids = T.meshgrid(*[x.reshape(-1) for x in xs], indexing=indexing)
    if not sparse:
        return grids
    order = [1, 0, *range(2, len(xs))] if indexing == "xy" else list(range(len(xs)))
    return tuple(x.reshape([-1 if a == order[i] else 1 for a in range(len(xs))]) for i, x in enumerate(xs))
