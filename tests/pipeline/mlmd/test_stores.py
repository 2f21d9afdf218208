"""ML Metadata on real servers: any text, many writers, restarts, refusals."""

import collections
import contextlib
import os
import shutil
import signal
import sqlite3
import threading
import time
from pathlib import Path

import fresh_process
import psutil
import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from small_dag import WHILE_WRITING, SmallRuns
from store_servers import PASSWORD, USER, PostgreSql, Service, StoreServer

from pipeline.mlmd import liveness
from pipeline.mlmd.away import StoreAwayError
from pipeline.mlmd.connection import Connection, connect, open_store
from pipeline.node_result import NodeError
from pipeline.store_uri import PASSWORD_VARIABLE, StoreUri
from preprocessing.errors import InputError
from preprocessing.files import locks

SERVERS = ["postgresql", "mariadb", "mlmd_service"]
SECRET_IN_ANY_FORM = ("s3cret", PASSWORD)


@pytest.fixture(params=SERVERS)
def server(request) -> StoreServer:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", *SERVERS])
def uri(request, tmp_path) -> StoreUri:
    """A new, empty store of each kind."""
    if request.param == "sqlite":
        return StoreUri("sqlite", path=str(tmp_path / "metadata.sqlite"))
    return request.getfixturevalue(request.param).new_store()


@pytest.fixture
def while_writing():
    """What the Writer does besides."""
    yield WHILE_WRITING
    WHILE_WRITING.clear()


def connected(uri: StoreUri, wait_secs: float = 30) -> Connection:
    """What a run has after its start."""
    os.environ[PASSWORD_VARIABLE] = uri.password
    try:
        return connect(str(uri), Path("unused"), wait_secs=wait_secs)
    finally:
        del os.environ[PASSWORD_VARIABLE]


def content(connection: Connection) -> dict[str, object]:
    """All that the store holds, without what differs from run to run: times and ids."""
    store = open_store(connection)
    # The name of this one is made of ids.
    contexts = [(c.type, c.name) for c in store.get_contexts() if c.type != "execution_cache"]
    executions = store.get_executions()
    return {
        "types": sorted(
            kind.name
            for kinds in (
                store.get_artifact_types(),
                store.get_execution_types(),
                store.get_context_types(),
            )
            for kind in kinds
        ),
        "contexts": sorted(contexts),
        "executions": sorted((e.type, e.last_known_state) for e in executions),
        "artifacts": sorted((a.type, a.state) for a in store.get_artifacts()),
        "events": sorted(
            (event.type, event.path.steps[0].key)
            for event in store.get_events_by_execution_ids([e.id for e in executions])
        ),
    }


@pytest.mark.parametrize(
    "text",
    [
        r"C:\new\table \' \" \\",
        'it\'s "quoted"; DROP TABLE Artifact; -- $1 $$ %s %% ` \x07',
        "two\nlines\tand\r\na tab",
        "é ß 日本語 \U0001f600 \ue05c\ue05d\ue05d0",
        "x\\y" * 40_000,
        '{"files": {"a.py": "' + os.urandom(30_000).hex() + '"}}',
    ],
    ids=["backslashes", "quotes", "lines", "unicode", "long", "long-and-random"],
)
def test_any_text_comes_back(uri, text):
    store = open_store(connected(uri))
    kinds = (
        store.put_artifact_type(mlmd.ArtifactType(name="A", properties={"declared": mlmd.STRING})),
        store.put_execution_type(mlmd.ExecutionType(name="E")),
        store.put_context_type(mlmd.ContextType(name="C")),
    )
    short = text[:200]
    artifact = mlmd.Artifact(type_id=kinds[0], uri=short, name=short)
    artifact.properties["declared"].string_value = short
    execution = mlmd.Execution(type_id=kinds[1], name=short)
    context = mlmd.Context(type_id=kinds[2], name=short)
    for node in (artifact, execution, context):
        node.custom_properties["text"].string_value = text
    store.put_artifacts([artifact])
    store.put_executions([execution])
    store.put_contexts([context])
    found = (
        store.get_artifact_by_type_and_name("A", short),
        store.get_execution_by_type_and_name("E", short),
        store.get_context_by_type_and_name("C", short),
    )
    assert [node.custom_properties["text"].string_value for node in found] == [text] * 3
    assert [node.name for node in found] == [short] * 3
    assert found[0].properties["declared"].string_value == short
    assert [a.id for a in store.get_artifacts_by_uri(short)] == [found[0].id]


def write_types(uri: StoreUri, number: int) -> None:
    """Registers what others register at the same time, and writes besides."""
    connection = connected(uri)
    for round_number in range(3):
        store = open_store(connection)
        name = f"type-{round_number}"
        kind = store.put_execution_type(mlmd.ExecutionType(name=name))
        store.put_artifact_type(mlmd.ArtifactType(name=name))
        context_kind = store.put_context_type(mlmd.ContextType(name=name))
        store.put_execution(
            mlmd.Execution(type_id=kind, name=str(number)),
            [],
            [mlmd.Context(type_id=context_kind, name="shared")],
            reuse_context_if_already_exist=True,
        )


def test_many_writers_make_one_store(uri):
    writers = [fresh_process.start(write_types, uri, number) for number in range(3)]
    assert [writer.wait(120) for writer in writers] == [0] * 3
    store = open_store(connected(uri))
    for kinds in (
        store.get_execution_types(),
        store.get_artifact_types(),
        store.get_context_types(),
    ):
        assert sorted(kind.name for kind in kinds) == [f"type-{n}" for n in range(3)]
    assert len(store.get_executions()) == 9
    assert len(store.get_contexts()) == 3


def half_made(store: Path) -> None:
    """What is there while another process makes the tables of a new store."""
    with contextlib.closing(sqlite3.connect(store)) as database:
        database.execute("DROP TABLE Type")


def locked(store: Path) -> sqlite3.Connection:
    """What is there while another process writes; until the connection is closed."""
    database = sqlite3.connect(store, check_same_thread=False)
    database.execute("BEGIN EXCLUSIVE")
    return database


def test_new_file_is_waited_for_while_others_make_its_tables(tmp_path):
    uri, whole = StoreUri("sqlite", path=str(tmp_path / "m.sqlite")), tmp_path / "whole.sqlite"
    connected(uri)
    shutil.copy(uri.path, whole)
    half_made(Path(uri.path))
    with pytest.raises(InputError, match=r"subset of tables.*tried for 0.1 s"):
        connected(uri, wait_secs=0.1)
    made = threading.Timer(0.5, os.replace, (whole, uri.path))
    made.start()
    assert open_store(connected(uri)).get_execution_types() == []
    made.join()


def test_file_is_waited_for_while_others_write(tmp_path):
    uri = StoreUri("sqlite", path=str(tmp_path / "m.sqlite"))
    connected(uri)
    written = threading.Timer(0.5, locked(Path(uri.path)).close)
    written.start()
    assert open_store(connected(uri)).get_execution_types() == []
    written.join()


def run_small(uri: StoreUri, folder: Path, first_run: int, text: str) -> None:
    """A whole run in a folder of its own."""
    folder.mkdir()
    with (folder / liveness.LOCK_FILE).open("w") as held:  # or it is taken for dead
        locks.lock(held)
        small = SmallRuns(folder, connected(uri))
        small.count = first_run
        small.run(text)


def test_two_pipelines_at_once_both_end_complete(uri, tmp_path):
    runs = [
        fresh_process.start(run_small, uri, tmp_path / text, 100 * number, text)
        for number, text in enumerate(("one", "two"))
    ]
    assert [run.wait(120) for run in runs] == [0, 0]
    found = content(connected(uri))
    assert found["executions"] == [
        (f"small_dag.{kind}", mlmd.Execution.COMPLETE)
        for kind in ("Copier", "Counter", "Writer")
        for _ in range(2)
    ]
    assert len(found["artifacts"]) == 6
    assert len(set(found["types"])) == len(found["types"])
    assert [kind for kind, _ in found["contexts"]].count("pipeline_run") == 2


def test_run_outlives_a_restart_of_its_server(server, tmp_path, while_writing):
    uri = server.new_store()
    small = SmallRuns(tmp_path, connected(uri))
    while_writing.append(lambda: server.away_for(1))
    assert {result.state for result in small.run("abc").values()} == {"ran"}
    while_writing.clear()
    assert content(connected(uri)) == undisturbed(tmp_path / "other")
    assert {result.state for result in small.run("abc").values()} == {"cached"}


def undisturbed(folder: Path, runs: int = 1) -> dict[str, object]:
    """What a store holds after so many equal runs."""
    small = SmallRuns(folder)
    for _ in range(runs):
        small.run("abc")
    return content(small.connection)


@pytest.mark.parametrize("what", ["request", "reply"])
def test_nothing_is_written_twice_when_each_call_is_cut_off_once(
    mlmd_service: Service, tmp_path, what
):
    cut_off: set[tuple[str, bytes]] = set()

    def cut(name, request, do):
        # All writes, and enough of the questions.
        is_of_interest = name.startswith("Put") or name not in {other for other, _ in cut_off}
        if is_of_interest and (name, request) not in cut_off:
            cut_off.add((name, request))
            if what == "reply":
                do()
            raise ConnectionResetError(f"{what} lost")
        return do()

    uri = mlmd_service.new_store()
    small = SmallRuns(tmp_path, connected(uri))
    mlmd_service.intercept = cut
    for state in ("ran", "cached"):
        assert {result.state for result in small.run("abc").values()} == {state}
    counts = collections.Counter(name for name, _ in cut_off)
    # Registered and published, or taken from the cache.
    assert counts["PutExecution"] == 3 * 2 + 3
    assert counts["PutLineageSubgraph"] == 3
    mlmd_service.intercept = lambda name, request, do: do()
    assert content(small.connection) == undisturbed(tmp_path / "other", runs=2)


def test_store_that_stays_away_fails_the_node_in_one_line(
    mlmd_service: Service, tmp_path, while_writing
):
    small = SmallRuns(tmp_path, connected(mlmd_service.new_store(), wait_secs=0.5))
    while_writing.append(mlmd_service.stop)
    with pytest.raises(NodeError) as error:
        small.run("abc")
    assert isinstance(error.value.__cause__, StoreAwayError)
    told = str(error.value.__cause__)
    assert told.startswith(f"ML Metadata at grpc://127.0.0.1:{mlmd_service.port}: Connection refu")
    assert len(told.splitlines()) == 1
    while_writing.clear()
    mlmd_service.start()
    assert list(small.states().values()) == ["RUNNING"]
    assert small.run("abc")["Writer"].state == "ran"
    assert sorted(small.states().values()) == ["COMPLETE"] * 3 + ["FAILED"]


def test_ctrl_c_ends_a_run_that_waits_for_its_store(mlmd_service: Service, tmp_path, while_writing):
    small = SmallRuns(tmp_path, connected(mlmd_service.new_store(), wait_secs=300))
    interrupts: list[float] = []

    def ctrl_c():
        interrupts.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    while_writing += [mlmd_service.stop, lambda: threading.Timer(2, ctrl_c).start()]
    with pytest.raises(NodeError) as error:
        small.run("abc")
    assert isinstance(error.value.__cause__, KeyboardInterrupt)
    # All that a run still writes at its end fails at once.
    with pytest.raises(StoreAwayError, match="it has not answered since"):
        open_store(small.connection)
    assert time.monotonic() - interrupts[0] < 10
    while_writing.clear()
    mlmd_service.start()
    assert small.run("abc")["Writer"].state == "ran"
    assert sorted(small.states().values()) == ["COMPLETE"] * 3 + ["FAILED"]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        (USER, "wr0ng", {"postgresql": "password authentication failed", "mariadb": "Access den"}),
        ("nobody", "", {"postgresql": PASSWORD_VARIABLE, "mariadb": PASSWORD_VARIABLE}),
    ],
    ids=["wrong-password", "unknown-user"],
)
def test_refusal_is_told_at_once(request, monkeypatch, tmp_path, kind, user, password, said):
    uri = request.getfixturevalue(kind).uri("refused", user)
    monkeypatch.setenv(PASSWORD_VARIABLE, password)
    with pytest.raises(InputError, match=said[kind]) as error:
        connect(str(uri), tmp_path, tell=pytest.fail)
    assert len(str(error.value).splitlines()) == 1
    assert "wr0ng" not in str(error.value)


def test_password_is_nowhere(postgresql: PostgreSql, tmp_path, while_writing, caplog):
    arguments: list[str] = []

    def look_at_processes():
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            # None of a process that has ended, and nobody has asked how.
            arguments.extend(process.as_dict(["cmdline"])["cmdline"] or ())

    while_writing.append(look_at_processes)
    uri = postgresql.new_store()
    small = SmallRuns(tmp_path, connected(uri))
    with caplog.at_level("DEBUG"):
        small.run("abc")
    assert arguments
    written = "".join(
        path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()
    )
    for name, place in {
        "arguments": " ".join(arguments),
        "log": caplog.text,
        "files": written,
        "store": postgresql.dump(uri),
    }.items():
        assert place, name
        assert not [s for s in SECRET_IN_ANY_FORM if s in place], name
