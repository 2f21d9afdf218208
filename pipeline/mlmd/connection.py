"""Connections to ML Metadata from the `pipeline.metadata_uri` of a config."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store

from pipeline import store_uri
from pipeline.mlmd import servers
from pipeline.mlmd.away import Patience, StoreAwayError
from pipeline.mlmd.patient_store import PatientStore
from pipeline.store_uri import MASK, PASSWORD_VARIABLE, StoreUri
from preprocessing.errors import InputError

# Before anything has run, a person waits who may have mistyped the host.
START_WAIT_SECS = 30.0
# Who asks for runs waits for an answer.
READ_WAIT_SECS = 5.0


@dataclasses.dataclass(frozen=True)
class Connection:
    """Where ML Metadata is.

    Attributes:
      uri: the location, and the password.
      patience: how long to wait for it when it is away; shared by all who use the connection.
    """

    uri: StoreUri
    patience: Patience = dataclasses.field(
        default_factory=lambda: Patience(START_WAIT_SECS), compare=False, repr=False
    )


def locate(uri: str, default_path: Path) -> Connection:
    """The connection that a URI means; nothing is connected.

    Args:
      uri: as `store_uri.parse` takes it. A password that it lacks, or that is masked in it, is
        taken from the environment.
      default_path: the SQLite file where `uri` names none; its folder is made.

    Raises:
      InputError: it is no such URI, or its password is masked and not in the environment.
    """
    try:
        location = store_uri.parse(uri)
    except ValueError as error:
        raise InputError(f"pipeline.metadata_uri: {error}") from None
    if location.scheme == "sqlite":
        path = Path(location.path) if location.path else default_path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"pipeline.metadata_uri: its folder must be there or be made. Received: "
                f"{str(path)!r} ({error.strerror})"
            ) from None
        return Connection(dataclasses.replace(location, path=str(path.absolute())))
    if location.password in ("", MASK) and location.user:
        password = os.environ.get(PASSWORD_VARIABLE, "")
        if location.password and not password:
            raise InputError(
                f"the password of {location} was not kept with the config; set the environment "
                f"variable {PASSWORD_VARIABLE}"
            )
        location = dataclasses.replace(location, password=password)
    return Connection(location)


def connect(
    uri: str,
    default_path: Path,
    *,
    wait_secs: float = START_WAIT_SECS,
    tell: Callable[[str], None] | None = None,
) -> Connection:
    """The same connection, tried; its database is made where it is not there yet.

    Args:
      uri: see `locate`.
      default_path: see `locate`.
      wait_secs: how long to wait from now on, whenever the store is away.
      tell: is told if it has to wait now.

    Raises:
      InputError: ML Metadata cannot be reached in `START_WAIT_SECS`, or refuses.
    """
    connection = locate(uri, default_path)
    patience = connection.patience
    patience.secs = min(START_WAIT_SECS, wait_secs)
    told_before, patience.tell = patience.tell, tell or patience.tell
    try:
        patience.try_until_back(
            lambda: servers.create_database(connection.uri),
            lambda error: isinstance(error, StoreAwayError),
            f"ML Metadata at {connection.uri}",
        )
        with servers.one_at_a_time(connection.uri):
            open_store(connection).get_context_types()
    except (StoreAwayError, errors.StatusError) as error:
        raise InputError(
            f"pipeline.metadata_uri: {error}; start the server, or correct the URI"
        ) from error
    patience.secs, patience.tell, patience.was_let_in = wait_secs, told_before, True
    return connection


def open_to_read(uri: str) -> PatientStore:
    """A store that is there, to read from it.

    Raises:
      InputError: `uri` is none, names no file, or the store cannot be reached.
    """
    connection = locate(uri, Path())
    path, is_file = Path(connection.uri.path), connection.uri.scheme == "sqlite"
    if is_file and not path.is_file():
        raise InputError(f"ML Metadata must be a SQLite file. Received: {uri!r}")
    connection.patience.secs = READ_WAIT_SECS
    try:
        store = PatientStore(connection.uri, connection.patience, read_only=is_file)
        store.get_context_types()
    except (StoreAwayError, errors.StatusError) as error:
        raise InputError(f"{error}; start the server, or correct the URI") from error
    return store


def open_store(connection: Connection) -> metadata_store.MetadataStore:
    """The store behind a connection, without TFX, which takes seconds to import.

    It waits for a store that is away, on each call, and writes nothing twice.

    Raises:
      StoreAwayError: the store is away for longer than the connection's patience lasts.
    """
    return PatientStore(connection.uri, connection.patience)
