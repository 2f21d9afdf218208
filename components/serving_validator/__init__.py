"""Checks that the exported model is what was trained, from outside, as a server would see it."""
