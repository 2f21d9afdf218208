"""ML Metadata as TFX's functions take it."""

import time

from ml_metadata.metadata_store import metadata_store
from tfx.orchestration import metadata

from pipeline.mlmd.connection import Connection, open_store
from pipeline.mlmd.direct_store import client_config

# A connection to a server is kept so long for the next use: a new one takes up to 0.2 s, and a run
# needs a dozen a node. One that lay idle through a training may have been dropped on the way.
MAX_IDLE_SECS = 60.0


class Handle(metadata.Metadata):
    """TFX's handle over a store that waits for its server; connected inside of `with`.

    Not safe for threads: each needs a handle of its own.
    """

    def __init__(self, connection: Connection):
        """Connects nothing yet."""
        super().__init__(client_config(connection.uri))
        self._connection = connection
        self._open: metadata_store.MetadataStore | None = None
        self._depth = 0
        self._left_at = 0.0

    def __enter__(self) -> "Handle":
        if not self._depth and time.monotonic() - self._left_at > MAX_IDLE_SECS:
            self._open = None
        if self._open is None:
            self._open = open_store(self._connection)
        self._depth += 1
        return self

    def __exit__(self, exc_type=None, exc_value=None, exc_tb=None) -> None:
        self._depth -= 1
        self._left_at = time.monotonic()
        if not self._depth and self._connection.uri.scheme == "sqlite":
            self._open = None

    @property
    def store(self) -> metadata_store.MetadataStore:
        """The store, inside of `with`."""
        if not self._depth or self._open is None:
            raise RuntimeError("a handle has a store inside of `with` only")
        return self._open
