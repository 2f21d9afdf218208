"""Lineage: what came from what, asked and told in words of the trade."""
