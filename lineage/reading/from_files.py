"""Runs from their records alone, without any store."""

from pathlib import Path

from lineage.reading.source import RunSource, newest_first
from lineage.record import files, lines
from lineage.record.parts import Artifact
from lineage.record.run import Run, RunLine
from preprocessing.errors import InputError


class FileRuns(RunSource):
    """The records below a folder, at any depth."""

    def __init__(self, folder: Path, output_dir: Path | None = None):
        """Reads nothing yet."""
        super().__init__(f"the records in {folder}", output_dir)
        self._folder = folder

    def lines(self, limit: int | None = None) -> list[RunLine]:
        """See `RunSource.lines`."""
        found, self.unreadable = lines.read(self._folder)
        ordered = newest_first(found)[:limit]
        return [line.model_copy(update={"state": self.state_of(line)}) for line in ordered]

    def find(self, run_id: str) -> Run | None:
        """See `RunSource.find`."""
        paths = list(lines.record_files(self._folder))
        # Records that somebody collected may lie in folders of other names: they come last.
        for path in sorted(paths, key=lambda path: path.parent.name != run_id):
            run = files.read(path)
            if run.run.id == run_id:
                return self.settled(run)
        return None

    def artifact(self, artifact_id: int) -> Artifact | None:
        """See `RunSource.artifact`."""
        return self._search(artifact_id)

    def artifact_at(self, uri: str) -> Artifact | None:
        """See `RunSource.artifact_at`."""
        return self._search(uri)

    def _search(self, wanted: str | int) -> Artifact | None:
        found: dict[str, Artifact] = {}
        for path in lines.record_files(self._folder):
            for artifact in files.read(path).artifacts:
                if wanted in (artifact.id, artifact.uri.rstrip("/")):
                    found[artifact.uri] = artifact
        if len(found) > 1:  # numbers of different stores may be the same
            raise InputError(
                f"{self.name} must have one artifact {wanted}; there are "
                f"{', '.join(sorted(found))}. Give the folder of one of them"
            )
        return next(iter(found.values()), None)
