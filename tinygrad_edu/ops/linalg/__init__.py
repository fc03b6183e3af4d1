"""Linear algebra, a page a question:

    matrices        matrices to draw examples from
    determinants    det slogdet
    solving         inv solve lstsq pinv matrix_power cond
    factorizations  cholesky qr
    limits          gradients where eigenvalues or singular values are equal
    spectra         eigh svd

The norms are in `ops.norms`, the products in `ops.products`.
"""

from tinygrad_edu.ops.linalg import (
    determinants,
    factorizations,
    limits,
    matrices,
    solving,
    spectra,
)

__all__ = [
    "determinants",
    "factorizations",
    "limits",
    "matrices",
    "solving",
    "spectra",
]
