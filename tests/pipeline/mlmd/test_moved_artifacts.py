"""Output folders that were moved or copied, on a real DAG of small nodes."""

import shutil
from pathlib import Path

from small_dag import SmallRuns

from pipeline.mlmd import moved_artifacts
from pipeline.mlmd.connection import locate, open_store


def runs_in(folder: Path, *more) -> SmallRuns:
    folder.mkdir()
    return SmallRuns(folder, *more)


def moved(small: SmallRuns, folder: Path) -> SmallRuns:
    """The same output folder elsewhere."""
    small.folder.rename(folder)
    is_in_it = Path(small.connection.uri.path).is_relative_to(small.folder)
    there = SmallRuns(folder, None if is_in_it else small.connection)
    there.count = small.count
    return there


def follow(small: SmallRuns) -> int:
    return moved_artifacts.follow(open_store(small.connection), small.folder)


def states(results) -> set[str]:
    return {result.state for result in results.values()}


def folder_of(results, node: str, key: str) -> Path:
    return Path(results[node].outputs[key].uri)


def test_moved_folder_is_all_in_the_cache(tmp_path):
    before = runs_in(tmp_path / "before")
    before.run("abc")
    after = moved(before, tmp_path / "it's after")
    assert follow(after) == 3
    results = after.run("abc")
    assert states(results) == {"cached"}
    assert folder_of(results, "Counter", "count").is_relative_to(after.folder)
    assert follow(after) == 0
    again = moved(after, tmp_path / "again")
    assert follow(again) == 3
    assert states(again.run("abc")) == {"cached"}


def test_moved_folder_takes_no_artifact_of_another_one(tmp_path):
    shared = locate("", tmp_path / "shared.sqlite")
    own = runs_in(tmp_path / "own", shared)
    other = runs_in(tmp_path / "other", shared)
    other.count = 100
    mine, theirs = own.run("abc"), other.run("other")
    # What another machine made lies on its own disks; here is a folder of the same number.
    there, copy = folder_of(theirs, "Counter", "count"), folder_of(mine, "Counter", "count")
    shutil.copytree(copy, copy.with_name(there.name))
    other.folder.rename(tmp_path / "unseen")
    after = moved(own, tmp_path / "after")
    assert follow(after) == 3
    uris = {artifact.uri for artifact in open_store(shared).get_artifacts()}
    assert str(there) in uris
    assert str(after.folder / "artifacts" / "Counter" / "count" / there.name) not in uris


def test_copied_folder_leaves_the_first_one_its_artifacts(tmp_path):
    shared = locate("", tmp_path / "shared.sqlite")
    first = runs_in(tmp_path / "first", shared)
    first.run("abc")
    shutil.copytree(first.folder, tmp_path / "copy")
    assert follow(SmallRuns(tmp_path / "copy", shared)) == 0
    assert states(first.run("abc")) == {"cached"}


def test_artifact_that_is_gone_is_not_looked_for_elsewhere(tmp_path):
    one = runs_in(tmp_path / "one")
    shutil.rmtree(folder_of(one.run("abc"), "Counter", "count"))
    after = moved(one, tmp_path / "after")
    assert follow(after) == 2
    assert after.run("abc")["Counter"].why == "output count: its folder is gone"
