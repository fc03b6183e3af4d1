"""What an ONNX file holds, and what is refused: with its line, and with files as they were."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import tinygrad_edu as tg
from tests.export.networks import positive, real
from tinygrad_edu import nn
from tinygrad_edu.engine.op import op
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.recurrence.memory import lstm

x = real(5, 4)


def written(model, inputs, folder, **options):
    return onnx.load(tg.export.onnx(model, inputs, folder / "net.onnx", **options))


def kinds(file):
    return [node.op_type for node in file.graph.node]


def dims(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def net():
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2)).eval()


def test_names_versions_and_sizes(tmp_path):
    model = net()
    file = written(model, x, tmp_path)
    assert [(o.domain, o.version) for o in file.opset_import] == [("", 18)]
    assert file.ir_version <= 10
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in file.graph.initializer}
    for path, array in model.state_dict().items():
        if "num_batches" not in path:
            assert np.array_equal(stored[path], array)
    (given,), (result,) = file.graph.input, file.graph.output
    assert (given.name, dims(given), result.name, dims(result)) == ("x", ["batch", 4], "y", ["batch", 2])
    assert {node.name.split("/")[0] for node in file.graph.node} == {"0", "1", "2", "4"}


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_is_one_node(n, affine, tmp_path):
    tg.manual_seed(0)
    layer = nn.BatchNorm1d(4, affine=affine) if n < 2 else getattr(nn, f"BatchNorm{n}d")(4, affine=affine)
    given = real(5, 4, *[3, 2, 6][:n])
    layer(given + 1)
    file = written(layer.eval(), given, tmp_path)
    assert kinds(file) == ["BatchNormalization"]
    assert {t.name for t in file.graph.initializer} >= {
        "running_mean",
        "running_var",
        *(["weight", "bias"] if affine else []),
    }


def test_what_is_no_batch_norm_stays(tmp_path):
    m, v, w, b = [
        nn.Parameter(positive(*shape), name=name)
        for name, shape in zip("mvwb", [(4,), (4,), (3, 4), (4,)], strict=True)
    ]
    fixed = tg.Tensor(positive(4))
    for f in (
        lambda x: (x - m) * (w / np.sqrt(v + 1e-3)) + b,
        lambda x: (x - m) * (fixed / np.sqrt(v + m)) + b,
        lambda x: (x - m) * m + b,
    ):
        assert "BatchNormalization" not in kinds(written(f, real(3, 4), tmp_path, batch=None))
    assert kinds(written(lambda x: (x - m) * (fixed / np.sqrt(v + 1e-3)) + b, x, tmp_path)) == ["BatchNormalization"]


def test_axes_that_hang_on_the_batch_are_said(tmp_path):
    def rows(x):
        return {"pairs": np.reshape(x, (-1, 2)), "longer": np.concatenate([x, x[:1]]), "first": x[0]}

    file = written(rows, x, tmp_path)
    assert {y.name: dims(y) for y in file.graph.output} == {
        "pairs": ["2*batch", 2],
        "longer": ["batch+1", 4],
        "first": [4],
    }
    fixed = written(rows, x, tmp_path, batch=None)
    assert [dims(y) for y in fixed.graph.output] == [[10, 2], [6, 4], [4]]


def test_numbers_that_hang_on_the_batch_are_computed(tmp_path):
    def f(x):
        n = len(x)
        places = np.arange(n)
        return np.mean(x, axis=0) + n + 1 / n, x[places, [1]] * np.ones((n, 1)), np.zeros((n, 3)) + x[:, :3] * n

    written(f, x, tmp_path)  # which compares batches of 1 to 5


def test_inputs_may_lie_along_several_axes(tmp_path):
    layer = nn.LSTM(4, 3)
    file = written(layer, (real(6, 5, 4), (real(1, 5, 3), real(1, 5, 3))), tmp_path, batch=1)
    assert [dims(i) for i in file.graph.input] == [[6, "batch", 4], [1, "batch", 3], [1, "batch", 3]]
    assert [i.name for i in file.graph.input] == ["x", "hx", "hx_2"]
    file = written(lambda a, b: a @ b, (x, real(4, 3)), tmp_path, batch=(0, None), names=["product"])
    assert [dims(i) for i in file.graph.input] == [["batch", 4], [4, 3]]
    assert file.graph.output[0].name == "product"


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.LSTM(6, 4, batch_first=True),
        lambda: nn.GRU(6, 4, batch_first=True, bidirectional=True),
        lambda: nn.TransformerEncoderLayer(6, 2, 8, batch_first=True),
        lambda: nn.Sequential(nn.Linear(6, 3), nn.GELU(), nn.LayerNorm(3)),
    ],
)
def test_sequences_of_any_length(layer, tmp_path):
    """The length is the free axis where it is named; onnxruntime runs the file for lengths that were not traced."""
    model, x = layer().eval(), real(3, 7, 6)
    file = written(model, x, tmp_path, batch=1)
    assert dims(file.graph.input[0]) == [3, "batch", 6]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for length in (1, 4, 19):
        longer = x[:, np.arange(length) % 7]
        expected = model(longer)
        expected = expected[0] if isinstance(expected, tuple) else expected
        np.testing.assert_allclose(
            session.run(None, {session.get_inputs()[0].name: longer})[0], expected.numpy(), atol=1e-6
        )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("GRU", {}),
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu"}),
        ("LSTM", {"bias": False}),
        ("GRU", {"bias": False}),
    ],
)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_recurrent_layers_are_onnxs_own(kind, options, both, given, tmp_path):
    """Two layers, two nodes: also in both directions, with first states, without biases."""
    layer = getattr(nn, kind)(4, 3, num_layers=2, bidirectional=both, batch_first=True, **options)
    states = [real(4 if both else 2, 5, 3) for _ in range(2 if kind == "LSTM" else 1)]
    first = (tuple(states) if kind == "LSTM" else states[0],) if given else ()
    axes = (0, *[1] * len(states)) if given else 0
    file = written(layer, (real(5, 6, 4), *first), tmp_path, batch=axes)
    nodes = [node for node in file.graph.node if node.op_type in ("LSTM", "GRU", "RNN")]
    assert [node.op_type for node in nodes] == [kind] * 2
    said = {a.name: onnx.helper.get_attribute_value(a) for a in nodes[0].attribute}
    assert said["direction"] == (b"bidirectional" if both else b"forward")
    assert "Loop" not in kinds(file)
    assert {t.name for t in file.graph.initializer} >= set(layer.state_dict())


def test_what_onnx_lacks_of_recurrent_layers_is_written_step_by_step(tmp_path):
    projected = written(nn.LSTM(4, 3, proj_size=2, batch_first=True), real(5, 6, 4), tmp_path)
    assert "LSTM" not in kinds(projected)
    assert kinds(projected).count("Tanh") == 12
    mask = np.arange(6) < np.array([[6], [4], [1], [2], [5]])
    layer = nn.GRU(4, 3, bidirectional=True, batch_first=True)
    masked = written(lambda x, mask: layer(x, mask=mask), (real(5, 6, 4), mask), tmp_path)
    assert "GRU" not in kinds(masked)
    assert kinds(masked).count("Tanh") == 12


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_gradient_is_written_too(kind, tmp_path):
    """ONNX's LSTM gives the last cell state alone, and no gates; what goes back needs those of all steps."""
    gates = {"lstm": 4, "gru": 3}[kind]
    weights, first = [real(4, gates * 3), real(3, gates * 3)], np.zeros((5, 3), np.float32)

    def slope(x):
        h = first[: x.shape[1]]
        hx = (h, h) if kind == "lstm" else h
        return tg.grad(np.square(getattr(F, kind)(x, hx, *weights)[0]).sum(), x)

    file = written(slope, tg.Tensor(real(6, 5, 4), requires_grad=True), tmp_path, batch=1)
    assert kind.upper() in kinds(file)


def test_products_that_only_look_like_a_layers(tmp_path):
    """The node gets its input from before the product only where that is the product of a layer."""
    w, r, first = real(4, 12), real(3, 12), np.zeros((5, 3), np.float32)

    def turned(x):  # the rows are read in another order than a layer has them
        rows = np.reshape(np.swapaxes(x, 0, 1), (30, 4))
        return lstm(np.reshape(rows @ w, (6, 5, 12)), first, first, r)[0]

    def summed(x):  # what is added is no bias
        rows = np.reshape(x, (30, 4))
        return lstm(np.reshape(rows @ w + rows[:, :1], (6, 5, 12)), first, first, r)[0]

    for f in (turned, summed):
        assert "LSTM" in kinds(written(f, real(6, 5, 4), tmp_path, batch=None))


def test_names_that_nodes_would_have(tmp_path):
    names = ["add", "matmul", "constant_0", "batch_0", "y", "x"]
    weights = [nn.Parameter(real(4), name=name) for name in names]

    def f(x):
        for w in weights:
            x = x @ np.diag(w) + w * len(x)
        return np.reshape(x, (len(x), 2, 2)) + 1

    file = written(f, x, tmp_path)
    assert {t.name for t in file.graph.initializer} >= {*names[:5], "x_2"}
    assert (file.graph.input[0].name, file.graph.output[0].name) == ("x", "y_out")


# ---------------------------------------------------------------------------------------------------
# What is refused


def line(f):
    """The line number of the only `# here` in a function."""
    lines, start = inspect.getsourcelines(f)
    return start + next(i for i, text in enumerate(lines) if "# here" in text)


class Solved(nn.Module):
    """A layer without counterpart."""

    def forward(self, x):
        return np.linalg.pinv(x)  # here


class Sized(nn.Module):
    def forward(self, x):
        return x[:, : len(x) // 2]  # here


class Looking(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x  # here


class Writing(nn.Module):
    def __init__(self):
        self.calls = nn.Buffer(0.0)

    def forward(self, x):
        with tg.no_grad():
            self.calls += 1
        return x * 2


@op(vjp=(None,))
def counted(x):
    """How many are positive, by a function of NumPy that ONNX lacks."""
    return np.bincount(np.asarray(x > 0).ravel().astype(int))


REFUSED = {
    "an op without counterpart": (
        lambda: nn.Sequential(nn.Linear(4, 4), Solved()), x,
        rf"^pinv in Sequential\.1, recorded at .*test_writing\.py:{line(Solved.forward)}: .*, of \(2, 4\), has no counterpart in ONNX: np\.pinv has",
    ),
    "an op of one's own": (lambda: counted, x, r"^counted, recorded at .* has no counterpart in ONNX: its forward function needs the numbers"),
    "a shape that is no multiple of the batch": (Sized, x, r"output y is .* which thus depends on its batch in a way that a file cannot say"),
    "a size that the batch decides": (
        lambda: lambda x: x[np.array([0, 1, 1, 0, 2][: len(x)])], x, r"getitem, recorded at .* depends on the size of the batch.*fix the size, by batch=None",
    ),
    "a question about numbers": (Looking, x, rf"the truth of the result of greater .*test_writing\.py:{line(Looking.forward)}"),
    "dropout": (lambda: nn.Dropout(0.5), x, r"anew in each run, which a file cannot do; call model\.eval\(\)"),
    "batch norm that learns": (lambda: nn.BatchNorm1d(4), x, r"the model writes into 'running_mean', which a file cannot do; call model\.eval\(\)"),
    "a counter": (lambda: Writing().eval(), x, r"writes into 'calls'"),
    "a mask as an index": (lambda: lambda x: x[x > 0], x, r"getitem, recorded at .*choose with np\.where\(mask, x, 0\)"),
    "an axis that is not there": (lambda: net(), (x, 2), r"batch=0 is no axis of an input of shape \(\)"),
    "no type of a runtime": (lambda: np.tan, x.astype(float), r"^tan, recorded at .*, onnxruntime does not run this file.*try model\.float\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    make, given, said = REFUSED[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(b"as before")
    model = make()
    before = model.state_dict() if isinstance(model, nn.Module) else {}
    with pytest.raises((TypeError, ValueError, RuntimeError), match=said):
        tg.export.onnx(model, given, path)
    assert path.read_bytes() == b"as before"
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    if before:
        assert all(np.array_equal(before[key], a) for key, a in model.state_dict().items())


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_package_that_is_not_installed(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad-edu\[onnx\]"'):
        tg.export.onnx(net(), x, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_model_tells_how_it_was_run(tmp_path):
    def pairs(x):
        return np.reshape(x, (len(x) // 2, 8))

    with pytest.raises(ValueError, match="reshape") as caught:
        tg.export.onnx(pairs, x[:4], tmp_path / "net.onnx")
    assert "batches of 2 and 3 examples; batch=None keeps to the lengths of x" in caught.value.__notes__[0]
    tg.export.onnx(pairs, x[:4], tmp_path / "net.onnx", batch=None)


def test_bad_options(tmp_path):
    with pytest.raises(ValueError, match="has an axis for each input, of which there are 1"):
        tg.export.onnx(net(), x, tmp_path / "net.onnx", batch=(0, 0))
    with pytest.raises(ValueError, match="the model has 1 outputs, to be called unlike"):
        tg.export.onnx(net(), x, tmp_path / "net.onnx", names=["a", "b"])
    with pytest.raises(ValueError, match=r"needs one example at least, but got shape \(0, 4\)"):
        tg.export.onnx(net(), x[:0], tmp_path / "net.onnx")
    with pytest.raises(FileNotFoundError, match="make it first"):
        tg.export.onnx(net(), x, tmp_path / "nowhere" / "net.onnx")
    with pytest.raises(IsADirectoryError, match="is a folder; give the name of a file in it"):
        tg.export.onnx(net(), x, tmp_path)
    with pytest.raises(TypeError, match="takes a module, or a function of tensors, but got int"):
        tg.export.onnx(3, x, tmp_path / "net.onnx")
    with pytest.raises(TypeError, match="x is an example of the input, of numbers, but got NoneType"):
        tg.export.onnx(net(), None, tmp_path / "net.onnx")
    with pytest.raises(TypeError, match="the model returned 'a', and no tensor"):
        tg.export.onnx(lambda x: "a", x, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_the_model_is_as_before(tmp_path):
    model = net()
    before, mode = model.state_dict(), [m.training for m in model.modules()]
    tg.manual_seed(3)
    expected = tg.rand(3).tolist()
    tg.manual_seed(3)
    tg.export.onnx(model, x, tmp_path / "net.onnx")
    assert tg.rand(3).tolist() == expected
    assert [m.training for m in model.modules()] == mode
    assert all(np.array_equal(before[key], a) for key, a in model.state_dict().items())


def test_another_runtime_session_gives_the_same(tmp_path):
    model = net()
    path = tg.export.onnx(model, x, tmp_path / "net.onnx")
    running = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    many = real(100, 4)
    assert np.allclose(running.run(["y"], {"x": many})[0], model(many).numpy(), atol=1e-5)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_others_may_read_the_file_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    path = tg.export.onnx(net(), x, tmp_path / "net.onnx")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_double_precision(tmp_path):
    model = net().double()
    written(model, x.astype(float), tmp_path)  # compared within 1e-8
