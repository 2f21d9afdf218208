"""The machine, and the versions of what is installed on it."""

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

import psutil

from components import package_versions
from lineage.record.parts import Machine

_DISTRIBUTION = "effnet-tfx"
# Extras that a run may use.
_OPTIONAL = ("horovod",)
_NVIDIA_TIMEOUT_SECS = 20


def versions() -> dict[str, str]:
    """The versions of Python and of all packages that the code is written for.

    What is not installed is `none`.
    """
    wanted = {re.split(r"[^A-Za-z0-9._-]", line)[0] for line in _requirements()}
    return {"python": platform.python_version()} | package_versions.versions({*wanted, *_OPTIONAL})


def read() -> Machine:
    """Describes this machine."""
    return Machine(
        host=platform.node(),
        system=platform.platform(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        gpus=_gpus(),
    )


def _requirements() -> list[str]:
    lines = importlib.metadata.requires(_DISTRIBUTION) or []
    return [line for line in lines if "extra ==" not in line]


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", path.read_text(), re.MULTILINE)
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """A line for each NVIDIA GPU that the driver knows: name, driver, memory."""
    fields = "name,driver_version,memory.total"
    try:
        done = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_TIMEOUT_SECS,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):  # there is no driver, or it hangs
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
