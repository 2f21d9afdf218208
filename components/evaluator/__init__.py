"""Evaluation with TFMA, and the gate's verdict."""
