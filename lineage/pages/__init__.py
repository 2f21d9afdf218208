"""Pages about many runs: all of an output folder, and what differs between two of them."""
