"""The reader: the nodes of an ONNX file as a module."""
