"""Every operator of ONNX that is read, with its settings, beside onnxruntime."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from onnx import helper

import tinygrad_edu as tg
from tests.export.networks import positive, real, whole
from tinygrad_edu.export.onnx_files.packages import session
from tinygrad_edu.export.onnx_files.reading.operators import OPERATORS
from tinygrad_edu.testing.checks.arrays import flattened

A, B, C = real(3, 4), real(4)[None] + 0.1, np.abs(real(3, 4)) * 0.5 + 0.2
M, N = whole(9, 3, 4) - 4, whole(5, 3, 4) + 1
T, U = real(3, 4) > 0, real(4) > 0
LINE, IMAGE = real(2, 3, 9), real(2, 4, 7, 6)
UNIT = np.tanh(A) * 0.9


def case(*inputs, outputs=1, **attributes):
    """Inputs, of which None is left out, and constants a list of one; attributes; and how many results."""
    return inputs, outputs, attributes


def fixed(*numbers):
    return [np.array(numbers, np.int64)]


CASES = {
    **{kind: [case(A)] for kind in ["Neg", "Abs", "Exp", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Identity"]},
    **{kind: [case(A)] for kind in ["Relu", "Sigmoid", "Softplus", "Softsign", "HardSwish", "Mish", "Erf", "Size"]},
    **{kind: [case(C)] for kind in ["Sqrt", "Log", "Reciprocal"]},
    **{kind: [case(UNIT)] for kind in ["Asin", "Acos", "Atanh"]},
    "Acosh": [case(C + 1)],
    **{kind: [case(A, B), case(M, N)] for kind in ["Add", "Sub", "Mul", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Max", "Min"]},
    "Div": [case(A, B), case(M, N), case(M, -N)],
    "Pow": [case(C, B), case(C, fixed(2)[0]), case(N, fixed(2)[0])],
    "Mod": [case(M, N), case(M, -N), case(M, -N, fmod=1), case(A, B, fmod=1)],
    "BitShift": [case(N.astype(np.uint8), np.array([[1]], np.uint8), direction=d) for d in ("LEFT", "RIGHT")],
    **{kind: [case(T, U)] for kind in ["And", "Or", "Xor"]},
    "Not": [case(T)],
    **{kind: [case(M, N)] for kind in ["BitwiseAnd", "BitwiseOr", "BitwiseXor"]},
    "BitwiseNot": [case(M)],
    "Sum": [case(A, B, C)],
    "Mean": [case(A, B, C)],
    "Where": [case(T, A, B)],
    "IsNaN": [case(np.array([1, np.nan, np.inf], np.float32))],
    "IsInf": [case(np.array([1, -np.inf, np.inf], np.float32), **how) for how in ({}, {"detect_negative": 0}, {"detect_positive": 0})],
    "Clip": [case(A, np.float32(-0.2), np.float32(0.3)), case(A, None, np.float32(0.3)), case(A)],
    "LeakyRelu": [case(A), case(A, alpha=0.3)],
    "PRelu": [case(A, B)],
    "Elu": [case(A), case(A, alpha=2.0)],
    "Celu": [case(A), case(A, alpha=2.0)],
    "Selu": [case(A), case(A, alpha=2.0, gamma=0.5)],
    "HardSigmoid": [case(A), case(A, alpha=0.4, beta=0.3)],
    "ThresholdedRelu": [case(A), case(A, alpha=0.2)],
    "Gelu": [case(A), case(A, approximate="tanh")],
    "Softmax": [case(A), case(A, axis=0)],
    "LogSoftmax": [case(A), case(A, axis=0)],
    "Cast": [case(A, to=onnx.TensorProto.INT64), case(M, to=onnx.TensorProto.FLOAT), case(A, to=onnx.TensorProto.BOOL)],
    "CastLike": [case(A, M)],
    "Dropout": [case(A, outputs=2)],
    "Constant": [
        case(value_float=1.5), case(value_floats=[1.0, 2.0]), case(value_int=3), case(value_ints=[1, 2]),
        case(value=onnx.numpy_helper.from_array(np.ones((2, 2), np.int32))),
    ],
    "ConstantOfShape": [case(fixed(2, 3)[0]), case(fixed(2)[0], value=onnx.numpy_helper.from_array(np.array([7])))],
    "Shape": [case(IMAGE), case(IMAGE, start=1, end=-1)],
    "Reshape": [case(A, fixed(2, -1)), case(A, fixed(0, 2, 2)), case(np.zeros((0, 3), np.float32), fixed(3, 0), allowzero=1)],
    "Flatten": [case(IMAGE), case(IMAGE, axis=0), case(IMAGE, axis=-1)],
    "Transpose": [case(IMAGE), case(IMAGE, perm=[0, 2, 3, 1])],
    "Squeeze": [case(real(1, 3, 1)), case(real(1, 3, 1), fixed(-1))],
    "Unsqueeze": [case(A, fixed(0, -1))],
    "Expand": [case(B, fixed(3, 4)), case(A, fixed(2, 1, 1))],
    "Tile": [case(A, fixed(2, 3))],
    "Concat": [case(A, C, axis=0), case(A, C, axis=-1)],
    "Split": [case(A, fixed(1, 3), outputs=2, axis=1), case(A, outputs=2, axis=1, num_outputs=2), case(real(5), outputs=2, num_outputs=2)],
    "Slice": [
        case(IMAGE, fixed(1, -3), fixed(9, 99), fixed(0, 2), fixed(1, 2)), case(IMAGE, fixed(-1), fixed(-99), fixed(3), fixed(-2)),
        case(A, fixed(1, 0), fixed(3, 2)), case(A, fixed(5), fixed(0), fixed(1), fixed(-1)), case(A, fixed(-2), fixed(-1), fixed(-1)),
    ],
    "Gather": [case(A, np.array([[0, -1], [2, 0]])), case(A, np.array(1), axis=1)],
    "GatherElements": [case(A, np.array([[0, 2, 1, 1]])), case(A, np.array([[0, -1], [1, 2], [3, 0]]), axis=1)],
    "GatherND": [case(A, np.array([[0, 1], [2, -1]])), case(IMAGE, np.array([[[1], [0]]]))],
    "ScatterND": [case(A, np.array([[0], [2]]), real(2, 4)), *[case(A, np.array([[1], [1]]), real(2, 4), reduction=r) for r in ("add", "mul", "max", "min")]],
    "ScatterElements": [
        case(A, np.array([[0, 2, 1, 1]]), real(1, 4)), case(A, np.array([[0, 0], [1, 1], [2, 2]]), real(3, 2), axis=1, reduction="add")
    ],
    "Pad": [
        case(A, fixed(1, 0, 2, 3)), case(A, fixed(0, 1, 0, 0), [np.float32(5)]), case(A, fixed(1, 2), None, fixed(1)),
        case(A, fixed(0, -1, 0, 2)), *[case(A, fixed(1, 1, 1, 1), mode=mode) for mode in ("reflect", "edge", "wrap")],
    ],
    "Range": [case(*[np.array(n) for n in (1, 9, 3)]), case(*[np.array(n) for n in (5, 0, -2)])],
    "Trilu": [case(A), case(A, np.array(1)), case(A, np.array(-1), upper=0)],
    "CumSum": [case(A, np.array(1), exclusive=e, reverse=r) for e in (0, 1) for r in (0, 1)],
    "DepthToSpace": [case(real(1, 8, 2, 3), blocksize=2), case(real(1, 8, 2, 3), blocksize=2, mode="CRD")],
    "SpaceToDepth": [case(real(1, 2, 4, 6), blocksize=2)],
    **{
        f"Reduce{kind}": [case(x), case(x, fixed(0)), case(x, fixed(-1), keepdims=0), case(x, noop_with_empty_axes=1)]
        for kind, x in {
            "Sum": A, "Prod": A, "Max": A, "Min": A, "Mean": A, "L1": A, "L2": A, "SumSquare": A, "LogSum": C, "LogSumExp": A,
        }.items()
    },
    "ArgMax": [case(A), case(A, axis=1, keepdims=0)],
    "ArgMin": [case(A), case(A, axis=1, keepdims=0)],
    "TopK": [case(A, fixed(2), outputs=2), case(A, fixed(3), outputs=2, axis=0, largest=0)],
    "MatMul": [case(A, real(4, 2)), case(real(2, 3, 4), real(4)), case(M, N.T)],
    "Gemm": [case(A, real(4, 2)), case(A, real(2, 4), real(2), transB=1, alpha=0.5, beta=2.0), case(A.T, real(4, 2), transA=1)],
    "Einsum": [case(A, C, equation="ij,ij->i"), case(real(2, 3, 4), real(2, 4, 5), equation="...ij,...jk->...ik")],
    "Det": [case(real(2, 3, 3))],
    "BatchNormalization": [case(IMAGE, real(4), real(4), real(4), positive(4)), case(IMAGE, real(4), real(4), real(4), positive(4), epsilon=0.1)],
    "InstanceNormalization": [case(IMAGE, real(4), real(4)), case(LINE, real(3), real(3), epsilon=0.1)],
    "LayerNormalization": [case(IMAGE, real(6), outputs=3), case(IMAGE, real(7, 6), real(7, 6), axis=-2, epsilon=0.1)],
    "GroupNormalization": [case(IMAGE, real(4), real(4), num_groups=2), case(IMAGE, real(4), real(4), num_groups=1, epsilon=0.1)],
    "RMSNormalization": [case(IMAGE, real(6)), case(IMAGE, real(7, 6), axis=-2, epsilon=0.1)],
    "Conv": [
        case(IMAGE, real(6, 2, 3, 2), real(6), group=2, strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2]), case(LINE, real(2, 3, 2)),
        *[case(IMAGE, real(3, 4, 3, 2), strides=[2, 2], auto_pad=way) for way in ("SAME_UPPER", "SAME_LOWER", "VALID")],
    ],
    "ConvTranspose": [
        case(IMAGE, real(4, 3, 3, 2), real(6), group=2, strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2]), case(LINE, real(3, 2, 2)),
    ],
    "MaxPool": [
        case(IMAGE, outputs=2, kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1]), case(IMAGE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        case(IMAGE, kernel_shape=[2, 2], dilations=[2, 1]), case(LINE, kernel_shape=[3], strides=[2], auto_pad="SAME_UPPER"),
    ],
    "AveragePool": [
        case(IMAGE, kernel_shape=[2, 3], strides=[2, 2], pads=[1, 1, 0, 1]), case(LINE, kernel_shape=[2]),
        case(IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1), case(IMAGE, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
    ],
    "GlobalAveragePool": [case(IMAGE), case(LINE)],
    "GlobalMaxPool": [case(IMAGE), case(LINE)],
    "LpPool": [case(IMAGE, kernel_shape=[2, 2], strides=[2, 1]), case(IMAGE, kernel_shape=[2, 2], p=3, pads=[1, 0, 0, 1])],
    "Col2Im": [case(real(2, 12, 20), fixed(5, 6), fixed(2, 2)), case(real(2, 8, 9), fixed(5, 6), fixed(2, 2), strides=[2, 2], pads=[1, 0, 0, 0])],
    "Resize": [
        case(IMAGE, None, [np.array([1, 1, 2, 3], np.float32)], mode="linear"),
        case(IMAGE, None, [np.array([1, 1, 2, 2], np.float32)], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        case(IMAGE, None, None, fixed(2, 4, 9, 10), mode="linear", coordinate_transformation_mode="align_corners"),
        case(IMAGE, None, None, fixed(2, 4, 14, 12), mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
        case(IMAGE, None, [np.array([1, 1, 2, 2], np.float32)], mode="cubic"),
    ],
    "Attention": [
        case(real(2, 3, 5, 4), real(2, 3, 6, 4), real(2, 3, 6, 2)), case(real(2, 3, 5, 4), real(2, 3, 5, 4), real(2, 3, 5, 4), is_causal=1, scale=0.3),
        case(real(2, 5, 12), real(2, 6, 6), real(2, 6, 6), real(5, 6), q_num_heads=4, kv_num_heads=2), case(real(2, 3, 5, 4), real(2, 3, 6, 4), real(2, 3, 6, 2), real(5, 6) > -1),
        case(real(2, 3, 1, 4), real(2, 3, 1, 4), real(2, 3, 1, 4), None, real(2, 3, 5, 4), real(2, 3, 5, 4), outputs=3),
    ],
    "LSTM": [
        case(real(5, 2, 4), real(1, 12, 4), real(1, 12, 3), outputs=3, hidden_size=3),
        case(real(5, 2, 4), real(2, 12, 4), real(2, 12, 3), real(2, 24), np.array([5, 3], np.int32), real(2, 2, 3), real(2, 2, 3), outputs=3, hidden_size=3, direction="bidirectional"),
    ],
    "GRU": [
        case(real(5, 2, 4), real(1, 9, 4), real(1, 9, 3), real(1, 18), outputs=2, hidden_size=3, linear_before_reset=1, direction="reverse"),
        case(real(5, 2, 4), real(2, 9, 4), real(2, 9, 3), real(2, 18), None, real(2, 2, 3), outputs=2, hidden_size=3, linear_before_reset=1, direction="bidirectional"),
    ],
    "RNN": [
        case(real(5, 2, 4), real(1, 3, 4), real(1, 3, 3), real(1, 6), outputs=2, hidden_size=3),
        case(real(5, 2, 4), real(2, 3, 4), real(2, 3, 3), outputs=2, hidden_size=3, direction="bidirectional", activations=["Relu", "Relu"]),
    ],
}  # fmt: skip

SEQUENCES = {"SplitToSequence", "SequenceConstruct", "SequenceAt", "ConcatFromSequence"}
"""Operators whose results are no tensors; they have a test of their own."""


LATER = {"Attention", "GroupNormalization", "RMSNormalization"}
"""Operators that version 20 has not, or has in another form."""


def file_of(kind, inputs, outputs, attributes, folder, version=20):
    """A file of one node, and its inputs."""
    given = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs) if x is not None and not isinstance(x, list)}
    held = {f"x{i}": np.asarray(x[0]) for i, x in enumerate(inputs) if isinstance(x, list)}
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    nodes = [helper.make_node(kind, names, results, **attributes)]
    value = lambda name, a: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
    graph = helper.make_graph(
        nodes, "g", [value(name, a) for name, a in given.items()], [helper.make_empty_tensor_value_info(y) for y in results],
        [onnx.numpy_helper.from_array(a, name) for name, a in held.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=9)
    model = onnx.shape_inference.infer_shapes(model)
    if not model.graph.output[0].type.tensor_type.elem_type:  # of what is a function of others, nothing is inferred
        model.graph.output[0].CopyFrom(value(results[0], np.asarray(inputs[0])))
    path = folder / "node.onnx"
    onnx.save(model, str(path))
    return path, given


@pytest.mark.parametrize("version", [20, 23])
@pytest.mark.parametrize("kind", CASES)
def test_an_operator_beside_onnxruntime(kind, version, tmp_path):
    if kind in LATER and version == 20:
        return
    for inputs, outputs, attributes in CASES[kind]:
        path, given = file_of(kind, inputs, outputs, attributes, tmp_path, version)
        expected = session(path.read_bytes()).run(None, given)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = flattened(tg.export.load_onnx(path)(*given.values()))
        for a, b in zip(got, expected, strict=True):
            a = np.asarray(getattr(a, "ndarray", a))
            assert (a.shape, a.dtype) == (b.shape, b.dtype), attributes
            assert np.allclose(a, b, rtol=1e-5, atol=2e-6, equal_nan=True), attributes


def test_every_operator_is_compared():
    assert CASES.keys() | SEQUENCES == OPERATORS.keys()


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "attributes"),
    [
        ("ReduceMean", [A], 1, {"axes": [1], "keepdims": 0}),
        ("ReduceSum", [A, fixed(1)], 1, {}),
        ("Split", [A], 2, {"axis": 1}),
        ("Split", [A, fixed(1, 3)], 2, {"axis": 1}),
        ("BatchNormalization", [IMAGE, real(4), real(4), real(4), positive(4)], 1, {}),
        ("Pad", [A, fixed(1, 0, 0, 2)], 1, {}),
        ("Softmax", [A], 1, {"axis": 0}),
    ],
)
def test_older_forms(kind, inputs, outputs, attributes, tmp_path):
    path, given = file_of(kind, inputs, outputs, attributes, tmp_path, 13)
    expected = session(path.read_bytes()).run(None, given)
    for a, b in zip(flattened(tg.export.load_onnx(path)(*given.values())), expected, strict=True):
        assert np.allclose(np.asarray(getattr(a, "ndarray", a)), b, rtol=1e-5, atol=1e-6)


def test_sequences(tmp_path):
    """Operators on sequences are read because PyTorch's files take a layer's gates apart with them."""
    node = helper.make_node
    nodes = [
        node("SplitToSequence", ["x", "two"], ["parts"], axis=1), node("SequenceAt", ["parts", "one"], ["second"]),
        node("SplitToSequence", ["x"], ["rows"], axis=0, keepdims=0), node("ConcatFromSequence", ["rows"], ["stacked"], axis=1, new_axis=1),
        node("SequenceConstruct", ["second", "second"], ["twice"]), node("ConcatFromSequence", ["twice"], ["joined"], axis=0),
    ]  # fmt: skip
    held = [onnx.numpy_helper.from_array(np.array(n), name) for name, n in (("one", 1), ("two", 2))]
    results = {"second": [3, 2], "stacked": [4, 3], "joined": [6, 2]}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [3, 4])],
        [helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, shape) for y, shape in results.items()], held,
    )  # fmt: skip
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    expected = session(path.read_bytes()).run(None, {"x": A})
    for a, b in zip(tg.export.load_onnx(path)(A), expected, strict=True):
        assert np.array_equal(np.asarray(getattr(a, "ndarray", a)), b)


@pytest.mark.parametrize("kind", ["Conv", "LSTM", "GRU", "BatchNormalization", "Resize", "Gemm", "LayerNormalization"])
def test_gradients_come_through(kind, tmp_path):
    """An operator that is given tensors has the gradient that difference quotients give."""
    from tinygrad_edu.testing import gradcheck

    inputs, outputs, attributes = CASES[kind][0]
    path, given = file_of(kind, inputs, outputs, attributes, tmp_path)
    loaded = tg.export.load_onnx(path).double()
    xs = [tg.Tensor(a.astype(float), requires_grad=True) for a in given.values()]
    gradcheck(lambda *xs: flattened(loaded(*xs))[0], xs)
