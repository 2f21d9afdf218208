"""Artifacts of an output folder that was moved: ML Metadata knows them by their absolute paths."""

from pathlib import Path

# As TFX lays out artifacts: node, output and execution, whose number is unique in a store.
_PARTS_BELOW_ROOT = 3


def follow(store, root: Path) -> int:
    """Corrects where artifacts are, if they lie below `root` and are gone from where they were.

    Args:
      store: the ml-metadata `MetadataStore`.
      root: the folder of the artifacts, absolute.

    Returns:
      The number of artifacts that have moved.
    """
    moved = []
    for artifact in store.get_artifacts():
        noted = Path(artifact.uri)
        here = root.joinpath(*noted.parts[-_PARTS_BELOW_ROOT:])
        if noted.is_absolute() and noted != here and not noted.exists() and here.is_dir():
            artifact.uri = str(here)
            moved.append(artifact)
    if moved:
        store.put_artifacts(moved)
    return len(moved)
