"""The folder that runs on a cluster share: what later runs look up, and where it lies.

<state_dir>/<pipeline>/statistics   of the corpora that were accepted
<state_dir>/<pipeline>/unfinished   trainings that were cut off
<state_dir>/<pipeline>/lineage      the records of runs
"""

import posixpath
from pathlib import Path

from pipeline.pipeline import Kept

STATISTICS_FOLDER, UNFINISHED_FOLDER = "statistics", "unfinished"


def kept(state_dir: str, pipeline: str) -> Kept:
    """Where the nodes keep what later runs look up; nowhere, where there is no such folder."""
    if not state_dir:
        return Kept()
    return Kept(
        statistics=posixpath.join(state_dir, pipeline, STATISTICS_FOLDER),
        unfinished=posixpath.join(state_dir, pipeline, UNFINISHED_FOLDER),
    )


def records_root(state_dir: str, pipeline: str) -> Path:
    """The folder beside which the records of a pipeline's runs are kept."""
    return Path(state_dir, pipeline)
