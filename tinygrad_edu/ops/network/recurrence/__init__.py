"""Recurrence: layers that go through a sequence step by step, each an op with its own backward pass through time."""

from tinygrad_edu.ops.network.recurrence.gated import gru, gru_slopes
from tinygrad_edu.ops.network.recurrence.memory import lstm, lstm_slopes
from tinygrad_edu.ops.network.recurrence.plain import rnn, rnn_slopes
from tinygrad_edu.ops.network.recurrence.projected import projected_lstm, projected_lstm_slopes

__all__ = [
    "gru",
    "gru_slopes",
    "lstm",
    "lstm_slopes",
    "projected_lstm",
    "projected_lstm_slopes",
    "rnn",
    "rnn_slopes",
]
