"""ML Metadata's store as it should be: it says why it cannot be opened, and takes any text."""

import contextlib
import logging

import grpc
from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.mlmd import postgresql_text, servers
from pipeline.mlmd.away import StoreAwayError, reason
from pipeline.store_uri import StoreUri

ClientConfig = metadata_store_pb2.ConnectionConfig | metadata_store_pb2.MetadataStoreClientConfig

# A call to a server that does not answer within this is an error. Long: it bounds what hangs.
CALL_TIMEOUT_SECS = 300
# At the level DEBUG, ML Metadata logs how it connects, with the password.
_LOGS_CONNECTIONS = "ConnectionConfig: %s"
logging.getLogger("absl").addFilter(lambda record: record.msg != _LOGS_CONNECTIONS)

# What SQLite says to those who open a new file while another one makes its tables.
_OTHERS_MAKE_TABLES = ("concurrent", "is locked", "already exists")

_REGISTERS_TYPES = ("PutArtifactType", "PutContextType", "PutExecutionType", "PutTypes")


class DirectStore(metadata_store.MetadataStore):
    """One connection to a store; nothing is tried twice."""

    def __init__(self, uri: StoreUri, *, read_only: bool = False):
        """Connects.

        Args:
          uri: where the store is.
          read_only: whether a file is opened for reading alone.

        Raises:
          StoreAwayError: the store cannot be opened, and why.
        """
        self._uri = uri
        servers.check_answers(uri)
        try:
            super().__init__(client_config(uri, read_only))
        except (RuntimeError, errors.StatusError) as error:  # the former, where a database is away
            servers.check_login(uri)  # says why, as far as that is the reason
            raise _not_open(error, uri) from error

    def _get_channel(self, config: metadata_store_pb2.MetadataStoreClientConfig) -> grpc.Channel:
        # With ML Metadata's channel, answers over 4 MiB are errors, and a new channel goes on
        # waiting where the one before was told that nobody is there.
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self._grpc_timeout_sec = config.client_timeout_sec
        return grpc.insecure_channel(f"{config.host}:{config.port}", options=options)

    def _call(self, method_name, request, response, extra_options=None) -> None:
        if self._uri.scheme != "postgresql":
            super()._call(method_name, request, response, extra_options)
            return
        # PostgreSQL's table of types has no constraint: two who miss a type would both add it.
        is_new_type = method_name in _REGISTERS_TYPES
        with servers.one_at_a_time(self._uri) if is_new_type else contextlib.nullcontext():
            stored = postgresql_text.to_store(request)
            super()._call(method_name, stored, response, extra_options)
        postgresql_text.from_store(response)


def client_config(uri: StoreUri, read_only: bool = False) -> ClientConfig:
    """What ML Metadata's clients connect by; a password is in it."""
    if uri.scheme == "grpc":
        host = f"[{uri.host}]" if ":" in uri.host else uri.host
        return metadata_store_pb2.MetadataStoreClientConfig(
            host=host, port=uri.port, client_timeout_sec=CALL_TIMEOUT_SECS
        )
    config = metadata_store_pb2.ConnectionConfig()
    # Trying again is done in one place, and not here for seconds in silence.
    config.retry_options.max_num_retries = 1
    if uri.scheme == "sqlite":
        config.sqlite.filename_uri = uri.path
        modes = metadata_store_pb2.SqliteMetadataSourceConfig
        config.sqlite.connection_mode = modes.READONLY if read_only else modes.READWRITE_OPENCREATE
    elif uri.scheme == "mysql":
        # Its client takes `localhost` for a socket file, wherever that may be.
        config.mysql.host = "127.0.0.1" if uri.host == "localhost" else uri.host
        config.mysql.port = uri.port
        config.mysql.user = uri.user
        config.mysql.password = uri.password
        config.mysql.database = f"`{uri.database}`"  # goes into a statement as it is
        config.mysql.skip_db_creation = True
    else:
        _set_postgresql(config.postgresql, uri)
    return config


def _set_postgresql(config: metadata_store_pb2.PostgreSQLDatabaseConfig, uri: StoreUri) -> None:
    config.host = uri.host
    config.port = str(uri.port)
    config.dbname = uri.database
    config.user = _quoted(uri.user)
    if uri.password:
        config.password = _quoted(uri.password)
    config.skip_db_creation = True


def _quoted(value: str) -> str:
    """A value of a libpq connection string, which ML Metadata puts together without quotes."""
    escaped = value.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"


def _not_open(error: Exception, uri: StoreUri) -> StoreAwayError:
    said = reason(error)
    if uri.scheme == "mysql" and "mysql_real_connect failed" in said:
        said = f"{uri.user!r} must log in by mysql_native_password, all that ML Metadata knows"
        return StoreAwayError(said, lasting=True)
    # What passes is a lost connection, or that others make the tables right now. A file has no
    # connection to lose.
    makes_tables = any(sign in said.lower() for sign in _OTHERS_MAKE_TABLES)
    is_lasting = uri.scheme == "sqlite" and not makes_tables
    return StoreAwayError(said, lasting=is_lasting or "library version" in said)
