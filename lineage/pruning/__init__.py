"""Frees what no run needs any more: what that is and why, and its removal."""
