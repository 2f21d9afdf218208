"""The record of a run: what is in it, where it is kept, how it is made."""
