"""`pipeline.metadata_uri`: where ML Metadata is, and how its password is kept out of sight."""

import dataclasses
import re
from urllib.parse import unquote

from preprocessing.errors import InputError
from preprocessing.text import without_passwords

# Holds the password where the URI has none: it is in no file and on no command line then.
PASSWORD_VARIABLE = "EFFNET_METADATA_PASSWORD"
# What stands for a password that is not shown.
MASK = "***"
DEFAULT_PORTS = {"mysql": 3306, "postgresql": 5432, "grpc": 8080}
SCHEMES = ("sqlite", *DEFAULT_PORTS)
_FORMS = {
    "mysql": "mysql://USER@HOST:PORT/DATABASE",
    "postgresql": "postgresql://USER@HOST:PORT/DATABASE",
    "grpc": "grpc://HOST:PORT",
}
# A host, or an IPv6 address in brackets; a port; a database.
_LOCATION = re.compile(r"(?:\[([^\]]+)\]|([^:/?#\[\]]+))(?::(\d+))?(?:/([\w$-]*))?")
MAX_PORT = 65535


@dataclasses.dataclass(frozen=True)
class StoreUri:
    """The parts of a URI.

    Attributes:
      scheme: sqlite, mysql, postgresql or grpc.
      path: of sqlite, the file as it was given, empty for the default one.
      host: of the others; an IPv6 address without brackets.
      port: 1 to 65535.
      user: who logs in, empty for grpc.
      password: as it is, without escapes; empty where the URI has none.
      database: empty for grpc.
    """

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    database: str = ""

    def __str__(self) -> str:
        """The URI as a person is told it: without its password."""
        if self.scheme == "sqlite":
            return f"sqlite://{self.path}"
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        database = f"/{self.database}" if self.database else ""
        return f"{self.scheme}://{user}{host}:{self.port}{database}"


def parse(uri: str) -> StoreUri:
    """Takes a URI apart.

    Args:
      uri: `sqlite://PATH`, `mysql://USER:PASSWORD@HOST:PORT/DATABASE`, `postgresql://` the same,
        `grpc://HOST:PORT`, or empty, which means `sqlite://`. Ports have defaults. In user and
        password, `%XX` is a byte; all characters but `%` may also stand for themselves.

    Raises:
      ValueError: it is none of these; the message has no password in it.
    """
    scheme, separator, rest = uri.partition("://")
    if not uri or (scheme == "sqlite" and separator):
        return StoreUri("sqlite", path=rest)
    if not separator or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ValueError(f"must start with one of {known}. Received: {masked(uri)}")
    login, _, location = rest.rpartition("@")
    user, _, password = login.partition(":")
    found = _LOCATION.fullmatch(location)
    host, port, database = _parts(found, scheme)
    is_server = scheme == "grpc"
    wrong = found is None or bool(login) == is_server or bool(database) == is_server
    if wrong or (not is_server and not user) or not 1 <= port <= MAX_PORT:
        raise ValueError(
            f"must be {_FORMS[scheme]}, with nothing after it: ML Metadata's clients take no "
            f"options. Received: {masked(uri)}"
        )
    return StoreUri(
        scheme,
        host=host,
        port=port,
        user=unquote(user),
        password=unquote(password),
        database=database,
    )


def masked(uri: str) -> str:
    """A URI whose password, if it has one, is `***`, also one that is mistyped or cut off."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        scheme, rest = "", uri
    if scheme == "sqlite":
        return uri
    login, at, location = rest.rpartition("@")
    if not at and scheme == "grpc":
        return uri
    # Without an @, what looks like a port may be the password before it.
    user, colon, _ = (login if at else location).partition(":")
    location, options, _ = location.partition("?")
    shown = f"{location}{options and f'?{MASK}'}" if at else ""
    return f"{scheme}{separator}{user}{colon and f':{MASK}'}{at}{shown}"


def refuse_password(uri: str, where: str) -> None:
    """Refuses a password on the command line, which every user of the machine can read.

    Args:
      uri: what was given, or text with it.
      where: the option, for the message.

    Raises:
      InputError: it has a password.
    """
    if without_passwords(uri) != uri:
        raise InputError(
            f"{where}: a password must not stand on the command line, where other users of this "
            f"machine see it; put it into the environment variable {PASSWORD_VARIABLE}, and leave "
            f"it out here. Received: {without_passwords(uri)}"
        )


def _parts(found: re.Match[str] | None, scheme: str) -> tuple[str, int, str]:
    """Host, port and database, empty where the URI is none."""
    if found is None:
        return "", 0, ""
    in_brackets, host, port, database = found.groups()
    return in_brackets or host, int(port or DEFAULT_PORTS[scheme]), database or ""
