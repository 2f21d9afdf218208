"""The sub-commands of `effnet`, one module each with `add_parser`."""
