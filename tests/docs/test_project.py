"""The project of the examples: its commands run, go on where they stopped, and say what is wrong."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "project"


def run(folder, command, *options, fails=False):
    ran = subprocess.run(
        [sys.executable, "-W", "error", PROJECT / f"{command}.py", *map(str, options)],
        cwd=folder, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert (ran.returncode != 0) is fails, ran.stderr
    return ran.stderr if fails else ran.stdout


def rows(folder):
    with (folder / "out" / "project" / "log.csv").open(encoding="utf-8") as file:
        return [
            {name: float(value) for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    said = run(folder, "train", "--config", PROJECT / "config.json", "--epochs", 6)
    return folder, said


def test_training_leaves_what_it_says(trained):
    folder, said = trained
    assert float(said.split("test accuracy ")[1].split("%")[0]) > 90
    files = {path.name for path in (folder / "out" / "project").iterdir()}
    assert files == {"settings.json", "log.csv", "best.safetensors", "last.safetensors", "curves.png"}
    settings = json.loads((folder / "out" / "project" / "settings.json").read_text(encoding="utf-8"))
    assert settings["layers"] == [100, 50]
    assert settings["epochs"] == 6
    assert len(rows(folder)) == 6


def test_resumed_is_uninterrupted(trained, tmp_path):
    run(tmp_path, "train", "--config", PROJECT / "config.json", "--epochs", 3)
    run(tmp_path, "train", "--resume", "--epochs", 6)
    assert rows(tmp_path) == rows(trained[0])


def test_prediction(trained):
    folder, _ = trained
    said = run(folder, "predict", "out/project", "--test")
    assert float(said.split("accuracy ")[1].split("%")[0]) > 90
    np.save(folder / "pictures.npy", np.zeros((3, 8, 8)))
    assert run(folder, "predict", "out/project", "pictures.npy").count("picture") == 3
    np.save(folder / "wrong.npy", np.zeros((3, 9)))
    assert "has 9 pixels a picture, but the net takes 64" in run(
        folder, "predict", "out/project", "wrong.npy", fails=True
    )


def test_what_was_trained_is_served(trained):
    pytest.importorskip("uvicorn")
    folder, _ = trained
    pictures = np.random.default_rng(0).random((3, 64)).round(2)
    np.save(folder / "some.npy", pictures)
    expected = re.findall(r"picture \d: (\d)", run(folder, "predict", "out/project", "some.npy"))
    command = [sys.executable, "-W", "error", PROJECT.parent / "serve.py", "out/project", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        while "Uvicorn running on" not in said:
            assert process.poll() is None, said
            said += process.stderr.readline()
        rows = json.dumps({"rows": pictures.tolist()}).encode()
        (where,) = re.findall(r"Uvicorn running on (\S+)", said)
        asked = urllib.request.Request(f"{where}/predict", rows, {"Content-Type": "application/json"})
        outputs = json.load(urllib.request.urlopen(asked, timeout=30))["outputs"]
        process.terminate()
        process.communicate(timeout=30)
    assert np.argmax(outputs, axis=1).astype(str).tolist() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--optimizer", "adm"], "--optimizer is one of adam"),
        (["--data", "cats"], "--data is one of digits"),
        (["--resume"], "there is no training in"),
        (["--config", "nothing.json"], "nothing.json"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, options, message):
    assert message in run(tmp_path, "train", *options, fails=True)


def test_a_file_with_an_unknown_setting_is_named(tmp_path):
    (tmp_path / "other.json").write_text('{"layer": [3]}', encoding="utf-8")
    assert "other.json sets layer; there are data, layers" in run(
        tmp_path, "train", "--config", "other.json", fails=True
    )
