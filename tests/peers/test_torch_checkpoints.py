"""Parameters written by PyTorch and read here, and the reverse: the same outputs from the same inputs."""

import numpy as np
import pytest
from agreement import assert_close
from safetensors.torch import load_file, load_model, save_file, save_model

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.train import load_torch, to_torch

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers


def ours():
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4, bias=False), nn.Linear(4, 3))


def theirs():
    t = torch.nn
    return t.Sequential(t.Linear(5, 4), t.BatchNorm1d(4), t.ReLU(), t.Linear(4, 4, bias=False), t.Linear(4, 3))


def trained(model):
    """Their model with running statistics that are not those of the beginning."""
    model(torch.randn(20, 5) * 2 + 1)
    return model.eval()


def same_outputs(a, b):
    x = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    assert_close(a.eval()(tg.Tensor(x)).numpy(), b.eval()(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_theirs_is_read(tmp_path):
    torch.manual_seed(0)
    model, mine = trained(theirs()), ours()
    save_file(model.state_dict(), tmp_path / "a")
    load_torch(tmp_path / "a", mine)
    same_outputs(mine, model)


def test_ours_is_read(tmp_path):
    torch.manual_seed(0)
    mine, model = ours(), theirs()
    mine(np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32))
    model.load_state_dict(load_file(to_torch(mine, tmp_path / "a")))
    same_outputs(mine, model)


def test_there_and_back_is_the_same_to_the_bit(tmp_path):
    torch.manual_seed(0)
    model, mine = trained(theirs()), ours()
    save_file(model.state_dict(), tmp_path / "a")
    load_torch(tmp_path / "a", mine)
    back = load_file(to_torch(mine, tmp_path / "b"))
    assert back.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(back[name], tensor), name


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(5, 5), torch.nn.Linear(5, 5)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


class OurTied(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


def test_what_is_shared_is_there_once_or_under_each_name(tmp_path):
    torch.manual_seed(0)
    model = Tied()
    save_model(model, str(tmp_path / "once"))
    save_file({name: tensor.clone() for name, tensor in model.state_dict().items()}, tmp_path / "twice")
    for name in ("once", "twice"):
        mine = OurTied()
        load_torch(tmp_path / name, mine)
        assert mine.a.weight is mine.b.weight
        same_outputs(mine, model)
    mine, model = OurTied(), Tied()
    assert load_model(model, to_torch(mine, tmp_path / "ours")) == (set(), [])
    same_outputs(mine, model)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["b.weight"] += 1
    save_file(state, tmp_path / "torn")
    with pytest.raises(ValueError, match=r"torn has two tensors for a.weight"):
        load_torch(tmp_path / "torn", mine)


def test_what_does_not_fit_changes_nothing(tmp_path):
    mine = ours()
    before = mine.state_dict()
    state = theirs().state_dict()
    state["0.weight"] = torch.ones(5, 5)
    state["extra"] = state.pop("4.bias")
    save_file(state, tmp_path / "a")
    with pytest.raises(
        ValueError,
        match=r"(?s)a, its weights of Linear and recurrent layers transposed, does not fit.*missing: 4.bias.*not expected: extra",
    ):
        load_torch(tmp_path / "a", mine)
    content = (tmp_path / "a").read_bytes()
    for n in range(0, len(content), 7):
        (tmp_path / "cut").write_bytes(content[:n])
        with pytest.raises(ValueError, match="cut is not a whole safetensors file"):
            load_torch(tmp_path / "cut", mine)
    np.testing.assert_equal(mine.state_dict(), before)
