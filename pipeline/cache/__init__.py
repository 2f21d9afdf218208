"""The local cache: what a node's key is made of, and which earlier result still stands."""
