"""Tools for parameters and gradients: clipping, all parameters as one vector, and normalized weights; in `rnn`, sequences of
different lengths."""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.nn.utils import rnn
from tinygrad_edu.nn.utils.clipping import clip_grad_norm_, clip_grad_value_
from tinygrad_edu.nn.utils.vectors import parameters_to_vector, vector_to_parameters
from tinygrad_edu.nn.utils.weights import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.utils",
        __all__,
        {
            "clip_grad_norm": "write clip_grad_norm_(parameters, max_norm), which writes in place",
            "get_total_norm": "write clip_grad_norm_(parameters, np.inf)",
            "prune": "it is not here yet",
            "parametrizations": "write nn.utils.weight_norm(layer) or nn.utils.spectral_norm(layer)",
        },
    )
