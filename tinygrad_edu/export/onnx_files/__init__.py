"""ONNX files: `writing` makes them of recorded models, `reading` makes modules of them.

A file holds a graph: nodes, each an operator with inputs, outputs and attributes, and arrays by name. Every operator is
described at onnx.ai/onnx/operators.
"""
