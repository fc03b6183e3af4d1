"""detect_anomaly(): which operation was first to give NaN."""

import threading

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.recording import detect_anomaly


def test_an_anomaly_names_the_operation_and_the_line_that_made_a_nan():
    x = leaf(1.0, -1.0, name="x")
    with np.errstate(all="ignore"), detect_anomaly(), pytest.raises(FloatingPointError) as caught:
        np.log(x)  # here
    assert "log made NaN out of 'x'" in str(caught.value)
    assert "test_anomaly.py" in str(caught.value)
    assert "np.log(x)  # here" in str(caught.value)


def test_an_anomaly_names_the_rule_that_made_a_nan_and_leaves_gradients_alone():
    x = leaf(0.0, 4.0, name="x")
    x.grad = np.array([1.0, 1.0])
    with detect_anomaly():
        y = np.sqrt(x)  # recorded here
        z = (y * 0.0).sum()
        with pytest.raises(FloatingPointError) as caught:
            z.backward()
    message = str(caught.value)
    assert "gradient of sqrt by its input 0 ('x') holds NaN" in message
    assert "y = np.sqrt(x)  # recorded here" in message
    assert x.grad.tolist() == [1.0, 1.0]
    z.backward()  # outside the block nobody looks
    assert np.isnan(x.grad.numpy()[0])


def test_an_anomaly_is_found_in_recorded_backward_passes_and_checkpoints():
    x = leaf(0.0, name="x")
    with detect_anomaly():
        with pytest.raises(FloatingPointError, match=r"divide made NaN out of .*the result of multiply"):
            grad((np.sqrt(x) * 0.0).sum(), x, create_graph=True)
        with pytest.raises(FloatingPointError, match="gradient of sqrt"):
            checkpoint(lambda t: np.sqrt(t) * 0.0, x).sum().backward()


def test_a_nan_that_was_given_is_nobodys_fault_and_infinity_is_none():
    x = leaf(np.nan, 1.0)
    with detect_anomaly():
        y = np.exp(x) * 2
        assert np.isnan(y.numpy()[0])
        with np.errstate(all="ignore"):
            z = 1 / leaf(0.0)
        z.sum()


def test_in_a_branch_not_taken_nothing_is_amiss():
    x = leaf(0.0, 4.0, name="x")
    with detect_anomaly():
        np.where(x > 0, np.sqrt(x), 0.0).sum().backward()
        assert x.grad.tolist() == [0.0, 0.25]
        with pytest.raises(FloatingPointError, match="gradient of sqrt"):
            (np.where(x > 0, np.sqrt(x), 0.0) + np.sqrt(x) * 0.0).sum().backward()


def test_nobody_looks_for_anomalies_by_default_nor_in_other_threads():
    seen = []

    def work():
        with np.errstate(all="ignore"):
            seen.append(np.log(leaf(-1.0)).item())

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    with np.errstate(all="ignore"):
        seen.append(np.log(leaf(-1.0)).item())
    assert len(seen) == 2
    assert np.isnan(seen).all()
