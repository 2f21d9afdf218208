"""The error of bad input, told to the person in one line."""

from preprocessing.text import one_line


class InputError(ValueError):
    """What the person gave cannot be used: a config, a folder, a model, an argument.

    The message is one line: the rule, what was received, how to mend it. The command line
    prints it without a traceback and ends with exit status 2. What the names of files and the
    like bring into it is escaped where it would break the line or steer a terminal.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))
