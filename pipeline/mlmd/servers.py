"""Database servers, asked by clients of their own where ML Metadata's say too little.

The clients inside ML Metadata hide why a server refuses, create databases without quoting their
names, and do not keep two processes from making the same tables or types. The clients here log in
as those do: with the same account, and unencrypted.
"""

import contextlib
import socket
from collections.abc import Iterator

from pipeline.mlmd.away import StoreAwayError, reason
from pipeline.store_uri import PASSWORD_VARIABLE, StoreUri

CONNECT_TIMEOUT_SECS = 5
# What PostgreSQL says while it starts, stops or is full; all else that it says is a refusal.
_PASSING = ("the database system is", "too many", "remaining connection slots", "terminating")
# MySQL's numbers of errors in what it was asked: who may not log in, or into which database.
_MYSQL_REFUSALS = (1044, 1045, 1049, 1251, 1698)
_MYSQL_NO_SUCH_DATABASE = 1049
# Of the lock of ours in a database: any number that others do not take.
_LOCK_NUMBER = 0x_EFF_4E7
# MySQL's locks are the server's, and have names.
_LOCK_NAME_CHARS = 64


def create_database(uri: StoreUri) -> None:
    """Makes the database where it is not there yet; other stores make themselves.

    Raises:
      StoreAwayError: the server does not answer, or refuses.
    """
    check_answers(uri)
    if uri.scheme == "postgresql":
        _create_in_postgresql(uri)
    elif uri.scheme == "mysql":
        with _mysql(uri) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES LIKE %s", [uri.database.replace("_", r"\_")])
            if not cursor.fetchall():
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{uri.database}`")


def check_answers(uri: StoreUri) -> None:
    """Sees whether something listens at host and port; a file always does.

    Raises:
      StoreAwayError: there is no such host, or it does not answer.
    """
    if not uri.host:
        return
    try:
        socket.create_connection((uri.host, uri.port), CONNECT_TIMEOUT_SECS).close()
    except socket.gaierror as error:
        no_such_host = error.errno == socket.EAI_NONAME
        message = f"host {uri.host!r}: {error.strerror}"
        raise StoreAwayError(message, lasting=no_such_host) from error
    except OSError as error:
        said = "no answer" if isinstance(error, TimeoutError) else error.strerror
        raise StoreAwayError(f"{said} at {uri.host}, port {uri.port}") from error


def check_login(uri: StoreUri) -> None:
    """Logs in and out again.

    Raises:
      StoreAwayError: the server does not answer, or refuses.
    """
    check_answers(uri)
    if uri.scheme == "postgresql":
        with _postgresql(uri):
            pass
    elif uri.scheme == "mysql":
        with _mysql(uri, uri.database):
            pass


@contextlib.contextmanager
def one_at_a_time(uri: StoreUri) -> Iterator[None]:
    """Lets one process at a time into the block, of all that use a database; others stay free."""
    if uri.scheme == "postgresql":
        with _postgresql(uri) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_NUMBER])
            yield
    elif uri.scheme == "mysql":
        with _mysql(uri, read_timeout_secs=None) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, -1)", [f"effnet.{uri.database}"[:_LOCK_NAME_CHARS]])
            yield
    else:
        yield


def _create_in_postgresql(uri: StoreUri) -> None:
    import psycopg
    from psycopg import sql

    try:
        with _postgresql(uri):
            return
    except StoreAwayError as error:
        if f'database "{uri.database}" does not exist' not in str(error):
            raise
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(uri.database))
    made_by_another = (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
    with _postgresql(uri, "postgres") as connection, contextlib.suppress(*made_by_another):
        connection.execute(create)


@contextlib.contextmanager
def _postgresql(uri: StoreUri, database: str = ""):
    import psycopg

    try:
        with psycopg.connect(
            host=uri.host,
            port=uri.port,
            user=uri.user,
            password=uri.password or None,
            dbname=database or uri.database,
            connect_timeout=CONNECT_TIMEOUT_SECS,
            sslmode="disable",
            autocommit=True,
        ) as connection:
            yield connection
    except psycopg.Error as error:
        # Before that stands what a person gave: host, address and port.
        said = reason(error).rpartition(" failed: ")[2].removeprefix("FATAL:")
        lasting = _is_refusal(reason(error))
        raise StoreAwayError(_with_hint(said, uri), lasting=lasting) from error


def _is_refusal(said: str) -> bool:
    """Whether PostgreSQL or its client will say this again."""
    if any(words in said for words in _PASSING):
        return False
    return "FATAL:" in said or "no password supplied" in said


@contextlib.contextmanager
def _mysql(
    uri: StoreUri,
    database: str | None = None,
    read_timeout_secs: float | None = CONNECT_TIMEOUT_SECS,
):
    import pymysql

    try:
        with pymysql.connect(
            host=uri.host,
            port=uri.port,
            user=uri.user,
            password=uri.password,
            database=database,
            connect_timeout=CONNECT_TIMEOUT_SECS,
            read_timeout=read_timeout_secs,
            ssl_disabled=True,
        ) as connection:
            yield connection
    except pymysql.Error as error:
        number, *said = error.args or (0,)
        text = str(said[0]) if said else str(error)
        raise StoreAwayError(_with_hint(text, uri), lasting=number in _MYSQL_REFUSALS) from error


def _with_hint(said: str, uri: StoreUri) -> str:
    if uri.password:
        return said.strip()
    return f"{said.strip()} (no password: {PASSWORD_VARIABLE} is not set)"
