"""Files that are read: as modules to run, train, copy and replay; and files that are refused."""

from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import onnx
import pytest
from onnx import helper

import tinygrad_edu as tg
from tests.export.networks import real
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F

x = real(5, 4)


def net():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)).eval()
    model[0].bias.requires_grad_(False)
    return model


@pytest.fixture
def path(tmp_path):
    return tg.export.onnx(net(), x, tmp_path / "net.onnx")


def test_parameters_buffers_and_what_is_frozen(path):
    model = tg.export.load_onnx(path)
    learnt = {name: p.requires_grad for name, p in model.named_parameters()}
    assert learnt == {
        "0.weight": True, "0.bias": False, "1.weight": True, "1.bias": True, "3.weight": True, "3.bias": True,
    }  # fmt: skip
    assert {name for name, _ in model.named_buffers()} == {"1.running_mean", "1.running_var"}
    assert "net.onnx: x: float32 (?, 4) → y" in repr(model)


def test_a_model_that_was_read_is_trained_on(path):
    model = tg.export.load_onnx(path)
    optimizer = optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(model(x), np.array([0, 1, 0, 1, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    again = tg.export.load_onnx(tg.export.onnx(model, x, path))
    assert np.allclose(again(x), model(x), atol=1e-6)


def test_gradients_are_those_of_the_model(path):
    model, loaded = net(), tg.export.load_onnx(path)
    for one in (model, loaded):
        np.square(one(x)).sum().backward()
    gradients = {name: p.grad for name, p in loaded.named_parameters()}
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert np.allclose(gradients[name], p.grad, rtol=1e-4, atol=1e-5)


def test_it_is_replayed_copied_and_pickled(path):
    model = tg.export.load_onnx(path)
    expected = model(x).numpy()
    assert np.array_equal(tg.replay(model)(x), expected)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other(x), expected)
        other.load_state_dict({name: 0 * a for name, a in model.state_dict().items()})
        assert not np.array_equal(other(x), expected)
        assert np.array_equal(model(x), expected)


def test_states_are_loaded_by_name(path):
    model, other = tg.export.load_onnx(path), net()
    other[3].weight.data = other[3].weight.data * 2
    model.load_state_dict({k: v for k, v in other.state_dict().items() if "num_batches" not in k})
    assert np.allclose(model(x), other(x), atol=1e-6)


def test_inputs_that_do_not_fit(path):
    model = tg.export.load_onnx(path)
    with pytest.raises(ValueError, match=r"net\.onnx takes x of float32 \(any, 4\), but got float32 \(5, 3\)"):
        model(x[:, :3])
    with pytest.raises(ValueError, match=r"but got int64 \(5, 4\)"):
        model(np.ones((5, 4), int))
    with pytest.raises(TypeError, match="takes 1 input, x, but got 2"):
        model(x, x)


def test_names_that_modules_have_already(tmp_path):
    model = nn.Module()
    model.forward = lambda x: x * weights["float.weight"] + weights["_steps"]
    weights = {
        "float.weight": nn.Parameter(real(4), name="float.weight"),
        "_steps": nn.Parameter(real(4), name="_steps"),
    }
    loaded = tg.export.load_onnx(tg.export.onnx(lambda x: model.forward(x), x, tmp_path / "net.onnx"))
    assert {name for name, _ in loaded.named_parameters()} == {"float_.weight", "_steps_"}
    assert np.allclose(loaded.float()(x), model.forward(x))


# ---------------------------------------------------------------------------------------------------
# What is refused


def file_of(nodes, folder, *, opset=18, shape=(5, 4), arrays=(), domains=()):
    """A file with these nodes, from x to y."""
    value = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))
    graph = helper.make_graph(
        nodes, "g", [value("x")], [value("y")], [onnx.numpy_helper.from_array(a, n) for n, a in arrays]
    )
    opsets = [helper.make_opsetid("", opset), *[helper.make_opsetid(domain, 1) for domain in domains]]
    path = folder / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    return path


def node(kind, *inputs, **attributes):
    return helper.make_node(kind, inputs or ["x"], ["y"], **attributes)


REFUSED = {
    "a newer version": (lambda d: file_of([node("Relu")], d, opset=24), r"other\.onnx has operators of version \(opset\) 24, newer than .*opset_version=23"),
    "an older version": (lambda d: file_of([node("Relu")], d, opset=9), r"version \(opset\) 9, older than"),
    "unknown operators": (
        lambda d: file_of([helper.make_node("Hardmax", ["x"], ["z"]), node("MeanVarianceNormalization", "z")], d), r"does not read: Hardmax, MeanVarianceNormalization; run the file with onnxruntime"
    ),
    "operators that nobody has": (lambda d: file_of([node("Foo")], d), r"does not read: Foo; run"),
    "those of a domain that the file does not name": (lambda d: file_of([node("Foo", domain="com.me")], d), r"does not read: com\.me\.Foo"),
    "those of others": (lambda d: file_of([node("FusedGemm", domain="com.microsoft")], d, domains=["com.microsoft"]), r"does not read: com\.microsoft\.FusedGemm"),
    "a way that is not read": (
        lambda d: file_of([node("Resize", "x", "", "s", mode="nearest", coordinate_transformation_mode="tf_crop_and_resize")], d, arrays=[("s", np.ones(2, np.float32))]),
        r"node 'y' is Resize with coordinate_transformation_mode='tf_crop_and_resize'",
    ),
    "a gate that is computed otherwise": (
        lambda d: file_of([node("GRU", "x", "w", "r", hidden_size=1)], d, arrays=[("w", real(1, 3, 4)), ("r", real(1, 3, 1))]),
        r"GRU with linear_before_reset=0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    make, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        tg.export.load_onnx(make(tmp_path))


def test_a_newer_version_than_the_package_knows(path):
    file = onnx.load(path)
    file.opset_import[0].version = 99
    path.write_bytes(file.SerializeToString())
    with pytest.raises(ValueError, match=r"version \(opset\) 99, newer than"):
        tg.export.load_onnx(path)


def test_a_newer_format_than_the_package_knows(path):
    file = onnx.load(path)
    file.ir_version = 99
    path.write_bytes(file.SerializeToString())
    with pytest.raises(ValueError, match=r"net\.onnx has the format \(IR\) 99, newer than .*upgrade onnx"):
        tg.export.load_onnx(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_file_that_is_cut(share, path):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"net\.onnx is (no whole ONNX file|damaged)|version"):
        tg.export.load_onnx(path)


def test_a_file_that_is_no_onnx_file(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"net\.onnx is no whole ONNX file"):
        tg.export.load_onnx(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        tg.export.load_onnx(tmp_path / "nothing.onnx")


def test_numbers_beside_the_file(path, tmp_path):
    expected = tg.export.load_onnx(path)(x).numpy()
    onnx.save(onnx.load(path), str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    assert np.array_equal(tg.export.load_onnx(path)(x), expected)
    (tmp_path / "net.data").unlink()
    with pytest.raises(FileNotFoundError, match=r"net\.onnx keeps its numbers in net\.data, which is not beside it"):
        tg.export.load_onnx(path)


def test_numbers_elsewhere_are_not_fetched(path, tmp_path):
    """A file may not name another folder."""
    (tmp_path / "inner").mkdir()
    onnx.save(onnx.load(path), str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    file = onnx.load(path, load_external_data=False)
    for tensor in file.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../net.data"
    inner = tmp_path / "inner" / "net.onnx"
    inner.write_bytes(file.SerializeToString())
    with pytest.raises(ValueError, match=r"net\.onnx"):
        tg.export.load_onnx(inner)


def test_the_package_is_not_installed(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad-edu\[onnx\]"'):
        tg.export.load_onnx(path)
