"""Networks as block diagrams: `network` reads the layers off a graph, `repeats` folds them, `placing` draws them."""
