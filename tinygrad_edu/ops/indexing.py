"""Choosing elements: indexing in every NumPy form, sorting, scattering."""
