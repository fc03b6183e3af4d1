"""Train a net on handwritten digits: `python examples/project/train.py --layers 100,50 --epochs 20`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from network import data_of, net_of, optimizer_of
from settings import Settings, add_options, with_options

from tinygrad_edu import nn
from tinygrad_edu.data import train_test_split
from tinygrad_edu.train import Callback, Checkpoint, CSVLogger, EarlyStopping, ProgressBar, Trainer
from viz.plots import training_curves


def main(arguments: list[str] | None = None) -> int:
    """Train, and leave settings, log, checkpoints and curves in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--config", type=Path, help="a file of settings; options go before it")
    parser.add_argument("--out", type=Path, default=Path("out/project"), help="where the results go")
    parser.add_argument("--resume", action="store_true", help="go on where the training in --out stopped")
    options = parser.parse_args(arguments)

    kept = options.out / "settings.json"
    if options.resume and not kept.exists():
        raise SystemExit(f"--resume: there is no training in {options.out}")
    read = kept if options.resume else options.config
    settings = with_options(Settings.read(read) if read else Settings(), options)

    if settings.epochs < 1 or settings.batch_size < 1:
        raise SystemExit(
            f"--epochs and --batch-size are 1 or more, but got {settings.epochs} and {settings.batch_size}"
        )
    (x, t), test = data_of(settings)
    x_train, x_val, t_train, t_val = train_test_split(x, t, test_size=0.1, stratify=t, random_state=settings.seed)
    try:
        model = net_of(settings, x.shape[1])
        optimizer = optimizer_of(settings, model)
    except (TypeError, ValueError) as error:
        raise SystemExit(f"the settings do not make a net and its optimizer: {error}") from error
    options.out.mkdir(parents=True, exist_ok=True)
    settings.write(kept)

    callbacks: list[Callback] = [ProgressBar(), Checkpoint(options.out), CSVLogger(options.out / "log.csv")]
    if settings.patience:
        callbacks.append(EarlyStopping(patience=settings.patience, restore_best=True))
    trainer = Trainer(
        model, optimizer, nn.CrossEntropyLoss(), metrics=["accuracy"], callbacks=callbacks,
        seed=settings.seed,
    )  # fmt: skip
    last = options.out / "last.safetensors"
    try:
        trainer.fit(
            (x_train, t_train), (x_val, t_val), settings.epochs, batch_size=settings.batch_size,
            resume=last if options.resume else None,
        )  # fmt: skip
    except KeyboardInterrupt:
        print(f"\nstopped in epoch {trainer.epoch + 1}; --resume goes on from {last}")
        return 130
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    training_curves(trainer.history).savefig(options.out / "curves.png", dpi=150)
    best = max(trainer.history["val_accuracy"])
    found = trainer.evaluate(test)
    print(f"{trainer.epoch} epochs: best validation accuracy {best:.1%}; test accuracy {found['accuracy']:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
