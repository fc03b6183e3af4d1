"""Reductions: sums, means, extrema and norms, over all axes or some."""
