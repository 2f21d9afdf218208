"""Which runs are kept, and why."""

from collections.abc import Sequence
from pathlib import Path

from lineage.reading.source import RUNNING
from lineage.record.parts import Push
from lineage.record.run import RunLine
from pipeline.output_dir import SERVING_FOLDER


def kept(lines: Sequence[RunLine], output_dir: Path, keep_last: int) -> dict[str, str]:
    """The runs that are kept: the newest, those with a blessed or a served model, those that run.

    Args:
      lines: the runs of the output folder, the newest first.
      output_dir: the folder.
      keep_last: how many of the newest ones.

    Returns:
      Why each is kept, by run, in the order of the lines.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        served = [push.version for push in line.pushes if is_there(push, output_dir)]
        reasons = ["it is in progress"] if line.state == RUNNING else []
        reasons += [f"its model is served as version {version}" for version in served]
        reasons += ["its model was blessed"] if line.blessed else []
        reasons += [f"it is one of the newest {keep_last}"] if number < keep_last else []
        if reasons:
            found[line.id] = ", ".join(reasons)
    return found


def is_there(push: Push, output_dir: Path) -> bool:
    """Whether a version may still be served; one that cannot be looked at may be."""
    if "://" in push.destination:
        return True
    # The folder may have been moved with what it serves.
    here = (output_dir / SERVING_FOLDER).glob(f"*/{push.version}") if push.version else ()
    return Path(push.destination).exists() or any(here)
