"""Which rank of which job a process is, from the variables of launchers."""

import os

import fresh_process
import pytest

from preprocessing.errors import InputError
from trainer_module import __main__, distributed
from trainer_module.job import rank_env

OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"}
HOROVOD = {"HOROVOD_RANK": "2", "HOROVOD_SIZE": "4"}
NOTEBOOK = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}


@pytest.fixture
def environment(monkeypatch):
    def make(values):
        for name in list(os.environ):
            if name not in rank_env.without_launcher_variables(os.environ):
                monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return make


@pytest.mark.parametrize(
    ("values", "num_processes", "expected"),
    [
        ({}, 1, None),
        ({}, 2, None),
        (HOROVOD, 4, (2, 4)),
        (OPEN_MPI, 4, (1, 4)),
        ({"PMI_RANK": "3", "PMI_SIZE": "4"}, 4, (3, 4)),
        ({**OPEN_MPI, **HOROVOD}, 4, (2, 4)),  # horovodrun in a shell of MPI
        (NOTEBOOK, 1, None),
        (NOTEBOOK, 2, None),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, 8, None),
        ({"HOROVOD_RANK": "1"}, 2, None),
    ],
)
def test_a_launcher_of_one_process_is_none(environment, values, num_processes, expected):
    environment(values)
    found = rank_env.launched(num_processes)
    assert (found and found[:2]) == expected


@pytest.mark.parametrize(
    ("values", "num_processes", "message"),
    [
        (OPEN_MPI, 2, "has started, 4. Received: 2; set it to 4, or unset OMPI_COMM_WORLD_RANK"),
        (HOROVOD, 1, "has started, 4. Received: 1; set it to 4, or unset HOROVOD_RANK"),
        ({"HOROVOD_RANK": "abc"}, 1, "HOROVOD_RANK must be a whole number, 0 or more.*'abc'"),
        ({"HOROVOD_RANK": "-1"}, 1, "HOROVOD_RANK must be a whole number"),
        ({"HOROVOD_RANK": "0", "HOROVOD_SIZE": "0"}, 1, "HOROVOD_SIZE must be a whole number, 1"),
        ({"OMPI_COMM_WORLD_RANK": ""}, 2, "OMPI_COMM_WORLD_RANK must be"),
    ],
)
def test_what_does_not_fit_is_one_line_and_exit_status_2(
    environment, capfd, tmp_path, values, num_processes, message
):
    environment(values)
    with pytest.raises(InputError, match=message) as error:
        rank_env.launched(num_processes)
    assert "\n" not in str(error.value)
    model_dir = tmp_path / "model"
    flags = [f"--num_processes={num_processes}", f"--data_dir={tmp_path}"]
    assert __main__.main([*flags, f"--model_dir={model_dir}"]) == 2
    assert capfd.readouterr().err == f"error: {error.value}\n"
    assert not model_dir.exists()


def test_settings_stay_in_an_environment():
    settings = {
        "PATH": "/bin",
        "HOROVOD_FUSION_THRESHOLD": "0",
        "HOROVOD_TIMELINE": "t.json",
        "HOROVOD_GLOO_IFACE": "eth0",
        "SLURM_CPUS_PER_TASK": "4",
        "MPI_HOME": "/opt/mpi",
        "NCCL_DEBUG": "INFO",
    }
    launchers = {
        **OPEN_MPI,
        **HOROVOD,
        "HOROVOD_LOCAL_RANK": "0",
        "HOROVOD_GLOO_RENDEZVOUS_PORT": "1",
        "PMIX_NAMESPACE": "x",
        "PMI_FD": "3",
        "SLURM_PROCID": "0",
        "MPI_LOCALRANKID": "0",
    }
    assert rank_env.without_launcher_variables({**settings, **launchers}) == settings


def _join() -> int:
    try:
        distributed.join(2, fp16_compression=False)
    except InputError as error:
        print(error)
        return 2
    return 0


def test_ranks_that_horovod_does_not_find_are_told():
    # Horovod here knows nothing of Open MPI, and takes each of its ranks for the only one.
    done = fresh_process.run(_join, env={**OPEN_MPI, "OMPI_COMM_WORLD_SIZE": "2"})
    assert done.returncode == 2
    assert "Received: 2, of which Horovod finds 1" in done.stdout
