"""Publishes a blessed model, all of it at once."""
