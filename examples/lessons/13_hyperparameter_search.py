# %% [markdown]
# # 13. Searching for settings
#
# Rates, decays, widths are not learnt; they are tried. On which data matters: what is chosen by the test set is no longer
# tested by it, so a third set, for **validation**, does the choosing. And how they are drawn matters: rates by their order of
# magnitude, $10^{U(-6, -2)}$, and at random rather than on a grid, since only few of the settings count, and a grid tries
# few values of each.
#
# Source: Bergstra and Bengio, *Random search for hyper-parameter optimization*, JMLR 13 (2012).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import datasets, train_test_split
from tinygrad_edu.sklearn import NeuralNetClassifier
from tinygrad_edu.train import Choice, LogUniform, Trainer, tune

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer trials, for a look
OUT = Path("out/lessons/13")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Three sets
#
# 500 digits: to train, to choose, and to test once, at the end.

# %%
(x, t), (x_test, t_test) = datasets.digits()
x_train, x_val, t_train, t_val = train_test_split(x[:500], t[:500], test_size=0.2, stratify=t[:500], random_state=0)
print(len(x_train), "to train,", len(x_val), "to choose,", len(x_test), "to test")


def trained(settings, follow=None, epochs=8 if QUICK else 30):
    """A net trained with these settings."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, settings.get("width", 50)), nn.ReLU(), nn.Linear(settings.get("width", 50), 10))
    rule = optim.SGD(model.parameters(), lr=settings["lr"], momentum=0.9, weight_decay=settings["decay"])
    callbacks = [follow] if follow else []
    trainer = Trainer(model, rule, nn.CrossEntropyLoss(), metrics=["accuracy"], callbacks=callbacks, seed=0)
    trainer.fit((x_train, t_train), validation=(x_val, t_val), epochs=epochs, batch_size=50)
    return trainer


def score(settings, follow):
    return trained(settings, follow).history["val_accuracy"][-1]


# %% [markdown]
# ## At random, on log scales

# %%
SPACE = {"lr": LogUniform(1e-6, 1), "decay": LogUniform(1e-8, 1e-2)}
count = 12 if QUICK else 60
drawn = tune(score, SPACE, trials=count, sampler="random", mode="max", seed=0)
best = sorted(drawn.trials, key=lambda trial: -trial.value)[:5]
for trial in best:
    print(f"{trial.value:.2f}", {name: f"{value:.1e}" for name, value in trial.params.items()})

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for axis, name in zip(axes, SPACE, strict=True):
    axis.semilogx([trial.params[name] for trial in drawn.trials], [trial.value for trial in drawn.trials], "o")
    axis.set_xlabel(name)
axes[0].set_ylabel("validation accuracy")
axes[0].set_title("the rate decides")
axes[1].set_title("the decay hardly")
figure.savefig(OUT / "random.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## A grid, and where the trials go
#
# As many trials on a grid try only a handful of rates.

# %%
few = 3 if QUICK else 7
grid = {
    "lr": Choice(np.logspace(-6, 0, few).tolist()),
    "decay": Choice(np.logspace(-8, -2, few).tolist()),
}
gridded = tune(score, grid, sampler="grid", mode="max", seed=0)
rates = {
    name: len({trial.params["lr"] for trial in study.trials}) for name, study in (("random", drawn), ("grid", gridded))
}
print(f"rates that were tried: {rates}; best on the grid {gridded.best_value:.2f}, at random {drawn.best_value:.2f}")

# %% [markdown]
# ## Drawing near what was good, and giving up early
#
# TPE draws more where the results were good; a pruner ends trainings that are worse than half of the others were.

# %%
near = tune(score, SPACE, trials=count, sampler="tpe", pruner="median", monitor="val_accuracy", mode="max", seed=0)
given_up = sum(trial.state.name == "PRUNED" for trial in near.trials)
print(f"TPE: best {near.best_value:.2f}; {given_up} of {count} trainings were given up early")
chosen = trained(near.best_params)
test_accuracy = chosen.evaluate((x_test, t_test))["accuracy"]
print(f"the chosen net on the test set, once: {test_accuracy:.1%}")

# %% [markdown]
# ## Cross-validation
#
# With little data a single split is a lottery. Five folds, each left out once; and scikit-learn's own grid search over them,
# since the nets are estimators as any other.

# %%
net = NeuralNetClassifier(hidden_layer_sizes=(50,), learning_rate=0.01, max_epochs=8 if QUICK else 30, random_state=0)
folds = cross_val_score(net, x[:500], t[:500], cv=StratifiedKFold(3 if QUICK else 5, shuffle=True, random_state=0))
search = GridSearchCV(net, {"hidden_layer_sizes": [(5,), (50,)]}, cv=2 if QUICK else 5).fit(x[:500], t[:500])
print("folds:", folds.round(3).tolist(), "; the better width:", search.best_params_["hidden_layer_sizes"])

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "trials": len(drawn.trials),
    "best at random": drawn.best_value,
    "lowest of the three best rates": min(trial.params["lr"] for trial in best[:3]),
    "rates tried at random": rates["random"],
    "rates tried on the grid": rates["grid"],
    "given up early": given_up,
    "test accuracy": test_accuracy,
    "mean over the folds": float(folds.mean()),
    "spread over the folds": float(folds.std()),
    "the better width": search.best_params_["hidden_layer_sizes"][0],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
