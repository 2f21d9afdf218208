"""Connections to ML Metadata from the `pipeline.metadata_uri` of a config."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from preprocessing import failures
from preprocessing.errors import InputError

Connection = metadata_store_pb2.ConnectionConfig | metadata_store_pb2.MetadataStoreClientConfig


def connection_config(uri: str, default_path: Path) -> Connection:
    """The ml-metadata connection that a URI means.

    Args:
      uri: `sqlite://PATH`, `mysql://USER:PASSWORD@HOST:PORT/DATABASE`, `postgresql://...` the
        same, `grpc://HOST:PORT`, or empty.
      default_path: the SQLite file where `uri` is empty; its folder is made.

    Raises:
      InputError: a part of the URI is missing.
    """
    scheme, _, rest = uri.partition("://")
    if scheme in ("", "sqlite"):
        path = Path(rest) if rest else default_path
        path.parent.mkdir(parents=True, exist_ok=True)
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path.absolute())
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        return config
    parts = urlsplit(uri)
    if not parts.hostname:
        raise InputError(f"pipeline.metadata_uri needs a host. Received: {uri!r}")
    if scheme == "grpc":
        return metadata_store_pb2.MetadataStoreClientConfig(
            host=parts.hostname, port=parts.port or 8080
        )
    database = parts.path.strip("/")
    if not database or not parts.username:
        raise InputError(
            f"pipeline.metadata_uri must be {scheme}://USER:PASSWORD@HOST:PORT/DATABASE. "
            f"Received host {parts.hostname!r}, database {database!r}"
        )
    user, password = unquote(parts.username), unquote(parts.password or "")
    config = metadata_store_pb2.ConnectionConfig()
    if scheme == "mysql":
        config.mysql.host = parts.hostname
        config.mysql.port = parts.port or 3306
        config.mysql.database = database
        config.mysql.user = user
        config.mysql.password = password
    else:
        config.postgresql.host = parts.hostname
        config.postgresql.port = str(parts.port or 5432)
        config.postgresql.dbname = database
        config.postgresql.user = user
        config.postgresql.password = password
    return config


def connect(uri: str, default_path: Path) -> Connection:
    """The same connection, tried once.

    Raises:
      InputError: ML Metadata cannot be reached.
    """
    connection = connection_config(uri, default_path)
    try:
        open_store(connection).get_context_types()
    except (errors.StatusError, RuntimeError) as error:  # the latter, where a database is away
        raise InputError(
            f"pipeline.metadata_uri: ML Metadata cannot be reached: {failures.one_line(error)}"
        ) from error
    return connection


def open_store(connection: Connection) -> metadata_store.MetadataStore:
    """The store behind a connection, without TFX, which takes seconds to import."""
    return metadata_store.MetadataStore(connection)
