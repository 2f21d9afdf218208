"""Whether the process of a run that has not ended is still there.

Each run writes into ML Metadata where it runs, and holds its output folder's lock for as long as
its process lives. A process that is killed writes nothing, but the lock is free then. Other hosts
may not see the lock; they see that a run no longer says that it lives (`heartbeat.py`).
"""

import datetime
import os
import socket
import uuid
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2

from pipeline.mlmd import names
from pipeline.output_dir import LOCK_FILE
from preprocessing.files import locks

# In an output folder: a random name by which it is known wherever it is mounted, since hosts of
# containers have a new name each time, and folders of different hosts may have the same path.
ID_FILE = ".id"
# A run that has not said for so long that it lives is dead. Many beats: clocks of hosts differ, and
# ML Metadata may have been away.
MAX_SILENCE = datetime.timedelta(minutes=15)


def output_id(output_dir: Path) -> str:
    """The folder's random name; it gets one when it is first asked for."""
    path = output_dir / ID_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid.uuid4().hex, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def known_output_id(output_dir: Path) -> str | None:
    """The folder's random name, None where it has none; nothing is written."""
    path = output_dir / ID_FILE
    return path.read_text(encoding="utf-8") if path.exists() else None


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def is_free(output_dir: Path) -> bool:
    """Whether nobody holds the lock of a folder of this machine.

    A folder that is gone is free. One that cannot be looked at, or whose file system has no locks,
    is not: nothing is known of it.
    """
    try:
        descriptor = os.open(output_dir / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        # Shared, so that two who look at the same time do not take each other for the run.
        return locks.lock(descriptor, shared=True)
    except locks.NoLocksError:
        return False
    finally:
        os.close(descriptor)


def beat_now() -> str:
    """The time now, as a run says with it that it lives."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def last_beat(run: metadata_store_pb2.Context) -> datetime.datetime | None:
    """When a run last said that it lives, by its host's clock; None where it never did."""
    if names.BEAT not in run.custom_properties:
        return None
    return datetime.datetime.fromisoformat(run.custom_properties[names.BEAT].string_value)


def is_dead(output_dir: Path, of_host: str, beat: datetime.datetime | None) -> bool:
    """Whether a run that has not ended never will; False as well where nothing is known.

    Args:
      output_dir: its output folder, as its host has it.
      of_host: that host.
      beat: see `last_beat`.
    """
    if of_host == host():
        return is_free(output_dir)
    now = datetime.datetime.now(datetime.timezone.utc)
    return beat is not None and now - beat > MAX_SILENCE
