"""Real servers for ML Metadata: PostgreSQL, MariaDB, and its gRPC service.

They run on free ports of loopback, with their data in temporary folders, as long as the tests do:
the system ends them with the process that started them, however that ends.
Where the tests run as root, which the database servers refuse, they run as the users that Debian's
packages made for them.
"""

import abc
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from ml_metadata import errors
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as native
from ml_metadata.proto import metadata_store_pb2
from ml_metadata.proto import metadata_store_service_pb2 as service_pb2

from pipeline.mlmd import servers
from pipeline.mlmd.away import Patience, StoreAwayError
from pipeline.store_uri import StoreUri

USER = "effnet"
# What ML Metadata's clients, or their configuration, would trip over without care.
PASSWORD = "s3cret 'q\" \\b@/:#%"
START_SECS = 60
_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl
# What a thread starts lives as long as the thread, by the way that processes are ended here.
_LASTING_THREAD = futures.ThreadPoolExecutor(1)
Intercept = Callable[[str, bytes, Callable[[], bytes]], bytes]


class StoreServer(abc.ABC):
    """A server on loopback that can be stopped and started again.

    Attributes:
      port: where it listens, each time.
    """

    def __init__(self) -> None:
        self.port = free_port()

    @abc.abstractmethod
    def start(self) -> None:
        """Starts it, and waits until it answers."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends it, as a restart does: who is connected is cut off."""

    def kill(self) -> None:
        """Ends it for good, as fast as it goes."""
        self.stop()

    @abc.abstractmethod
    def new_store(self) -> StoreUri:
        """Where a new, empty store is; its tables are not made yet."""

    def away_for(self, secs: float) -> None:
        """Stops it, and starts it again after so many seconds, while the caller goes on."""
        self.stop()

        def come_back() -> None:
            time.sleep(secs)
            self.start()

        _LASTING_THREAD.submit(come_back)


class _Database(StoreServer):
    """A database server in a process of its own."""

    scheme: str
    account: str
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder
        self._owner = self.account if os.getuid() == 0 else None
        self._log = folder / "server.log"
        self._process: subprocess.Popen | None = None
        if self._owner is not None:
            shutil.chown(folder, self._owner)
        self._make()
        self.start()

    @abc.abstractmethod
    def _make(self) -> None:
        """Makes the data folder."""

    @abc.abstractmethod
    def _command(self) -> list[str]:
        """What starts the server."""

    @abc.abstractmethod
    def _admin(self) -> StoreUri:
        """A database that is always there."""

    def start(self) -> None:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._folder,
                user=self._owner,
                stdout=log,
                stderr=log,
                preexec_fn=self._end_with_parent,
            )
        Patience(START_SECS, tell=lambda text: None).try_until_back(
            lambda: servers.check_login(self._admin()),
            lambda error: isinstance(error, StoreAwayError),
            self.scheme,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            self._process.wait(START_SECS)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.kill_signal)
            self._process.wait(START_SECS)

    def _end_with_parent(self) -> None:
        _PRCTL(_PR_SET_PDEATHSIG, self.kill_signal)

    def new_store(self) -> StoreUri:
        return self.uri(f"store-{uuid.uuid4().hex[:12]}")

    def uri(self, database: str, user: str = USER, password: str = PASSWORD) -> StoreUri:
        """A database of the server, whether it is there or not."""
        return StoreUri(
            self.scheme,
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password,
            database=database,
        )

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, cwd=self._folder, user=self._owner, check=True, stdout=subprocess.DEVNULL
        )

    def _write(self, name: str, text: str) -> str:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return str(path)


class PostgreSql(_Database):
    scheme, account = "postgresql", "postgres"
    stop_signal, kill_signal = signal.SIGINT, signal.SIGQUIT

    def _make(self) -> None:
        password = self._write("password", PASSWORD)
        self._run(
            *(_postgresql_program("initdb"), "--no-sync", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C.UTF-8", f"--username={USER}"),
            *(f"--pwfile={password}", f"--pgdata={self._folder / 'data'}"),
        )

    def _command(self) -> list[str]:
        settings = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        settings += ("listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}")
        options = [option for setting in settings for option in ("-c", setting)]
        data = str(self._folder / "data")
        return [_postgresql_program("postgres"), "-D", data, "-p", str(self.port), *options]

    def _admin(self) -> StoreUri:
        return self.uri("postgres")

    def dump(self, uri: StoreUri) -> str:
        """All that a store holds, as SQL."""
        done = subprocess.run(
            [
                *(_postgresql_program("pg_dump"), "--host=127.0.0.1", f"--port={self.port}"),
                *(f"--username={USER}", uri.database),
            ],
            env={"PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


class MariaDb(_Database):
    scheme, account = "mysql", "mysql"

    def _make(self) -> None:
        self._run(
            *("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", "--skip-name-resolve", f"--datadir={self._folder / 'data'}"),
            *self._FAST,
        )
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "''")
        self._init_file = self._write(
            "init.sql",
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{quoted}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%';\n",
        )

    # No write waits for the disk, and no file is larger than it has to be.
    _FAST = (
        "--innodb-log-file-size=8M",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--skip-log-bin",
        "--debug-no-sync",
        "--innodb-file-per-table=0",
    )

    def _command(self) -> list[str]:
        return [
            *("/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self._folder / 'data'}"),
            *("--bind-address=127.0.0.1", f"--port={self.port}"),
            *(f"--socket={self._folder / 'socket'}", f"--pid-file={self._folder / 'pid'}"),
            *(f"--init-file={self._init_file}", "--skip-name-resolve", *self._FAST),
        ]

    def _admin(self) -> StoreUri:
        return self.uri("mysql")


class Service(StoreServer):
    """ML Metadata's gRPC service over a SQLite file, in this process.

    Attributes:
      intercept: is called with the method's name, the request and a function that does what was
        asked and returns the response; returns what is answered, or raises ConnectionError, which
        cuts the caller off, or an error of ML Metadata, which refuses what was asked.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.intercept: Intercept = lambda name, request, do: do()
        self._folder = folder
        self._server: grpc.Server | None = None
        self._path = folder / "service.sqlite"
        self.start()

    def start(self) -> None:
        # One thread: the store is not made for more.
        self._server = grpc.server(futures.ThreadPoolExecutor(1))
        self._server.add_generic_rpc_handlers((_Methods(self._path, self),))
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None

    def new_store(self) -> StoreUri:
        self.stop()
        self._path = self._folder / f"{uuid.uuid4().hex}.sqlite"
        self.start()
        return StoreUri("grpc", host="127.0.0.1", port=self.port)


class _Methods(grpc.GenericRpcHandler):
    """Every method of the service, by ML Metadata's own implementation."""

    def __init__(self, path: Path, service: Service):
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        options = metadata_store_pb2.MigrationOptions()
        self._service = service
        self._store = native.CreateMetadataStore(
            config.SerializeToString(), options.SerializeToString()
        )

    def service(self, details):
        name = details.method.rpartition("/")[2]

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            def do() -> bytes:
                response, message, code = getattr(native, name)(self._store, request)
                if code:
                    context.abort(_status(code), message.decode("utf-8"))
                return response

            try:
                return self._service.intercept(name, request, do)
            except ConnectionError as error:
                return context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            except errors.StatusError as error:
                return context.abort(_status(error.error_code), error.message)

        assert hasattr(service_pb2, f"{name}Request")
        return grpc.unary_unary_rpc_method_handler(answer)


def _status(code: int) -> grpc.StatusCode:
    return next(status for status in grpc.StatusCode if status.value[0] == code)


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A PostgreSQL server."""
    if _postgresql_program("initdb") is None:
        pytest.fail("needs a PostgreSQL server: apt-get install postgresql")
    with temporary_folder() as folder, contextlib.closing(_Ended(PostgreSql(folder))) as held:
        yield held.server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A MariaDB server."""
    if shutil.which("mariadb-install-db") is None or not Path("/usr/sbin/mariadbd").exists():
        pytest.fail("needs a MariaDB server: apt-get install mariadb-server")
    with temporary_folder() as folder, contextlib.closing(_Ended(MariaDb(folder))) as held:
        yield held.server


@pytest.fixture
def mlmd_service(tmp_path) -> Iterator[Service]:
    """ML Metadata's gRPC service."""
    with contextlib.closing(_Ended(Service(tmp_path))) as held:
        yield held.server


class _Ended:
    """Ends a server when it is closed."""

    def __init__(self, server: StoreServer):
        self.server = server

    def close(self) -> None:
        self.server.kill()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for a server's data."""
    # Not pytest's: no other user may enter that.
    with tempfile.TemporaryDirectory(prefix="effnet-store-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def _postgresql_program(name: str) -> str | None:
    """A program of the newest PostgreSQL server that is installed, which is not on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    return str(found[-1]) if found else shutil.which(name)


def _version(program: Path) -> float:
    return float(program.parents[1].name)
