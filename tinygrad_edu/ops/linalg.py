"""Linear algebra: products, factorizations, solutions."""
