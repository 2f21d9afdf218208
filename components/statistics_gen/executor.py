"""Reads and writes through paths that are no patterns."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tfx import types
from tfx.components.statistics_gen import executor

from preprocessing.files.plain_path import plain_path


class Executor(executor.Executor):
    """See `components.statistics_gen.component.StatisticsGen`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Computes the statistics; TFX's executor and Beam make patterns of the folders' paths."""
        artifacts = [
            one for group in (input_dict, output_dict) for some in group.values() for one in some
        ]
        with contextlib.ExitStack() as stack:
            for artifact in artifacts:
                stack.enter_context(_in_plain_folder(artifact))
            super().Do(input_dict, output_dict, exec_properties)


@contextlib.contextmanager
def _in_plain_folder(artifact: types.Artifact) -> Iterator[None]:
    uri = artifact.uri
    with plain_path(uri) as plain:
        artifact.uri = plain
        try:
            yield
        finally:
            artifact.uri = uri  # it is written into ML Metadata afterwards
