"""What networks are made of: activations, losses, normalization, convolution."""
