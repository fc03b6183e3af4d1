"""Elementwise functions of one, two or three arguments: each rule is a line of a table of derivatives."""
