"""The network: its layers, sizes and weights, in and out of files."""
