"""A store that does not answer, and how long to wait for it."""

from collections.abc import Callable
from typing import TypeVar

from components import progress
from preprocessing.errors import AwayError

Result = TypeVar("Result")

# The first wait is at most so long, each next one at most twice as long, and all are drawn by
# chance: many who wait for one server must not come back at once.
_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS = 0.1, 10.0


class StoreAwayError(AwayError):
    """ML Metadata does not answer, or lets nobody in; the message is one line.

    Attributes:
      lasting: whether it is a refusal, which waiting does not mend.
    """

    def __init__(self, message: str, *, lasting: bool = False):
        super().__init__(message)
        self.lasting = lasting


class Patience:
    """How long all users of one connection wait for a store that is away.

    Attributes:
      secs: how long, from the first failure on.
      tell: is told that it waits, and why.
      was_let_in: whether it worked before: then a refusal is waited for as well.
    """

    def __init__(self, secs: float, tell: Callable[[str], None] = progress.report):
        """Nothing has been tried yet."""
        self.secs, self.tell = secs, tell
        self.was_let_in = False
        self._is_lost = False

    def try_until_back(
        self, attempt: Callable[[], Result], heals: Callable[[BaseException], bool], name: str
    ) -> Result:
        """Does something until it succeeds.

        Args:
          attempt: what is done; each time anew, where it failed.
          heals: whether an error may be gone the next time.
          name: the store, for the messages.

        Returns:
          What `attempt` returned.

        Raises:
          StoreAwayError: it failed for `secs`, or at once where that happened before, or a wait was
            interrupted, and the store has not answered since.
        """
        try:
            result = attempt()
        except Exception as error:
            if not self._may_heal(error, heals):
                raise _named(error, name) from error
            result = self._again(attempt, error, heals, name)
        self._is_lost = False
        return result

    def _again(self, attempt, first_error: Exception, heals, name: str):
        import tenacity  # brings tornado, and is seldom needed

        failed = [first_error]

        def next_attempt():
            if failed:  # the first one has been made
                raise failed.pop()
            return attempt()

        secs = 0.0 if self._is_lost else self.secs
        if secs:
            self.tell(f"{name}: {reason(first_error)}; trying again for {secs:g} s")
        # Once more in any case: the first attempt may have used a connection from before.
        last = tenacity.stop_after_attempt(2)
        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception(lambda error: self._may_heal(error, heals)),
                wait=tenacity.wait_random_exponential(_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS),
                stop=tenacity.stop_all(last, tenacity.stop_before_delay(secs)),
                reraise=True,
            )(next_attempt)
        except (KeyboardInterrupt, SystemExit):
            self._is_lost = True  # what is still to be written at the end must not wait again
            raise
        except Exception as error:
            if not self._may_heal(error, heals):
                raise _named(error, name) from error
            self._is_lost = True
            tried = f"tried for {secs:g} s" if secs else "it has not answered since"
            raise StoreAwayError(f"{name}: {reason(error)}; {tried}") from error

    def _may_heal(self, error: BaseException, heals) -> bool:
        if isinstance(error, StoreAwayError) and error.lasting and not self.was_let_in:
            return False
        return heals(error)


def _named(error: Exception, name: str) -> Exception:
    if isinstance(error, StoreAwayError):
        return StoreAwayError(f"{name}: {error}", lasting=error.lasting)
    return error


def reason(error: BaseException) -> str:
    """The first line of an error, which says what is wrong; what follows is context."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(":") if lines else type(error).__name__
