"""Finds the model that the candidate has to be compared with."""
