"""Each lesson runs, quickly, and ends in the numbers that it is to show."""

from __future__ import annotations

import ast
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

LESSONS = Path(__file__).parents[2] / "examples" / "lessons"


def between(low, high):
    return lambda number: low <= number <= high


def about(value, relative=1e-5):
    return lambda number: abs(number - value) <= relative * abs(value)


def exactly(value):
    return lambda number: number == value


EXPECTED = {
    "01_perceptron": {
        "AND": exactly([0, 0, 0, 1]),
        "NAND": exactly([1, 1, 1, 0]),
        "OR": exactly([0, 1, 1, 1]),
        "XOR": exactly([0, 1, 1, 0]),
        "lines that make XOR": exactly(0),
        "largest slope of a step": exactly(0.0),
        "epochs to learn XOR": exactly(None),
        "a line on XOR": between(0.4, 0.8),
        "a line on features by hand": between(0.97, 1),
        "the net on XOR": between(0.97, 1),
    },
    "02_network_by_hand": {
        "three layers of (1.0, 0.5)": exactly([0.31682708, 0.69627909]),
        "softmax of (0.3, 2.9, 4.0)": exactly([0.01821127, 0.24519181, 0.73659691]),
        "softmax of (1010, 1000, 990)": exactly([0.99995, 4.5398e-05, 2.0611e-09]),
        "the library's softmax differs by": between(0, 1e-15),
        "naive softmax has NaN": exactly(True),
        "answers that a batch changes": exactly(0),
    },
    "03_gradient_descent": {
        "central difference at 5": exactly(0.1999999999990898),
        "central difference at 10": exactly(0.2999999999986347),
        "the engine at 5": about(0.2, 1e-15),
        "the best h for both sides": between(1e-7, 1e-4),
        "gradients": exactly([[6.0, 8.0], [0.0, 4.0], [6.0, 0.0]]),
        "after 20 steps": lambda x: about(-0.03458765)(x[0]) and about(0.04611686)(x[1]),
        "after 100 steps": lambda x: about(-6.1111e-10)(x[0]) and about(8.1481e-10, 1e-4)(x[1]),
        "rate too small stays at": exactly([-3.0, 4.0]),
        "rate too large goes beyond": lambda x: x > 1e8,
        "plain descent ends at": between(1.2, 1.5),
        "momentum ends at": between(-1.8, -1.2),
        "the plateau is left by": between(0, 0.01),
        "on the ridge of the saddle": exactly(0.0),
        "a hair beside the ridge": between(0.1, 1),
    },
    "04_chain_rule": {
        "apples": exactly(220.0),
        "by apple, count, tax": exactly([2.2, 110.0, 200.0]),
        "with oranges": exactly(715.0),
        "by apple, count, orange, oranges, tax": exactly([2.2, 110.0, 3.3, 165.0, 650.0]),
        "error": exactly(0.298371109),
        "by w5": exactly(0.082167041),
        "by w1": exactly(0.000438568),
        "by hand minus the engine": between(0, 1e-15),
        "numerically by w1": exactly(0.000438568),
    },
    "05_two_layer_net": {
        "mean difference of the gradients": between(0, 1e-8),
        "times as long, numerically": lambda ratio: ratio > 5,
        "loss at first": about(math.log(10), 1e-3),
        "loss at last": between(0, 0.5),
        "training accuracy": between(0.9, 1),
        "test accuracy": between(0.9, 1),
    },
    "06_optimizers": {
        "SGD at": exactly([-0.350393, 0.084782]),
        "Momentum at": exactly([0.896414, 0.088086]),
        "AdaGrad at": lambda at: at[0] == -0.120162 and abs(at[1]) < 1e-6,
        "Adam at": exactly([0.136015, 0.318245]),
        "last loss of SGD": between(0.5, 2),
        "last loss of Momentum": between(0, 0.4),
        "last loss of AdaGrad": between(0, 0.4),
        "last loss of Adam": between(0, 0.4),
    },
    "07_initialization": {
        "sigmoid, std 1, share saturated": between(0.5, 0.8),
        "sigmoid, std 0.01, last layer's std": between(0, 0.02),
        "tanh, std 0.01, last layer's std": between(0, 1e-4),
        "tanh, Xavier, last over first std": between(0.4, 1.1),
        "ReLU, std 0.01, last layer's std": between(0, 1e-4),
        "ReLU, Xavier, last over first std": between(0.1, 0.5),
        "ReLU, He, last over first std": between(0.6, 1.6),
        "equal columns differ by": exactly(0.0),
        "… and have moved by": between(0.05, 10),
        "zero columns differ by": exactly(0.0),
        "last loss, std 0.01": about(math.log(10), 1e-2),
        "last loss, He": between(0, 1),
    },
    "08_batch_normalization": {
        "largest mean after it": between(0, 1e-6),
        "spread after it": exactly([1.0, 1.0, 1.0]),
        "one alone, minus the same among others": between(0, 1e-6),
        "scales": exactly(3),
        "scales that learn with batch norm": exactly(3),
        "scales that learn without": exactly(1),
    },
    "09_regularization": {
        "degree 1, on the points": between(0.05, 0.2),
        "degree 4, beyond": between(0, 0.05),
        "degree 11, on the points": between(0, 1e-15),
        "degree 11, beyond": lambda error: error > 1,
        "training accuracy, nothing": between(0.97, 1),
        "test accuracy, nothing": between(0.8, 0.95),
        "training accuracy, L2": between(0.9, 1),
        "weights near zero, nothing": between(0, 0.03),
        "weights near zero, L1": between(0.05, 1),
        "units that speak": between(0.4, 0.8),
        "units that speak, penalized": between(0.01, 0.35),
        "stopped after epochs": between(5, 40),
        "test accuracy, augmentation": between(0.85, 0.97),
        "test accuracy, all": between(0.85, 0.97),
    },
    "10_schedules": {
        "rates of the stairs": exactly([1.0, 0.3, 0.09]),
        "cosine half way": about(0.5),
        "warm-up begins at": about(0.1),
        "warm-up and stairs end at": about(0.09),
        "noise floor, constant": lambda loss: loss > 0.03,
        "noise floor, step": between(0, 0.02),
        "noise floor, cosine": between(0, 0.02),
        "last training loss, cosine": between(0, 0.05),
        "last training loss, constant": lambda loss: loss > 0.05,
        "test accuracy, cosine": between(0.95, 1),
    },
    "11_regression": {
        "R² of the line": about(0.518, 1e-3),
        "away from the solved weights": between(0, 0.01),
        "accuracy on breast cancer": between(0.94, 1),
        "pairs differ from (y − t)/N by": between(0, 1e-15),
        "wholly wrong, squared error": between(-1e-3, -1e-4),
        "wholly wrong, cross-entropy": between(-1, -0.99),
        "moons by a line": between(0.8, 0.93),
        "moons by a net": between(0.98, 1),
        "error by 1 unit": lambda error: error > 0.1,
        "error by 30 units": between(0, 0.05),
        "columns of the table": exactly(["size", "town=Bonn", "town=Oslo", "town=Rome"]),
    },
    "12_metrics": {
        "never saying 8 is right": between(0.88, 0.93),
        "accuracy": between(0.9, 0.99),
        "precision": between(0.5, 1),
        "recall": between(0.1, 0.9),
        "F1 minus its formula": between(0, 1e-12),
        "AUROC": between(0.9, 0.99),
        "AUROC minus the chance": between(0, 1e-12),
        "micro F1 minus accuracy": between(0, 1e-12),
        "macro F1": between(0.9, 0.98),
    },
    "13_hyperparameter_search": {
        "trials": exactly(12),
        "best at random": between(0.85, 1),
        "lowest of the three best rates": between(1e-4, 1),
        "rates tried at random": exactly(12),
        "rates tried on the grid": exactly(3),
        "given up early": between(1, 11),
        "test accuracy": between(0.85, 1),
        "mean over the folds": between(0.85, 1),
        "spread over the folds": between(0, 0.1),
        "the better width": exactly(50),
    },
    "14_newton": {
        "Newton's steps": exactly(7),
        "Newton ends at": about(1.0, 1e-12),
        "descent after 100": lambda place: abs(place - 1) > 1e-5,
        "derivatives of sin at 1": lambda found: np.allclose(
            found, [np.cos(1), -np.sin(1), -np.cos(1), np.sin(1)], 1e-15
        ),
        "series of sin(π/4)": about(math.sqrt(0.5)),
        "its derivative": about(math.sqrt(0.5)),
        "Goldstein-Price at (1, 1)": exactly([-5376.0, 8064.0]),
        "Rosenbrock at (0, 2)": exactly([-2.0, 400.0]),
        "Newton's steps in Rosenbrock's valley": between(3, 8),
        "Newton's end": exactly([1.0, 1.0]),
        "descent is away by": lambda distance: distance > 0.3,
    },
    "15_vanishing_gradients": {
        "sigmoid, Xavier, depth 5": about(5e-3, 0.6),
        "sigmoid, Xavier, depth 10": about(4e-6, 0.6),
        "sigmoid, Xavier, depth 20": about(2e-12, 0.8),
        "ReLU, He, depth 5": between(0.5, 1.8),
        "ReLU, He, depth 20": between(0.3, 2),
        "largest slope of the sigmoid": about(0.25),
    },
    "16_convolution": {
        "no padding": exactly([[15.0, 16.0], [6.0, 15.0]]),
        "padding 1": exactly(
            [[7.0, 12.0, 10.0, 2.0], [4.0, 15.0, 16.0, 10.0], [10.0, 6.0, 15.0, 6.0], [8.0, 10.0, 4.0, 3.0]]
        ),
        "F.conv2d differs by": between(0, 1e-12),
        "sizes": exactly([4, 3, 10]),
        "columns": exactly([10, 75, 9]),
        "as a product, differs by": between(0, 1e-12),
        "middle pixel is copied": exactly(9),
        "loops, times as long": lambda ratio: ratio > 20,
        "slopes by hand differ by": between(0, 1e-13),
        "pooled": exactly([[2.0, 3.0], [4.0, 2.0]]),
        "slope of pooling": exactly(
            [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]]
        ),
        "pooling hides a small shift": exactly(True),
        "accuracy": between(0.93, 1),
        "kernels changed by": lambda change: change > 0.05,
    },
    "17_simple_convnet": {
        "parameters of the convolution": exactly(300),
        "accuracy on training digits": between(0.9, 1),
        "accuracy": between(0.9, 1),
        "accuracy, fully connected": between(0.88, 1),
        "accuracy, one pixel to the right": between(0.3, 0.8),
        "accuracy, one pixel to the right, fully connected": between(0.2, 0.7),
    },
    "18_deep_convnet": {
        "two small kernels see": exactly(5),
        "three small kernels see": exactly(7),
        "weights of three, and of one as wide": exactly([27, 49]),
        "parameters": exactly(75552),
        "accuracy": between(0.93, 1),
        "best accuracy": between(0.93, 1),
        "misread": between(0, 25),
    },
    "19_deep_networks": {
        "weights of one 5 × 5, of two 3 × 3": exactly([25 * 64**2, 18 * 64**2]),
        "weights of 5 × 5, through 16 channels": exactly([153600, 15872]),
        "weights of two 3 × 3, of a bottleneck": exactly([1179648, 69632]),
        "parameters of VGG16": exactly(138357544),
        "share of VGG16's neurons": between(0.89, 0.9),
        "parameters of ResNet18": exactly(11689512),
        "parameters of MobileNetV2": exactly(3504872),
        "multiply-adds of ResNet18": between(3.5e8, 4.6e8),  # a quarter of those of 224 × 224
        "first gradient, plain, not normalized": between(1e-6, 1e-2),
        "first gradient, residual, not normalized": between(1, 300),
        "first over last gradient, plain, normalized": between(60, 1000),
        "first over last gradient, residual, normalized": between(5, 59),
        "last loss, plain, 20 layers": between(1, 2.3),
        "last loss, residual, 20 layers": between(0, 0.7),
    },
    "20_rnn": {
        "by hand minus the engine": between(0, 1e-13),
        "nn.RNN differs by": between(0, 1e-13),
        "norm after 1, 10, 20 steps": exactly([2.46841, 25.68897, 249.49562]),
        "norm after 20 steps, halved": about(2.3794e-4, 1e-4),
        "largest eigenvalue": between(1.25, 1.26),
        "stretched by a step, from 10 to 20": between(1.25, 1.26),
        "largest singular value, halved": between(1.32, 1.34),
        "clipped": exactly([3.0, 0.0, -4.0, 0.0]),
        "error one step ahead": between(0, 0.008),
        "error of saying the last value again": between(0.03, 0.034),
    },
    "21_lstm_gru": {
        "LSTM by hand, minus the library's": between(0, 1e-14),
        "GRU by hand, minus the library's": between(0, 1e-14),
        "LSTM unrolled, minus the library's": between(0, 1e-14),
        "gradient kept after 20 steps, RNN": between(1e-7, 1e-5),
        "gradient kept after 20 steps, LSTM": between(1e-5, 1e-3),
        "gradient kept after 20 steps, LSTM, bias 5": between(0.1, 2),
        "gradient kept after 20 steps, GRU": between(1e-5, 1e-3),
        "gradient kept after 20 steps, GRU, bias 5": between(0.2, 2),
        "parameters of RNN, LSTM, GRU": exactly([20200, 80800, 60600]),
        "by formula": exactly([20200, 80800, 60600]),
        "times as many with a set for each step": exactly(100),
        "convolution, and fully connected": exactly([4640, 314728960]),
        "error of the first number, RNN": between(0.2, 1.3),
        "error of the first number, LSTM, bias 5": between(0, 0.15),
        "error of the first number, GRU, bias 5": between(0, 0.15),
        "loss at first, over ln V": between(0.97, 1.04),
        "test loss": between(1.5, 2.1),
        "test loss, minus that of bigrams": between(-1, -0.1),
        "lost by a state begun anew": between(0.01, 0.2),
        "slope beyond the cut": exactly(0.0),
        "slope without the cut": between(1e-4, 1),
        "different characters at temperatures 0.5 and 1": lambda kinds: 3 < kinds[0] <= kinds[1],
        "noise of what came": between(0.015, 0.03),
        "one step ahead, GRU": between(0.015, 0.04),
        "one step ahead, naive": between(0.15, 0.25),
        "one step ahead, seasonal naive": between(0.035, 0.06),
        "one step ahead, linear": between(0.015, 0.03),
        "free-running, GRU": between(0.015, 0.15),
        "free-running, naive": between(0.5, 5),
        "free-running, seasonal naive": between(0.035, 0.07),
        "free-running, linear": between(0.015, 0.04),
    },
    "22_sentences": {
        "sentences in training and test": exactly(0),
        "padding changes the answers by": between(0, 1e-14),
        "packing changes them by": between(0, 1e-14),
        "no mask changes them by": lambda change: change > 1,
        "right on twins, bag of words": exactly(0.5),
        "right on twins, RNN": between(0.8, 1),
        "right on twins, bidirectional LSTM": between(0.95, 1),
        "right, bag of words": between(0.45, 0.65),
        "right, RNN": between(0.85, 1),
        "right, bidirectional LSTM": between(0.95, 1),
        "the bag on plain and on denied sentences": lambda shares: shares[0] > 0.8 and shares[1] < 0.2,
        "good and bad words apart": exactly(1.0),
        "scores of the pair": lambda scores: scores[0] > 1 and scores[1] < -1,
        "integrated gradients miss the score by": between(0, 0.01),
    },
    "23_seq2seq": {
        "exact sums, as it is": between(0.5, 1),
        "exact sums, reversed": between(0.5, 1),
        "exact sums, reversed, peeky": between(0.8, 1),
        "exact dates": between(0.9, 1),
        "characters of dates": between(0.97, 1),
        "weights of attention add up to": exactly([1.0] * 10),
    },
    "24_autoencoder_vae_gan": {
        "error of the autoencoder, over that of components": between(0.3, 0.9),
        "negative ELBO at first": between(38, 50),
        "negative ELBO at last": between(22, 28),
        "distance of the VAE's digits": between(0.9, 1.5),
        "distance of independent pixels": between(1.6, 2.2),
        "accuracy from few": between(0.8, 0.95),
        "accuracy with further ones": between(0.7, 0.95),
    },
    "25_tiny_gpt": {
        "attention by hand, minus the library's": between(0, 1e-14),
        "loss at first, over ln V": between(0.95, 1.02),
        "test loss": between(1.5, 2.7),
        "tokens that a cache changes": exactly(0),
        "weight on what comes later": exactly(0.0),
    },
    "26_segmentation": {
        "reach": exactly([7, 15, 15, 13]),
        "pixels seen": exactly([49, 225, 225, 49]),
        "answers for 33 pixels": exactly([33, 5, 33, 33]),
        "mean IoU, nothing everywhere": between(0.15, 0.18),
        "mean IoU, single pixels": between(0.25, 0.36),
        "mean IoU, atrous": between(0.45, 0.8),
        "mean IoU, U-Net": between(0.39, 0.8),
        "accuracy, single pixels": between(0.7, 0.78),
        "stamps of a 3 × 3 kernel": exactly([1, 2, 4]),
        "an equal image, enlarged, varies by": exactly([3.0, 0.0, 0.0, 0.0]),
    },
}
"""What the last cell of a lesson prints, by name: `name: value`."""


def read(text):
    """The `name: value` lines of what a lesson printed."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue
    return found


@pytest.mark.parametrize("lesson", sorted(path.stem for path in LESSONS.glob("[0-9]*.py")))
def test_a_lesson_ends_in_its_numbers(lesson, tmp_path):
    quick = {**os.environ, "MPLBACKEND": "agg", "MPLCONFIGDIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", LESSONS / f"{lesson}.py", "--quick"],
        cwd=tmp_path, env=quick, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    numbers = read(ran.stdout)
    for name, holds in EXPECTED[lesson].items():
        assert holds(numbers[name]), f"{name}: {numbers[name]}"
    assert list((tmp_path / "out" / "lessons" / lesson[:2]).iterdir()), "no figure was written"


def test_each_lesson_has_numbers_that_are_expected_and_its_place():
    names = sorted(path.stem for path in LESSONS.glob("[0-9]*.py"))
    assert names == sorted(EXPECTED)
    assert all(EXPECTED.values())


def test_numbers_are_read_from_what_is_printed():
    assert read("a: 1.5\nwords: no number\nb: [1, 2]\n") == {"a": 1.5, "b": [1, 2]}
