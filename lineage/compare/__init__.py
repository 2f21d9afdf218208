"""What differs between two runs, and what of it can explain a worse result."""
