"""Neural networks: modules, layers, losses, and how weights begin. The functions are in `nn.functional`."""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.nn import functional, init, utils
from tinygrad_edu.nn.activation import (
    ELU,
    GELU,
    GLU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Step,
    Tanh,
)
from tinygrad_edu.nn.container import Sequential
from tinygrad_edu.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Fold,
    Unfold,
)
from tinygrad_edu.nn.dropout import Dropout
from tinygrad_edu.nn.embedding import Embedding
from tinygrad_edu.nn.linear import Bilinear, LazyLinear, Linear
from tinygrad_edu.nn.lists import ModuleDict, ModuleList, ParameterDict, ParameterList
from tinygrad_edu.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HalfSquaredError,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiLabelSoftMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
)
from tinygrad_edu.nn.margins import (
    CosineEmbeddingLoss,
    HingeEmbeddingLoss,
    HingeLoss,
    MarginRankingLoss,
    MultiMarginLoss,
    SoftMarginLoss,
    TripletMarginLoss,
)
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.normalization import BatchNorm1d, GroupNorm, LayerNorm, RMSNorm
from tinygrad_edu.nn.parameter import Buffer, Parameter
from tinygrad_edu.nn.penalty import ActivityPenalty, activity_penalty
from tinygrad_edu.nn.pooling import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    LPPool1d,
    LPPool2d,
    LPPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MaxUnpool1d,
    MaxUnpool2d,
    MaxUnpool3d,
)
from tinygrad_edu.nn.scope import Scope
from tinygrad_edu.nn.shape import Flatten, Identity, Unflatten
from tinygrad_edu.nn.summary import summary

__all__ = [
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "ActivityPenalty",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "Bilinear",
    "Buffer",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "Fold",
    "GaussianNLLLoss",
    "GroupNorm",
    "HalfSquaredError",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "LayerNorm",
    "LazyLinear",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "PoissonNLLLoss",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Scope",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softplus",
    "Softsign",
    "Step",
    "Tanh",
    "TripletMarginLoss",
    "Unflatten",
    "Unfold",
    "activity_penalty",
    "functional",
    "init",
    "summary",
    "utils",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn",
        __all__,
        {
            "RNN LSTM GRU BatchNorm2d MultiheadAttention Transformer Dropout2d": (
                "it is not here yet; write it as a Module, with nn.Parameters and a forward"
            ),
            "CosineSimilarity": "write F.cosine_similarity(x1, x2), with tinygrad_edu.nn.functional as F",
            "PairwiseDistance": "write F.pairwise_distance(x1, x2), with tinygrad_edu.nn.functional as F",
            "CELU Hardshrink MultiLabelMarginLoss RReLU Softmin Softshrink Tanhshrink Threshold": (
                "it is not here; Sequential takes functions too, such as lambda x: np.where(x > 1, x, 0)"
            ),
        },
    )
