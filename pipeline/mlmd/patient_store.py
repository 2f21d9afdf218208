"""A store that outlives restarts of its server, and writes of others at the same time."""

from ml_metadata import errors

from pipeline.mlmd import lost_replies
from pipeline.mlmd.away import Patience, StoreAwayError
from pipeline.mlmd.direct_store import DirectStore
from pipeline.store_uri import StoreUri

# The server is away, or others wrote at the same time: it heals with time.
_HEALS = (
    StoreAwayError,
    errors.UnavailableError,
    errors.DeadlineExceededError,
    errors.AbortedError,
)
# The connection was lost, or the request is wrong; ML Metadata does not tell which. A wrong one
# fails on new connections just the same.
_UNCLEAR = (errors.InternalError, errors.UnknownError, errors.CancelledError)
MAX_UNCLEAR = 3
# After these nobody knows whether the server did what it was asked.
_LOSES = (*_UNCLEAR, errors.UnavailableError, errors.DeadlineExceededError)


class PatientStore(DirectStore):
    """Tries again what failed since the store was away or busy, on a new connection if needed."""

    def __init__(self, uri: StoreUri, patience: Patience, *, read_only: bool = False):
        """Connects.

        Args:
          uri: where the store is.
          patience: how long to wait for it.
          read_only: whether a file is opened for reading alone.

        Raises:
          StoreAwayError: the store is away for longer than `patience` says.
        """
        self._where, self._patience, self._read_only = uri, patience, read_only
        patience.try_until_back(self._connect, _heals, self._name)

    def _connect(self) -> None:
        super().__init__(self._where, read_only=self._read_only)

    def _call(self, method_name, request, response, extra_options=None) -> None:
        num_unclear, is_lost = 0, False

        def attempt() -> None:
            nonlocal num_unclear, is_lost
            if is_lost:
                self._connect()
                other = DirectStore(self._where)
                if lost_replies.answer(other, method_name, request, response):
                    return
            try:
                super(PatientStore, self)._call(method_name, request, response, extra_options)
            except _LOSES as error:
                is_lost, num_unclear = True, num_unclear + isinstance(error, _UNCLEAR)
                raise

        def heals(error: BaseException) -> bool:
            return isinstance(error, _HEALS) or (
                isinstance(error, _UNCLEAR) and num_unclear < MAX_UNCLEAR
            )

        self._patience.try_until_back(attempt, heals, self._name)

    @property
    def _name(self) -> str:
        return f"ML Metadata at {self._where}"


def _heals(error: BaseException) -> bool:
    return isinstance(error, _HEALS)
