"""Executions of killed processes, in real ML Metadata."""

import fcntl
import signal
from pathlib import Path

import fresh_process
import pytest
from small_dag import CTRL_C, KILL, SmallRuns

from pipeline.mlmd import names
from pipeline.mlmd.handle import Handle
from pipeline.node_result import NodeError
from pipeline.runner import run_claims
from preprocessing.errors import InputError


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


def test_run_of_the_same_name_elsewhere_is_refused(tmp_path):
    small = SmallRuns(tmp_path)
    dag = small.dag("abc")
    run_claims.claim(dag, tmp_path / "one")
    with pytest.raises(InputError, match="start in the same second"):
        run_claims.claim(dag, tmp_path / "two")
