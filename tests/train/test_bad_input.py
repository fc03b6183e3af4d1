"""What cannot be right, in every room: the error is of its kind, names the user's own thing, and says what to write."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import data, nn, optim, train
from tinygrad_edu.data import DataLoader, transforms
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.train import Trainer, callbacks, save_checkpoint

X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
LOGITS = np.zeros((4, 3), np.float32)


def weight():
    return tg.Tensor([1.0, 2.0], requires_grad=True)


def sgd(**settings):
    return optim.SGD([weight()], lr=0.1, **settings)


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def trainer(**options):
    model = net()
    rule = optim.SGD(model.parameters(), lr=0.1)
    return Trainer(model, rule, options.pop("loss", F.cross_entropy), seed=0, **options)


class Net(nn.Module):
    def __init__(self, first):
        self.encoder = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), first)

    def forward(self, x):
        return self.encoder(x)


def loaded(rule, kept):
    rule.load_state_dict({"state": kept, "param_groups": rule.state_dict()["param_groups"]})


LAYERS = [
    (lambda: Net(nn.Linear(32, 64))(np.ones((2, 10), np.float32)), ValueError, r"^Net\.encoder\.2: Linear\(32, 64\) takes x of shape \(…, 32\), but got \(2, 64\)"),
    (lambda: nn.Linear(3, 2)(None), TypeError, r"Linear\(3, 2\) got None for x; does the forward\(\) that made it end with `return`"),
    (lambda: nn.Linear(10, 3, biass=False), TypeError, r"Linear\(\) takes no biass=: did you mean bias=\?"),
    (lambda: nn.Conv2d(1, 4, 3)(np.ones((5, 8, 8), np.float32)), ValueError, r"write x\[:, None\], which gives one channel"),
    (lambda: nn.ConvTranspose2d(1, 4, 3)(np.ones((5, 8, 8), np.float32)), ValueError, r"write x\[:, None\]"),
    (lambda: nn.Conv2d(3, 4, 3)(np.ones((5, 8, 8, 3), np.float32)), ValueError, r"write np\.moveaxis\(x, -1, 1\)"),
    (lambda: nn.Conv2d(1, 4, 3)(np.ones((5, 64), np.float32)), ValueError, r"write x\.reshape\(-1, 1, 8, 8\) for rows of pixels"),
    (lambda: nn.Flatten(1, 5)(X), IndexError, r"joins axes 1 to 5, but x of shape \(40, 4\) has 2, from 0 to 1"),
    (lambda: nn.BatchNorm1d(3, momentum=3.0), ValueError, "BatchNorm1d's momentum is a number between 0 and 1, but got 3.0"),
    (lambda: nn.BatchNorm1d(3, eps=-1.0), ValueError, "BatchNorm1d's eps is not negative"),
    (lambda: nn.GroupNorm(1, 3, eps="a"), TypeError, "GroupNorm's eps is a number, but got str 'a'"),
    (lambda: nn.LayerNorm(-3), ValueError, "LayerNorm's normalized_shape is a length from 1 up, or several, but got -3"),
    (lambda: nn.RMSNorm(3, eps=-1.0), ValueError, "RMSNorm's eps is not negative"),
    (lambda: nn.Embedding(10, 3, sparse=True), ValueError, "leave sparse out"),
    (lambda: nn.Embedding(3, 2)(np.eye(3)), TypeError, r"write numbers\.argmax\(-1\) of one-hot ones"),
]  # fmt: skip

LOSSES = [
    (lambda: F.cross_entropy(LOGITS, np.array([1, 2, 3, 3])), IndexError, "there are 3 classes, 0 to 2; write target - 1"),
    (lambda: F.cross_entropy(LOGITS, np.array([0, 5, 2, 2])), IndexError, "the last layer must give 6 numbers"),
    (lambda: F.cross_entropy(LOGITS, np.array([0, -1, 2, 2])), IndexError, r"target\[1\] is -1, but there are 3 classes, 0 to 2$"),
    (lambda: F.cross_entropy(LOGITS[:, :1], np.array([0, 1, 0, 1])), IndexError, "one column of logits takes binary_cross_entropy_with_logits"),
    (lambda: nn.CrossEntropyLoss(reduction="avg"), ValueError, "reduction is 'mean', 'sum' or 'none', but got 'avg'"),
    (lambda: nn.KLDivLoss(reduction="avg"), ValueError, "'mean', 'sum' or 'none', 'batchmean', but got 'avg'"),
    (lambda: F.mse_loss(np.zeros(2), ["a", "b"]), TypeError, "mse_loss compares numbers, but got words"),
]  # fmt: skip

RULES = [
    (lambda: optim.Adam([weight()], learning_rate=0.1), TypeError, r"Adam\(\) takes no learning_rate=: did you mean lr=\?"),
    (lambda: optim.Adam([weight()], foo=0.1), TypeError, r"Adam\(\) takes no foo=: it takes params, lr, betas"),
    (lambda: loaded(sgd(), {5: {"step": 1}}), ValueError, "the state has a state of parameter 5, but SGD has 1 parameters"),
    (lambda: loaded(optim.Adam([weight()]), {0: {"exp_avg": np.zeros(2)}}), ValueError, "the state has no step of parameter 0"),
    (lambda: loaded(optim.Adam([weight()]), {0: {"step": 1, "speed": np.zeros(2)}}), ValueError, "keeps speed of .*, but Adam keeps"),
    (lambda: lr_scheduler.StepLR(sgd(), 2, gama=1), TypeError, r"StepLR\(\) takes no gama=: did you mean gamma=\?"),
    (lambda: lr_scheduler.StepLR(sgd(), 2.5), TypeError, "StepLR's step_size is a whole number, but got float 2.5"),
    (lambda: lr_scheduler.StepLR(sgd(), 2, gamma=-1), ValueError, "StepLR's gamma is at least 0, but got -1"),
    (lambda: lr_scheduler.MultiStepLR(sgd(), [2], gamma=-1), ValueError, "MultiStepLR's gamma is at least 0"),
    (lambda: lr_scheduler.ExponentialLR(sgd(), -1), ValueError, "ExponentialLR's gamma is at least 0"),
    (lambda: lr_scheduler.CosineAnnealingLR(sgd(), 5, eta_min=-1), ValueError, "eta_min is at least 0"),
    (lambda: lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 5, eta_min=-1), ValueError, "eta_min is at least 0"),
    (lambda: lr_scheduler.OneCycleLR(sgd(momentum=0.9), -1.0, total_steps=5), ValueError, "OneCycleLR's max_lr is at least 0"),
    (lambda: lr_scheduler.CyclicLR(sgd(momentum=0.9), -1.0, 1.0), ValueError, "CyclicLR's base_lr is at least 0"),
    (lambda: sgd().param_groups[0].__delitem__("lr"), TypeError, r"are set, not deleted; write group\['lr'\] = "),
    (lambda: lr_scheduler.OneCycleLR(sgd(momentum=0.9), 1.0, epochs=2), ValueError, r"write total_steps=, or epochs= and steps_per_epoch=len\(loader\)"),
    (lambda: lr_scheduler.LambdaLR(sgd(), 0.5), TypeError, "LambdaLR takes a function of the step, but got 0.5; write lambda t: 0.5"),
    (lambda: lr_scheduler.LambdaLR(sgd(), lambda t: None), TypeError, "LambdaLR's function gives NoneType None at step 0"),
    (lambda: lr_scheduler.LambdaLR(sgd(), lambda t: -0.5), ValueError, "gives -0.5 at step 0; a factor of a learning rate is from 0 up"),
    (lambda: lr_scheduler.MultiplicativeLR(sgd(), lambda t: "a").step(), TypeError, "gives str 'a' at step 1"),
    (lambda: lr_scheduler.ReduceLROnPlateau(sgd()).step("a"), TypeError, "takes the number that it watches, such as a loss, but got 'a'"),
    (lambda: lr_scheduler.StepLR(sgd(), 2).load_state_dict({}), ValueError, r"takes what StepLR\.state_dict\(\) gives"),
    (lambda: lr_scheduler.StepLR(sgd(), 2, last_epoch=3), ValueError, "goes on after step 3, but a group of the optimizer does not say its first rate"),
    (lambda: lr_scheduler.StepLR(sgd(), 2, last_epoch=0.5), TypeError, "last_epoch is a whole number"),
]  # fmt: skip

ONES = np.ones((2, 4, 3), np.float32)
FUNCTIONS = [
    (lambda: F.scaled_dot_product_attention(ONES[0], ONES[0], ONES[0], enable_gqa=True), ValueError, "heads on the third axis from the end"),
    (lambda: F.conv2d(ONES, ONES), ValueError, r"conv2d takes a weight of 4 axes, but got \(2, 4, 3\)"),
    (lambda: F.conv1d(ONES, np.ones((5, 4, 1)), np.ones(4)), ValueError, r"a bias of one number an output, but got \(4,\) beside \(5, 4, 1\)"),
    (lambda: F.conv1d(ONES, np.ones((5, 3, 1))), ValueError, "the weight takes 3 channels and gives 5, and x has 4"),
    (lambda: F.conv_transpose1d(ONES, np.ones((3, 5, 1))), ValueError, "the weight takes 3 channels, and x has 4"),
    (lambda: F.conv_transpose1d(ONES, np.ones((4, 5, 1)), output_padding=1), ValueError, r"output_padding, \(1,\), is less than its stride"),
    (lambda: F.conv1d(ONES, np.ones((5, 4, 1)), padding=((1, 1), (1, 1))), ValueError, "a pair for each of 1 dimensions"),
    (lambda: F.conv1d(ONES, np.ones((5, 4, 1)), padding="full"), ValueError, "a number, pairs, 'valid' or 'same', but got 'full'"),
    (lambda: F.instance_norm(ONES[0]), ValueError, r"instance_norm takes x of shape \(N, C, …\), but got \(4, 3\)"),
    (lambda: F.group_norm(ONES, 3), ValueError, r"whose C channels make 3 equal groups, but got \(2, 4, 3\)"),
    (lambda: F.layer_norm(ONES, 4), ValueError, r"over \(4,\) takes x of shape \(…, 4\), but got \(2, 4, 3\)"),
    (lambda: F.layer_norm(ONES, 3, np.ones(4)), ValueError, r"layer_norm takes a weight of shape \(3,\), but got \(4,\)"),
    (lambda: F.rnn(ONES, ONES[0], np.eye(3), np.eye(3), nonlinearity="relu6"), ValueError, "'tanh' or 'relu', but got 'relu6'"),
    (lambda: nn.GRU(3, 4, num_layers=0), ValueError, "GRU needs at least one layer, but got num_layers=0"),
    (lambda: F.multilabel_soft_margin_loss(1.0, 1.0), ValueError, r"takes logits of shape \(…, classes\), but got a single number"),
    (lambda: F.multi_margin_loss(ONES, np.zeros(2, int)), ValueError, r"\(N, classes\) and class numbers \(N,\), but got \(2, 4, 3\) and \(2,\)"),
    (lambda: nn.utils.rnn.pack_padded_sequence(ONES[0, 0], [3]), ValueError, r"a padded array is \(T, N, …\).* but got \(3,\)"),
    (lambda: nn.utils.rnn.pad_sequence([ONES], padding_side="top"), ValueError, "padding_side is 'right' or 'left', but got 'top'"),
]  # fmt: skip


class Stream(data.IterableDataset):
    def __iter__(self):
        return iter([1, 2])


DATA = [
    (lambda: DataLoader(Stream(), 2, shuffle=True), ValueError, "comes in its own order: leave shuffle, sampler and batch_sampler out"),
    (lambda: DataLoader(Stream(), 2, num_workers=2), ValueError, "which one thread reads, but got num_workers=2; write 1"),
    (lambda: DataLoader(X, Y), TypeError, r"batch_size is a whole number, but got ndarray; write DataLoader\(\(x, y\), batch_size\)"),
    (lambda: DataLoader((X, Y), 2.5), TypeError, "batch_size is a whole number, but got float 2.5"),
    (lambda: DataLoader((X, Y), 2, shuffle="yes"), TypeError, "shuffle is True or False, but got str 'yes'"),
    (lambda: DataLoader((X, Y), shufle=True), TypeError, r"DataLoader\(\) takes no shufle=: did you mean shuffle=\?"),
    (lambda: data.datasets.cifar10, AttributeError, "has no cifar10: it is not here"),
    (lambda: data.datasets.moon, AttributeError, "did you mean moons"),
    (lambda: transforms.ToTensor, AttributeError, "leave it out; pictures are arrays here"),
    (lambda: transforms.RandomRotate, AttributeError, "did you mean RandomRotation"),
]  # fmt: skip

TRAINING = [
    (lambda: Trainer(nn.ReLU, sgd(), F.mse_loss), TypeError, r"the class ReLU; write ReLU\(\)"),
    (lambda: trainer(loss="cross_entropy"), TypeError, r"but got 'cross_entropy'; write F\.cross_entropy"),
    (lambda: trainer(loss=nn.MSELoss), TypeError, r"the class MSELoss; write MSELoss\(\)"),
    (lambda: trainer(callbacks=callbacks.EarlyStopping()), TypeError, r"takes a list, but got EarlyStopping; write callbacks=\[callback\]"),
    (lambda: trainer(callbacks=[callbacks.EarlyStopping]), TypeError, r"the class EarlyStopping; write EarlyStopping\(\)"),
    (lambda: trainer(clip="a"), ValueError, "clip= is the largest norm of the gradients, above 0, but got 'a'"),
    (lambda: trainer(scheduler=lr_scheduler.StepLR(sgd(), 2)), ValueError, "changes the rates of another optimizer"),
    (lambda: trainer(scheduler=lr_scheduler.StepLR), TypeError, "but got the class StepLR"),
    (lambda: trainer(metric=["accuracy"]), TypeError, r"Trainer\(\) takes no metric=: did you mean metrics="),
    (lambda: Trainer(net(), sgd(), F.mse_loss, seed="a"), ValueError, "none of the model's parameters"),
    (lambda: trainer().fit((X, Y), epochs=2.5), TypeError, "epochs is a whole number from 0 up, but got float 2.5"),
    (lambda: trainer().fit((X, Y), epochs="2"), TypeError, "epochs is a whole number from 0 up, but got str '2'"),
    (lambda: trainer().fit(X, Y), TypeError, r"arrays are given as one tuple: fit\(\(x, y\)\)"),
    (lambda: trainer().fit((X, Y + 1)), IndexError, "write target - 1"),
    (lambda: trainer().fit((X[:, :3], Y)), ValueError, r"^Sequential\.0: Linear\(4, 8\) takes x"),
    (lambda: trainer().fit((X * np.nan, Y)), FloatingPointError, "the loss is nan in epoch 1, step 1"),
    (lambda: trainer(callbacks=[callbacks.EarlyStopping("val_los")]).fit((X, Y), (X, Y)), ValueError, "did you mean 'val_loss'"),
    (lambda: trainer(callbacks=[callbacks.EarlyStopping()]).fit((X, Y)), ValueError, r"give fit\(\) validation data"),
    (lambda: callbacks.ModelCheckpoint, AttributeError, r"write Checkpoint\(folder\)"),
    (lambda: save_checkpoint("nothing.safetensors"), TypeError, "got nothing to save; write model=model"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), [*LAYERS, *LOSSES, *RULES, *FUNCTIONS, *DATA, *TRAINING])
def test_bad_input_is_told_by_name(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_a_seed_is_a_whole_number():
    model = net()
    rule = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="Trainer's seed is a whole number from 0 up, but got str 'a'"):
        Trainer(model, rule, F.cross_entropy, seed="a")
    with pytest.raises(ValueError, match="from 0 up, but got -1"):
        Trainer(model, rule, F.cross_entropy, seed=-1)


def test_a_state_that_does_not_fit_leaves_an_optimizer_as_it_was():
    rule = optim.Adam([weight()], lr=0.5)
    with pytest.raises(ValueError, match="no step"):
        loaded(rule, {0: {"exp_avg": np.zeros(2)}})
    assert rule.state_dict()["state"] == {}
    assert rule.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("double", [False, True])
def test_a_trainer_computes_in_the_type_of_the_model(double, recwarn):
    """Float64 data, as NumPy makes them, are brought to a float32 model's type, without a word; a float64 model's stay."""
    model = net().double() if double else net()
    seen = []
    model.register_forward_hook(lambda module, args, output: seen.append((args[0].dtype, output.dtype)))
    own = Trainer(model, optim.SGD(model.parameters(), lr=0.1), F.cross_entropy, seed=0, replay=False)
    own.fit((X.astype(float), Y), (X.astype(float), Y), epochs=1)
    own.predict(X.astype(float))
    dtype = np.dtype(float if double else np.float32)
    assert set(seen) == {(dtype, dtype)}
    assert not recwarn.list
    assert train.given.type_of(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())) is None
