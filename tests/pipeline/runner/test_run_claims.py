"""Executions of killed processes, in real ML Metadata."""

import datetime
import fcntl
import signal
import time
from pathlib import Path

import fresh_process
import pytest
from ml_metadata.proto import metadata_store_pb2
from small_dag import CTRL_C, KILL, SmallRuns

from pipeline.mlmd import heartbeat, liveness, names
from pipeline.mlmd.connection import open_store
from pipeline.mlmd.handle import Handle
from pipeline.node_result import NodeError
from pipeline.runner import run_claims


def run_until_killed(database: Path, output_dir: Path) -> None:
    """Runs the DAG, of which the first node kills the process."""
    small = SmallRuns(database)
    small.count = 100
    small.claimed_by = output_dir
    small.run(KILL)


def run_and_be_killed(database: Path, output_dir: Path) -> None:
    """A process that dies in its first node; its lock file is there."""
    output_dir.mkdir(exist_ok=True)
    (output_dir / ".lock").touch()
    done = fresh_process.run(run_until_killed, database, output_dir)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_next_run_marks_the_execution_of_a_killed_one_as_failed(tmp_path):
    run_and_be_killed(tmp_path, tmp_path)
    small = SmallRuns(tmp_path)
    assert list(small.states().values()) == ["RUNNING"]
    [begun] = (tmp_path / "artifacts" / "Writer" / "written").iterdir()
    assert small.run("abc")["Writer"].state == "ran"
    assert not begun.exists()
    assert sorted(small.states().values()) == ["COMPLETE"] * 3 + ["FAILED"]


def test_run_of_another_folder_is_dead_when_nobody_holds_its_lock(tmp_path):
    other = tmp_path / "other"
    run_and_be_killed(tmp_path, other)
    small = SmallRuns(tmp_path)
    dag = small.dag("abc")
    with open(other / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_claims.fail_dead_executions(dag, tmp_path / "own") == []
        assert list(small.states().values()) == ["RUNNING"]
    assert run_claims.fail_dead_executions(dag, tmp_path / "own") == ["Writer of run run-101"]
    assert list(small.states().values()) == ["FAILED"]


def test_run_that_ends_while_it_is_looked_at_is_not_dead(tmp_path, monkeypatch):
    other = tmp_path / "other"
    run_and_be_killed(tmp_path, other)
    small = SmallRuns(tmp_path)
    store = open_store(small.connection)

    def ends_well_before_the_look(folder: Path) -> bool:
        [execution] = store.get_executions()
        execution.last_known_state = metadata_store_pb2.Execution.COMPLETE
        store.put_executions([execution])
        return True

    monkeypatch.setattr(liveness, "is_free", ends_well_before_the_look)
    assert run_claims.fail_dead_executions(small.dag("abc"), tmp_path / "own") == []
    assert list(small.states().values()) == ["COMPLETE"]


def test_folder_is_known_by_its_name_and_not_by_host_or_path(tmp_path):
    run_and_be_killed(tmp_path, tmp_path / "out")
    small = SmallRuns(tmp_path)
    with Handle(small.connection) as handle:
        run = handle.store.get_context_by_type_and_name("pipeline_run", "run-101")
        run.custom_properties[names.HOST].string_value = "another-host"
        handle.store.put_contexts([run])
    assert run_claims.fail_dead_executions(small.dag("abc"), tmp_path / "another") == []
    (tmp_path / "out").rename(tmp_path / "mounted")
    dead = run_claims.fail_dead_executions(small.dag("abc"), tmp_path / "mounted")
    assert dead == ["Writer of run run-101"]


def test_ctrl_c_leaves_no_running_execution(tmp_path):
    small = SmallRuns(tmp_path)
    with pytest.raises(NodeError) as caught:
        small.run(CTRL_C)
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)
    assert list(small.states().values()) == ["FAILED"]


def test_run_of_another_host_is_dead_when_it_is_silent_for_long(tmp_path):
    other = tmp_path / "other"
    run_and_be_killed(tmp_path, other)
    small = SmallRuns(tmp_path)
    store = open_store(small.connection)

    def said(host: str, beat: datetime.datetime) -> None:
        run = store.get_context_by_type_and_name("pipeline_run", "run-101")
        run.custom_properties[names.HOST].string_value = host
        run.custom_properties[names.BEAT].string_value = beat.isoformat()
        store.put_contexts([run])

    now = datetime.datetime.now(datetime.timezone.utc)
    said("another-host", now - liveness.MAX_SILENCE + datetime.timedelta(minutes=1))
    assert run_claims.fail_dead_executions(small.dag("abc"), tmp_path / "own") == []
    said("another-host", now - liveness.MAX_SILENCE - datetime.timedelta(minutes=1))
    dead = run_claims.fail_dead_executions(small.dag("abc"), tmp_path / "own")
    assert dead == ["Writer of run run-101"]
    assert list(small.states().values()) == ["FAILED"]


def test_heartbeat_changes_nothing_else(tmp_path):
    small = SmallRuns(tmp_path)
    dag = small.dag("abc")
    assert run_claims.claim(dag, tmp_path)
    store = open_store(small.connection)

    def run():
        return store.get_context_by_type_and_name("pipeline_run", dag.run_id)

    first = run()
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    first.custom_properties[names.BEAT].string_value = long_ago.isoformat()
    store.put_contexts([first])
    with heartbeat.beating(small.connection.uri, dag.run_id, every_secs=0.1):
        deadline = time.monotonic() + 20
        while liveness.last_beat(run()) == long_ago and time.monotonic() < deadline:
            time.sleep(0.05)
    beat = liveness.last_beat(run())
    assert datetime.datetime.now(datetime.timezone.utc) - beat < datetime.timedelta(seconds=30)
    others = [name for name in first.custom_properties if name != names.BEAT]
    assert {name: run().custom_properties[name] for name in others} == {
        name: first.custom_properties[name] for name in others
    }


def claim_in_turn(folder: Path, own: str, taken: Path) -> None:
    """Claims names until one was free, as others do at the same time."""
    small = SmallRuns(folder)
    while not run_claims.claim(small.dag("abc"), folder / own):
        pass
    with taken.open("a") as file:
        file.write(f"run-{small.count}\n")


def test_each_of_several_that_begin_in_the_same_second_gets_a_name(tmp_path):
    SmallRuns(tmp_path).states()  # the tables are there
    taken = tmp_path / "taken.txt"
    claims = [
        fresh_process.start(claim_in_turn, tmp_path, f"own-{number}", taken) for number in range(4)
    ]
    assert [claim.wait(120) for claim in claims] == [0] * 4
    assert sorted(taken.read_text().split()) == ["run-1", "run-2", "run-3", "run-4"]


def test_name_of_a_run_is_taken_once(tmp_path):
    small = SmallRuns(tmp_path)
    dag = small.dag("abc")
    assert run_claims.claim(dag, tmp_path / "one")
    assert not run_claims.claim(dag, tmp_path / "two")
