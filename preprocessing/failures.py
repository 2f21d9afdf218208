"""What went wrong, in one line, and the exit status that it means."""

from preprocessing.errors import AwayError, InputError, UnusableCorpusError
from preprocessing.files.disk_full import DiskFullError

# Exit statuses of all commands.
DONE, SAID_NO, BAD_INPUT, STEP_FAILED = 0, 1, 2, 3
# As shells have it: 128 and the signal.
INTERRUPTED = 130


def chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it, outermost first."""
    errors: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in errors:
        errors.append(current)
        current = current.__cause__ or current.__context__
    return errors


def input_error(error: BaseException) -> InputError | None:
    """The innermost InputError among the causes, None if the input is not to blame."""
    found = [cause for cause in chain(error) if isinstance(cause, InputError)]
    return found[-1] if found else None


def unusable_corpus(error: BaseException) -> UnusableCorpusError | None:
    """The error among the causes that says what became of the images, None if none does."""
    return next((e for e in chain(error) if isinstance(e, UnusableCorpusError)), None)


def server_away(error: BaseException) -> AwayError | None:
    """The outermost AwayError among the causes, None if no server is to blame."""
    return next((cause for cause in chain(error) if isinstance(cause, AwayError)), None)


def _disk_full(error: BaseException) -> DiskFullError | None:
    """The innermost DiskFullError among the causes, which names the file best."""
    return next((e for e in reversed(chain(error)) if isinstance(e, DiskFullError)), None)


def one_line(error: BaseException) -> str:
    """What a person should read first: the fault of input, server or disk, or the last line.

    Beam puts a worker's whole traceback into the message, of which the last line is the error.
    """
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "interrupted"
    blamed = input_error(error) or server_away(error) or _disk_full(error)
    if blamed is not None:
        return str(blamed)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    if not lines:
        return name
    last = lines[-1]
    return last if len(lines) > 1 else f"{name}: {last}"


def status_of(error: BaseException) -> int:
    """The exit status that an error means."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else STEP_FAILED
    return BAD_INPUT if input_error(error) is not None else STEP_FAILED
