"""Parts of a real DAG of three small nodes: Writer -> Copier -> Counter."""

import shutil
from pathlib import Path

import pytest
from small_dag import SmallRuns

from pipeline.runner import partial_run
from preprocessing.errors import InputError


@pytest.fixture
def small(tmp_path) -> SmallRuns:
    return SmallRuns(tmp_path)


def states(results) -> list[str]:
    return [results[name].state for name in ("Writer", "Copier", "Counter")]


def test_run_until_a_node(small):
    assert states(small.run("abc", last="Copier")) == ["ran", "ran", "skipped"]
    assert states(small.run("abc")) == ["cached", "cached", "ran"]


def test_run_from_a_node_takes_the_newest_results_before_it(small):
    small.run("abc", last="Writer")
    newest = small.run("defg", last="Writer")
    results = small.run("ignored", first="Copier")
    assert states(results) == ["cached", "ran", "ran"]
    assert results["Writer"].outputs["written"].uri == newest["Writer"].outputs["written"].uri
    copy = Path(results["Copier"].outputs["copy"].uri, "copy.txt")
    assert copy.read_text() == "defg"


def test_person_hears_that_other_settings_and_files_are_not_used(small, tmp_path):
    watched = tmp_path / "watched"
    watched.write_text("1")
    small.run("abc", watch=str(watched))
    taken = "not run, taken from run run-1: Writer"
    assert partial_run.plan(small.dag("abc", watch=str(watched)), "Copier", None).notes == (taken,)
    watched.write_text("2")
    plan = partial_run.plan(small.dag("xyz", watch=str(watched)), "Copier", None)
    assert plan.notes == (
        taken,
        "Writer is not run, although: text abc -> xyz; watched 1 -> 2",
    )


def test_part_in_the_middle_runs_alone(small):
    small.run("abc")
    off = {"Copier": "to see it run"}
    results = small.run("abc", first="Copier", last="Copier", cache_off=off)
    assert states(results) == ["cached", "ran", "skipped"]


def test_unchanged_nodes_of_the_part_come_from_the_cache(small):
    small.run("abc")
    assert states(small.run("abc", first="Copier")) == ["cached", "cached", "cached"]


def test_missing_result_is_refused(small):
    with pytest.raises(InputError, match="needs an earlier result of Writer, and there is none"):
        small.run("abc", first="Copier")


def test_results_that_do_not_belong_together_are_refused(small):
    small.run("abc")
    small.run("defg", last="Writer")
    with pytest.raises(InputError, match="Copier that was made from the newest result of Writer"):
        small.run("defg", first="Counter")


def test_damaged_result_is_refused(small):
    results = small.run("abc")
    shutil.rmtree(results["Writer"].outputs["written"].uri)
    with pytest.raises(InputError, match="output written: its folder is gone"):
        small.run("abc", first="Copier")


def test_nothing_between_is_refused(small):
    with pytest.raises(InputError, match="--from must not come after --until"):
        small.run("abc", first="Counter", last="Writer")
