"""Writes OpenLineage events into the report's folder, and sends them where OpenLineage is told to.

Where that is, its own configuration says: `OPENLINEAGE_URL`, `openlineage.yml`, and so on.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.noop import NoopConfig, NoopTransport

from lineage.exports import bounded
from preprocessing.files.code_digest import ROOT
from preprocessing.text import without_passwords

FILE = "openlineage.jsonl"
URL_VARIABLE = "OPENLINEAGE_URL"
# A server that hangs delays a run by so much when it starts, and when it ends.
WAIT_SECS = 10.0
_GIT_TIMEOUT_SECS = 20


def give_out(events: Sequence[RunEvent], folder: Path) -> list[str]:
    """Appends events to the file, and sends them.

    Args:
      events: in their order.
      folder: of the run's report.

    Returns:
      What a person should know, a line each: why they could not be sent.

    Raises:
      OSError: the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = FileTransport(FileConfig(str(folder / FILE), append=True))
    try:
        for event in events:
            file.emit(event)
    except RuntimeError as error:  # as the transport calls whatever went wrong
        raise OSError(str(error)) from error
    sent: list[RunEvent] = []

    def send(is_late: bounded.IsLate) -> None:
        client = _configured_client()
        if client is None:
            sent.extend(events)
            return
        for event in events:
            if is_late():
                return
            client.emit(event)
            sent.append(event)
        client.close(WAIT_SECS)

    failed = bounded.within(WAIT_SECS, send)
    if failed is None:
        return []
    return [f"OpenLineage: {len(events) - len(sent)} of {len(events)} events not sent: {failed}"]


def repository() -> str:
    """URL of the git repository of the own code, without a password; empty where it has none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "config", "--get", "remote.origin.url"],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_SECS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return without_passwords(done.stdout.strip()) or ROOT.as_uri()


def _configured_client() -> OpenLineageClient | None:
    """A client as a person configured it, None where nobody did: it would print the events."""
    client = OpenLineageClient(transport=NoopTransport(NoopConfig()))
    if not client.config.transport and not os.environ.get(URL_VARIABLE):
        return None
    client = OpenLineageClient()
    # It would look for a git repository in the folder that a person happens to be in.
    client.config.facets.source_code_location.disabled = True
    return client
