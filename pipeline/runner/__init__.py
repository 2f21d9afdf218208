"""The local runner: one run from a checked config to its results."""
