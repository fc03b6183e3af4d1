"""The published numbers of the chapters, by training runs on the whole of MNIST: `make anchors`."""
