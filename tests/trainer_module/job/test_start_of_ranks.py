"""Ranks start whatever the folder, the machine's name and the home folder are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_module.job import rank_env
from trainer_module.job.python_command import run_module

RANK = Path(__file__).with_name("horovod_rank.py")
NAME = "no-such-machine"
# Starts two ranks as a supervisor does.
START = """
import sys
from trainer_module.job import host_name, processes
host_name.check()
command = processes.horovodrun(2, [sys.executable, sys.argv[1]], sys.argv[2])
sys.exit(processes.start_child(command, with_address=True).wait())
"""
TIMEOUT_SECS = 120


@pytest.fixture
def person(tmp_path) -> Path:
    """A folder in which a person has files that are named like libraries."""
    folder = tmp_path / "person"
    folder.mkdir()
    for name in ("random", "yaml", "preprocessing", "trainer_module", "os", "runpy", "tempfile"):
        (folder / f"{name}.py").write_text("raise SystemExit('taken for a library')\n")
    return folder


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_SECS, check=False, **options
    )


def in_own_names(limits: str = "true") -> list[str]:
    """A shell in namespaces in which this machine has a name without an address."""
    script = f'{limits} && hostname {NAME} && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", script, "sh"]
    if run([*command, "true"]).returncode != 0:
        pytest.skip("this system lets nobody have namespaces")
    return command


def started(tmp_path: Path) -> list[str]:
    folder = tmp_path / "ranks"
    folder.mkdir()
    return [sys.executable, "-c", START, str(RANK), str(folder)]


def said(done: subprocess.CompletedProcess) -> list[str]:
    return sorted(re.findall(r"rank \d of \d on .*", done.stdout))


def test_a_program_finds_its_libraries_and_runs_where_it_is_started(person, tmp_path):
    done = run(run_module("platform", folder=str(person)), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = run(run_module("trainer_module.job.rank_env"), cwd=person)
    assert (done.returncode, done.stderr) == (0, "")
    # sys.path and the working directory, as `python -m site` prints them.
    site = run(run_module("site", folder=str(person)), cwd=tmp_path)
    assert f"'{person}'" not in site.stdout
    assert (run(run_module("pydoc", "random", folder=str(person)))).returncode == 0


def test_ranks_start_in_a_folder_with_files_named_like_libraries(person, tmp_path):
    environment = {**rank_env.without_launcher_variables(os.environ), "HOME": "/proc/none"}
    command = [sys.executable, "-c", "import sys; sys.path.remove('')\n" + START]
    command += [str(RANK), str(tmp_path)]
    done = run(command, cwd=person, env=environment)
    assert done.returncode == 0, done.stderr
    assert [line.partition(" on ")[0] for line in said(done)] == ["rank 0 of 2", "rank 1 of 2"]


def test_ranks_start_on_a_machine_whose_name_has_no_address(tmp_path):
    done = run([*in_own_names(), *started(tmp_path)])
    assert done.returncode == 0, done.stderr
    assert said(done) == [f"rank {rank} of 2 on {NAME}" for rank in range(2)]


def test_a_machine_on_which_they_cannot_start_is_named_before(tmp_path):
    no_more = "echo 0 > /proc/sys/user/max_uts_namespaces"
    model_dir = tmp_path / "model"
    arguments = ["--num_processes=2", f"--data_dir={tmp_path}", f"--model_dir={model_dir}"]
    done = run([*in_own_names(no_more), sys.executable, "-m", "trainer_module", *arguments])
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"Received: '{NAME}'" in line
    assert f"add the line '127.0.0.1 {NAME}' to /etc/hosts" in line
    assert not model_dir.exists()


def test_horovodruns_own_traceback_is_left_out(tmp_path):
    script = tmp_path / "rank.py"
    script.write_text("raise SystemExit(7)")
    done = run([sys.executable, "-c", START, str(script), str(tmp_path)])
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
