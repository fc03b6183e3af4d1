"""Functions of neural networks, as ops where one rule is stabler or faster than a composition."""
