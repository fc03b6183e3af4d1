"""Checkpoints: whole or not there, loaded whole or not at all, exact to the bit."""

import json
import os
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.train import History, Trainer, files, load_checkpoint, save_checkpoint


def everything(seed=0, hidden=4):
    """All that a checkpoint takes, after two steps."""
    g = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(3, hidden, generator=g), nn.BatchNorm1d(hidden), nn.Linear(hidden, 2, generator=g))
    optimizer = optim.Adam(model.parameters(), lr=0.1 + seed)
    scheduler = lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(g.standard_normal((5, 3)).astype(np.float32)), np.arange(5) % 2).backward()
        optimizer.step()
        scheduler.step()
    history = History([{"epoch": 1, "loss": 0.1 + seed}])
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler, "generator": g, "history": history}


def states(parts):
    return {
        name: part.bit_generator.state if name == "generator" else part.state_dict() for name, part in parts.items()
    }


def test_all_comes_back_to_the_bit(tmp_path):
    saved, other = everything(0), everything(1)
    path = save_checkpoint(
        tmp_path / "a.safetensors", **saved, note="hello", numbers=(1, 2.5, None, {3: np.float64(0.1)})
    )
    tree = load_checkpoint(path, **other)
    np.testing.assert_equal(states(other), states(saved))
    assert tree["note"] == "hello"
    assert tree["numbers"] == (1, 2.5, None, {3: 0.1})
    assert load_file(path)["model.0.weight"].shape == (3, 4)  # by any reader of the format
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_part_can_be_taken_alone(tmp_path):
    saved, other = everything(0), everything(1)
    path = save_checkpoint(tmp_path / "a", **saved)
    before = states(other)
    load_checkpoint(path, model=other["model"])
    after = states(other)
    np.testing.assert_equal(after.pop("model"), saved["model"].state_dict())
    before.pop("model")
    np.testing.assert_equal(after, before)


LAYOUTS = {
    "transposed": lambda a: a.T,
    "every second": lambda a: a[::2],
    "backwards": lambda a: a[::-1],
    "as Fortran has it": np.asfortranarray,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint16", "bool"])
def test_arrays_of_any_layout_are_written_right(tmp_path, layout, dtype):
    array = LAYOUTS[layout](np.arange(12).reshape(4, 3).astype(dtype))
    back = files.load_tree(files.save_tree(tmp_path / "a", {"a": array}))["a"]
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype.newbyteorder("=")


@settings(max_examples=30)
@given(
    hnp.arrays(
        st.sampled_from(["float32", "float64", "int32", "bool"]), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)
    )
)
def test_shapes_stay_also_of_nothing_and_of_one_number(array):
    with tempfile.TemporaryDirectory() as folder:
        arrays, _ = files.read(files.write_atomically(os.path.join(folder, "a"), files.as_bytes({"a": array})))
    np.testing.assert_array_equal(arrays["a"], array)
    assert arrays["a"].shape == array.shape


trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | hnp.arrays("float64", hnp.array_shapes(max_dims=2, max_side=2)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=25)
@given(trees)
def test_trees_of_plain_values_come_back_as_they_were(tree):
    arrays = {}
    plain = json.loads(json.dumps(files._packed(tree, "t", arrays)))
    np.testing.assert_equal(files._unpacked(plain, arrays), tree)


def test_two_paths_that_read_alike_keep_two_arrays(tmp_path):
    tree = {"a": {"b.c": np.zeros(1), "b": {"c": np.ones(1)}}}
    np.testing.assert_equal(files.load_tree(files.save_tree(tmp_path / "a", tree)), tree)


def test_a_file_cut_at_any_byte_is_refused_and_nothing_is_loaded(tmp_path):
    model = nn.Linear(1, 1)
    path = save_checkpoint(tmp_path / "whole", model=model, history=History([{"epoch": 1, "loss": 0.5}]))
    content = path.read_bytes()
    other, history = nn.Linear(1, 1), History()
    before = other.state_dict()
    cut = tmp_path / "cut"
    for n in range(len(content)):
        cut.write_bytes(content[:n])
        with pytest.raises(ValueError, match="cut is not a whole safetensors file"):
            load_checkpoint(cut, model=other, history=history)
    np.testing.assert_equal(other.state_dict(), before)
    assert len(history) == 0
    cut.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="not a whole"):
        load_checkpoint(cut, model=other)


def test_a_save_that_fails_at_any_moment_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path / "a", model=nn.Linear(1, 1), mark=1)
    for name in ("fsync", "replace"):

        def fails(*_, name=name):
            raise KeyboardInterrupt(name)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, fails)
            with pytest.raises(KeyboardInterrupt):
                save_checkpoint(path, model=nn.Linear(1, 1), mark=2)
        assert files.load_tree(path)["mark"] == 1
        assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("part", ["model", "optimizer", "scheduler", "generator", "history"])
def test_what_does_not_fit_changes_nothing(tmp_path, part):
    path = save_checkpoint(tmp_path / "a", **everything(0))
    other = everything(1)
    wrong = {
        "model": nn.Linear(3, 2),
        "optimizer": optim.SGD(other["model"].parameters(), lr=0.1),
        "scheduler": lr_scheduler.SequentialLR(
            other["optimizer"], [lr_scheduler.StepLR(other["optimizer"], 1)] * 2, milestones=[3]
        ),
        "generator": np.random.Generator(np.random.MT19937(0)),
        "history": History(),
    }
    parts = {**other, part: wrong[part]}
    if part == "history":
        tree = files.load_tree(path)
        files.save_tree(path, {**tree, "history": {"rows": 3}})
    before = states(parts)
    with pytest.raises(ValueError, match=f"the {part} in .*a does not fit, and nothing was loaded"):
        load_checkpoint(path, **parts)
    np.testing.assert_equal(states(parts), before)


def test_what_is_tied_is_written_once_and_stays_tied(tmp_path):
    def tied():
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        return model

    a, b = tied(), tied()
    path = save_checkpoint(tmp_path / "a", model=a)
    assert sorted(load_file(path)) == ["model.0.bias", "model.0.weight", "model.1.bias"]
    load_checkpoint(path, model=b)
    assert b[0].weight is b[1].weight
    np.testing.assert_array_equal(a[1].weight.numpy(), b[1].weight.numpy())


def versions(tmp_path):
    files.VERSION += 1
    try:
        return save_checkpoint(tmp_path / "a", model=nn.Linear(1, 1))
    finally:
        files.VERSION -= 1


def test_other_versions_and_other_programs_are_told_apart(tmp_path):
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="a is a checkpoint of version 2, and this tinygrad_edu reads version 1"):
        load_checkpoint(versions(tmp_path), model=model)
    save_file({"weight": np.ones(1)}, tmp_path / "b")
    with pytest.raises(ValueError, match="no checkpoint of tinygrad_edu"):
        load_checkpoint(tmp_path / "b", model=model)
    for said in (
        "not json",
        "{}",
        "[]",
        '{"version": 1, "tree": 3}',
        '{"version": 1, "tree": {"model": {"__array__": "x"}}}',
    ):
        save_file({"weight": np.ones(1)}, tmp_path / "c", {"tinygrad_edu": said})
        with pytest.raises(ValueError, match="c is damaged"):
            load_checkpoint(tmp_path / "c", model=model)
    with pytest.raises(ValueError, match="holds model, but no optimizer"):
        load_checkpoint(
            save_checkpoint(tmp_path / "d", model=model), model=model, optimizer=optim.SGD(model.parameters(), 0.1)
        )
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none", model=model)


def test_what_cannot_be_written_is_named(tmp_path):
    for value, said in (
        ({1, 2}, "others.deep is set"),
        (np.array([None]), "others.deep is object"),
        (np.ones(2, complex), "others.deep is complex128"),
    ):
        with pytest.raises(TypeError, match=said):
            save_checkpoint(tmp_path / "a", others={"deep": value})
    with pytest.raises(FileNotFoundError, match="make it first"):
        save_checkpoint(tmp_path / "no" / "a", note=1)
    with pytest.raises(TypeError, match="state_dict"):
        save_checkpoint(tmp_path / "a", model=np.ones(2))
    with pytest.raises(TypeError, match=r"numpy\.random\.Generator"):
        save_checkpoint(tmp_path / "a", generator=3)
    assert list(tmp_path.iterdir()) == []


def test_a_trainer_refuses_the_file_of_another_and_stays(tmp_path):
    def made(hidden=3, **options):
        model = nn.Sequential(nn.Linear(2, hidden), nn.Linear(hidden, 2))
        return Trainer(model, optim.Adam(model.parameters()), F.cross_entropy, seed=0, **options)

    data = np.ones((8, 2), np.float32), np.zeros(8, int)
    trainer = made()
    trainer.fit(data, epochs=2)
    path = trainer.save(tmp_path / "a")
    other = made(hidden=4)
    other.fit(data, epochs=1)
    before = other.model.state_dict()
    with pytest.raises(ValueError, match=r"the model in .*a does not fit"):
        other.fit(data, epochs=5, resume=path)
    np.testing.assert_equal(other.model.state_dict(), before)
    assert other.epoch == 1
    with pytest.raises(ValueError, match="not of a trainer"):
        other.load(save_checkpoint(tmp_path / "b", model=other.model))
    load_checkpoint(path, model=trainer.model)


def test_tensors_are_taken_too(tmp_path):
    tree = files.load_tree(files.save_tree(tmp_path / "a", {"t": tg.Tensor([1.0, 2.0])}))
    np.testing.assert_array_equal(tree["t"], [1.0, 2.0])
