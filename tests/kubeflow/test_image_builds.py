"""The Dockerfiles: style, and what a cluster and the rest of the code count on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Dockerfile", "Dockerfile.gpu")


def instructions(name: str) -> list[str]:
    text = (ROOT / "kubeflow" / name).read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", FILES)
def test_style(name):
    hadolint = Path(sys.prefix, "bin", "hadolint")
    done = subprocess.run([hadolint, ROOT / "kubeflow" / name], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", FILES)
def test_the_image_runs_as_a_numeric_user_and_has_what_workers_need(name):
    lines = instructions(name)
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    last = lines[stages[-1] :]
    (user,) = [line for line in last if line.startswith("USER ")]
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", user)
    assert not any(line.startswith(("RUN", "COPY")) for line in last[last.index(user) :])
    text = "\n".join(last)
    assert "openssh-client openssh-server" in text
    assert "rm -rf" in text
    assert "/etc/ssh/ssh_host_*" in text
    (port,) = re.findall(r"^EXPOSE (\d+)$", text, re.MULTILINE)
    assert int(port) > 1024
    # No compiler in what runs.
    assert "g++" not in text


@pytest.mark.parametrize("name", FILES)
def test_the_stack_is_that_of_the_lock_file(name):
    text = "\n".join(instructions(name))
    assert "ARG STACK=base" in text
    assert 'STACK="${STACK}"' in text
    assert "tools/setup.sh" in text
    assert (ROOT / "constraints" / "base.txt").is_file()


def test_a_stack_without_a_lock_file_is_one_line(tmp_path):
    # Before anything is removed or installed.
    done = subprocess.run(
        ["bash", "tools/setup.sh"],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "STACK": "nonsense", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("setup: STACK must be one that has a lock file")


def test_gpu_libraries_are_those_that_tensorflow_asks_for():
    from importlib import metadata

    wanted = {
        requirement.partition(";")[0].replace(" ", "").strip("()")
        for requirement in metadata.requires("tensorflow")
        if "and-cuda" in requirement
    }
    lines = (ROOT / "constraints" / "gpu.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} == wanted
