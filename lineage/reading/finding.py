"""What a person means by a run, a version's folder, an artifact or a digest."""

import dataclasses
import re
from pathlib import Path

from components.content_digest import digest_of_folder
from lineage.reading.source import RunSource
from lineage.record import files
from lineage.record.parts import Artifact
from lineage.record.run import Run, RunLine
from preprocessing.errors import InputError

LATEST = "latest"
GRAPH_FILE = "saved_model.pb"
# Shorter ones may be meant for something else.
MIN_DIGEST_CHARS = 6
SOURCE, DATASET, MODEL = "source", "dataset", "model"


@dataclasses.dataclass(frozen=True)
class Found:
    """What was asked for.

    Attributes:
      kind: `run`, `version` (a served one), `artifact`, `dataset` or `model`.
      run: the run that made it; of a version, the one that pushed it first.
      artifact: of an artifact.
      version: of a version, its number.
    """

    kind: str
    run: Run
    artifact: Artifact | None = None
    version: str = ""

    def digest(self) -> tuple[str, str]:
        """The thing by which others depend on it: `source`, `dataset` or `model`, and its digest.

        Of a run it is its dataset where it has no model of its own.
        """
        if self.artifact is not None and self.artifact.made_by == "ImageExampleGen":
            return SOURCE, self.run.source.digest if self.run.source is not None else ""
        dataset, model = self.run.dataset, self.run.model
        asked = self.artifact.id if self.artifact is not None else None
        is_dataset = dataset is not None and (self.kind == DATASET or asked == dataset.artifact_id)
        if dataset is not None and (is_dataset or model is None):
            return DATASET, dataset.digest
        return MODEL, model.digest if model is not None else ""


def find(source: RunSource, wanted: str) -> Found:
    """Looks up what a person names.

    Args:
      source: where to look.
      wanted: `latest`, the folder of a served version or of an artifact, a record's file, a run,
        the number of an artifact or of a version, or the beginning of a digest.

    Raises:
      InputError: there is nothing of that name, or it means several things.
    """
    if wanted == LATEST:
        return Found("run", source.run(source.latest().id))
    path = Path(wanted)
    if path.is_file() and path.name == files.FILE:
        return Found("run", source.settled(files.read(path.absolute())))
    if path.is_dir():
        return _of_folder(source, path.absolute())
    run = source.find(wanted)
    if run is not None:
        return Found("run", run)
    found = None
    if wanted.isascii() and wanted.isdigit():
        found = _of_artifact(source, int(wanted)) or _of_version(source, wanted)
    if found is None and re.fullmatch(rf"[0-9a-f]{{{MIN_DIGEST_CHARS},64}}", wanted):
        found = _of_digest(source, wanted)
    if found is None:
        raise InputError(
            f"{source.name} must have what is asked for: {LATEST}, a run, the folder or number of "
            "a served version or an artifact, or at least the first "
            f"{MIN_DIGEST_CHARS} digits of a dataset's or model's digest. Received: {wanted!r}; "
            f"{source.named_runs()}"
        )
    return found


def _of_folder(source: RunSource, folder: Path) -> Found:
    if (folder / GRAPH_FILE).is_file():
        return _of_saved_model(source, folder)
    artifact = source.artifact_at(str(folder))
    if artifact is None:
        raise InputError(
            f"a folder must be that of a served version (with {GRAPH_FILE}) or of an artifact "
            f"that {source.name} knows. Received: {str(folder)!r}"
        )
    return Found("artifact", source.run(artifact.made_in_run), artifact)


def _of_saved_model(source: RunSource, folder: Path) -> Found:
    """By where it was pushed to; a copy elsewhere by its content."""
    lines = source.lines()[::-1]
    pushed = [line for line in lines if any(p.destination == str(folder) for p in line.pushes)]
    if not pushed:
        digest = digest_of_folder(folder)
        same = [line for line in lines if line.model == digest]
        pushed = [line for line in same if _has_version(line, folder.name)] or same
    if not pushed:
        raise InputError(
            f"the model in {str(folder)!r} must come from a run that {source.name} knows: none "
            f"pushed it there, nor made one with the same files; {source.named_runs()}"
        )
    # Later runs may have taken the push from the cache.
    return Found("version", source.run(pushed[0].id), version=folder.name)


def _of_artifact(source: RunSource, artifact_id: int) -> Found | None:
    artifact = source.artifact(artifact_id)
    if artifact is None:
        return None
    return Found("artifact", source.run(artifact.made_in_run), artifact)


def _of_version(source: RunSource, version: str) -> Found | None:
    lines = [line for line in source.lines()[::-1] if _has_version(line, version)]
    return Found("version", source.run(lines[0].id), version=version) if lines else None


def _has_version(line: RunLine, version: str) -> bool:
    return any(push.version == version for push in line.pushes)


def _of_digest(source: RunSource, start: str) -> Found | None:
    lines = source.lines()[::-1]
    digests = {(kind, getattr(line, kind)) for line in lines for kind in (SOURCE, DATASET, MODEL)}
    matches = sorted(pair for pair in digests if pair[1].startswith(start))
    if not matches:
        return None
    if len(matches) > 1:
        named = ", ".join(f"{kind} {digest}" for kind, digest in matches)
        raise InputError(
            f"a digest must be given so far that one thing begins with it. Received: {start!r}, "
            f"with which these begin: {named}"
        )
    [(kind, digest)] = matches
    first = next(line for line in lines if getattr(line, kind) == digest)
    return Found(kind, source.run(first.id))
