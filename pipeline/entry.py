"""The console script `effnet`: all that runs before the libraries are loaded."""

import signal


def main() -> int:
    """Loads the command line and runs it; returns the exit status.

    Until it is loaded, Ctrl-C ends the process as the system does, without a word: inside an
    import Python prints a traceback, and libraries make errors of their own out of it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # not where Ctrl-C is ignored, as under nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline import cli

    signal.signal(signal.SIGINT, handler)
    return cli.main()
