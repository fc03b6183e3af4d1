"""The writer: a recorded model as the nodes of an ONNX file."""
