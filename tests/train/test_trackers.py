"""Trackers, their files read back by their own packages: `make nightly`."""

import time

import numpy as np
import pytest

from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.train import MLflow, TensorBoard, Trainer, WandB

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.filterwarnings("default"),  # theirs
]


def trained(moons, *callbacks):
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = optim.Adam(model.parameters())
    trainer = Trainer(model, optimizer, F.cross_entropy, metrics=["accuracy"], callbacks=callbacks, seed=0)
    trainer.fit(moons, moons, epochs=3)
    return trainer


def numbers(row):
    return {name: value for name, value in row.items() if name != "epoch"}


def records(content):
    """The records of a log in LevelDB's format: blocks of 32 KiB, in them parts with checksum, length and kind."""
    whole, block = b"", 1 << 15
    place = 7  # after the file's own header
    while place < len(content):
        if block - place % block < 7:
            place += block - place % block  # a part's header does not fit any more
            continue
        n, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        whole += content[place + 7 : place + 7 + n]
        place += 7 + n
        if kind in (1, 4):  # all of a record, or its last part
            yield whole
            whole = b""


def whole_log(path):
    """The records of a run's log, which its own process may still be writing when the run has ended."""
    from wandb.proto.wandb_internal_pb2 import Record

    for _ in range(300):
        found = [Record.FromString(data) for data in records(path.read_bytes())]
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{path} has no end")


def test_weights_and_biases_log_is_parsed_by_its_own_protobufs(moons, tmp_path):
    import json

    trainer = trained(moons, WandB("digits", folder=tmp_path, config={"rate": 0.001}))
    (path,) = tmp_path.rglob("*.wandb")
    rows, config = {}, {}
    for record in whole_log(path):
        items = {(item.key or ".".join(item.nested_key)): json.loads(item.value_json) for item in record.history.item}
        if items:
            rows[items["epoch"]] = items
        config |= {item.key: json.loads(item.value_json) for item in record.run.config.update if item.key}
    assert config["rate"] == 0.001
    assert len(rows) == 3
    for row in trainer.history:
        for name, value in numbers(row).items():
            assert rows[row["epoch"]][name] == pytest.approx(value, rel=1e-12), name


def test_mlflow_store_is_read_by_its_client(moons, tmp_path):
    from mlflow.tracking import MlflowClient

    callback = MLflow("digits", folder=tmp_path / "runs", parameters={"lr": 0.001}, run="first")
    trainer = trained(moons, callback)
    client = MlflowClient((tmp_path / "runs").absolute().as_uri())
    run = client.get_run(callback.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"lr": "0.001"}
    for name in numbers(trainer.history.last):
        kept = client.get_metric_history(callback.run_id, name)
        assert {metric.step: metric.value for metric in kept} == {row["epoch"]: row[name] for row in trainer.history}


def test_tensorboard_reads_curves_and_histograms(moons, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = trained(moons, TensorBoard(tmp_path, x=moons[0]))
    events = EventAccumulator(str(tmp_path), size_guidance={"histograms": 0}).Reload()
    for name in numbers(trainer.history.last):
        got = {event.step: event.value for event in events.Scalars(name)}
        assert got == pytest.approx({row["epoch"]: row[name] for row in trainer.history}, rel=1e-6)
    weights = trainer.model[0].weight.numpy()
    last = events.Histograms("parameters/0.weight")[-1].histogram_value
    assert (last.num, last.min, last.max) == (8, pytest.approx(weights.min()), pytest.approx(weights.max()))
    assert last.sum == pytest.approx(float(np.sum(weights)), rel=1e-5)
    assert {"gradients/2.bias", "activations/1"} <= set(events.Tags()["histograms"])
