"""Classes of pictures, by a net that was trained: `python examples/project/predict.py out/project --test`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from network import data_of, net_of
from settings import Settings

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F
from tinygrad_edu.train import load_checkpoint, metrics


def main(arguments: list[str] | None = None) -> int:
    """Print a class and its probability for each picture; with --test, how good the net is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what train.py has written")
    parser.add_argument("pictures", type=Path, nargs="?", help="a .npy file of (N, pixels) or (N, rows, columns)")
    parser.add_argument("--test", action="store_true", help="judge the net by the test set")
    options = parser.parse_args(arguments)

    settings = Settings.read(options.folder / "settings.json")
    (x_train, _), (x_test, t_test) = data_of(settings)
    model = net_of(settings, x_train.shape[1])
    try:
        load_checkpoint(options.folder / "best.safetensors", model=model)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    model.eval()

    if options.pictures is not None:
        x = np.load(options.pictures, allow_pickle=False)
        x = x.reshape(len(x), -1).astype(np.float32)
        if x.shape[1] != x_train.shape[1]:
            raise SystemExit(
                f"{options.pictures} has {x.shape[1]} pixels a picture, but the net takes {x_train.shape[1]}"
            )
        with tg.no_grad():
            chances = F.softmax(model(x), -1).numpy()
        for i, row in enumerate(chances):
            print(f"picture {i}: {row.argmax()} ({row.max():.1%})")
    if options.test:
        with tg.no_grad():
            logits = model(x_test).numpy()
        matrix = metrics.confusion_matrix(logits, t_test)
        print(
            f"accuracy {metrics.accuracy(logits, t_test):.1%}, macro F1 {metrics.f1_score(logits, t_test, average='macro'):.3f}"
        )
        print("rows: the truth; columns: what it is taken for")
        print(matrix)
        wrong = np.flatnonzero(logits.argmax(1) != t_test)[:5]
        print("mistakes:", ", ".join(f"{t_test[i]} for {logits[i].argmax()}" for i in wrong) or "none")
    return 0


if __name__ == "__main__":
    sys.exit(main())
