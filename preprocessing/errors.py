"""The error of bad input, told to the person in one line."""


class InputError(ValueError):
    """What the person gave cannot be used: a config, a folder, a model, an argument.

    The message is one line: the rule, what was received, how to mend it. The command line
    prints it without a traceback and ends with exit status 2.
    """
