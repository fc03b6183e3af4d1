"""Linear algebra, as `numpy.linalg` names it: `tg.linalg.solve(A, b)` is `np.linalg.solve(A, b)`."""

from tinygrad_edu.ops.diagonals import matrix_diagonal as diagonal
from tinygrad_edu.ops.diagonals import matrix_trace as trace
from tinygrad_edu.ops.linalg.determinants import det, slogdet
from tinygrad_edu.ops.linalg.factorizations import cholesky, qr
from tinygrad_edu.ops.linalg.solving import cond, inv, lstsq, matrix_power, pinv, solve, tensorinv, tensorsolve
from tinygrad_edu.ops.linalg.spectra import eigh, eigvalsh, svd, svdvals
from tinygrad_edu.ops.norms import matrix_norm, norm, vector_norm
from tinygrad_edu.ops.products import cross, matmul, multi_dot, outer, tensordot, vecdot
from tinygrad_edu.ops.reordering import matrix_transpose

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
