"""The console script `effnet`: all that runs before the libraries are loaded."""

from preprocessing import interrupts


def main() -> int:
    """Loads the command line and runs it; returns the exit status."""
    with interrupts.silent():
        from pipeline import cli

    return cli.main()
