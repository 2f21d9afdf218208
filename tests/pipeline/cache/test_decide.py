"""What the cache takes, on a real DAG of three small nodes and real ML Metadata."""

import shutil
from pathlib import Path

import pytest
from small_dag import FAIL, SmallRuns

from pipeline.cache import decide
from pipeline.node_result import NodeError

ALL_CACHED = {"Writer": "cached", "Copier": "cached", "Counter": "cached"}


@pytest.fixture
def small(tmp_path) -> SmallRuns:
    return SmallRuns(tmp_path)


def states(results) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


def folder_of(results, node: str, key: str) -> Path:
    return Path(results[node].outputs[key].uri)


def test_second_run_is_cached_and_the_third_as_well(small):
    first = small.run("abc")
    assert set(states(first).values()) == {"ran"}
    for _ in range(2):
        again = small.run("abc")
        assert states(again) == ALL_CACHED
        assert folder_of(again, "Counter", "count") == folder_of(first, "Counter", "count")
    assert sorted(small.states().values()) == ["CACHED"] * 6 + ["COMPLETE"] * 3


def test_going_back_to_earlier_settings_is_a_hit(small):
    small.run("abc")
    assert small.run("abcd")["Counter"].state == "ran"
    assert states(small.run("abc")) == ALL_CACHED


def test_nodes_after_one_that_made_the_same_again_are_cached(small):
    small.run("abc")
    results = small.run("abc", comment="changes nothing")
    assert states(results) == {**ALL_CACHED, "Writer": "ran"}
    assert results["Writer"].why == "comment empty -> changes nothing"


def test_what_the_driver_looks_up_counts(small, tmp_path):
    watched = tmp_path / "watched"
    watched.write_text("1")
    small.run("abc", watch=str(watched))
    assert states(small.run("abc", watch=str(watched))) == ALL_CACHED
    watched.write_text("2")
    results = small.run("abc", watch=str(watched))
    assert states(results) == dict.fromkeys(ALL_CACHED, "ran")
    assert results["Writer"].why == "watched 1 -> 2"
    assert (folder_of(results, "Writer", "written") / "data" / "text.txt").read_text() == "abc2"


def test_changed_code_runs_again_and_the_file_is_named(small, tmp_path):
    code = tmp_path / "code"
    (code / "components" / "worker").mkdir(parents=True)
    (code / "components" / "worker" / "work.py").write_text("from preprocessing import ops\n")
    (code / "preprocessing").mkdir()
    (code / "preprocessing" / "ops.py").write_text("X = 1\n")
    small.run("abc", code_root=code)
    edited = tmp_path / "edited"
    shutil.copytree(code, edited)
    assert states(small.run("abc", code_root=edited)) == ALL_CACHED
    (edited / "preprocessing" / "ops.py").write_text("X = 2\n")
    again = tmp_path / "again"  # a digest is kept for the life of a process
    shutil.copytree(edited, again)
    results = small.run("abc", code_root=again)
    assert states(results) == {**ALL_CACHED, "Writer": "ran"}
    assert results["Writer"].why == "code changed: preprocessing/ops.py"


def test_result_whose_files_are_gone_is_made_again_and_nothing_else(small):
    first = small.run("abc")
    shutil.rmtree(folder_of(first, "Copier", "copy"))
    results = small.run("abc")
    assert states(results) == {**ALL_CACHED, "Copier": "ran"}
    assert results["Copier"].why == "output copy: its folder is gone"
    assert folder_of(results, "Copier", "copy").is_dir()
    assert states(small.run("abc")) == ALL_CACHED


def test_result_whose_files_changed_is_made_again(small):
    first = small.run("abc")
    path = folder_of(first, "Writer", "written") / "data" / "text.txt"
    path.write_text("xyz")
    results = small.run("abc")
    assert states(results) == {**ALL_CACHED, "Writer": "ran"}
    assert results["Writer"].why == "output written: 1 file changed (data/text.txt)"


def test_failed_execution_is_no_result(small):
    for _ in range(2):
        with pytest.raises(NodeError) as caught:
            small.run(FAIL)
        assert states({r.id: r for r in caught.value.results}) == {
            "Writer": "failed",
            "Copier": "skipped",
            "Counter": "skipped",
        }


def test_cache_can_be_off_for_one_node(small):
    small.run("abc")
    results = small.run("abc", cache_off={"Copier": "the person said so"})
    assert states(results) == {**ALL_CACHED, "Copier": "ran"}
    assert results["Copier"].why == "the person said so"


def explain(small, text, **more) -> dict[str, tuple[str, str]]:
    dag = small.dag(text, **more)
    outputs, waiting, found = {}, set(), {}
    for node_id in dag.nodes:
        decision = decide.decide(dag, node_id, outputs, waiting_for=waiting)
        found[node_id] = (decision.state, decision.why)
        if decision.state == "hit":
            outputs[node_id] = decision.outputs
        else:
            waiting.add(node_id)
    return found


def test_explanation_runs_nothing_and_tells_what_a_run_would_do(small):
    assert set(explain(small, "abc").values()) == {("miss", decide.NEVER_RAN)}
    small.run("abc")
    before = small.states()
    assert explain(small, "abc")["Counter"] == ("hit", "unchanged since run run-2")
    found = explain(small, "abcd")
    assert found["Writer"] == ("miss", "text abc -> abcd")
    assert found["Copier"] == ("open", "runs unless the content of Writer stays the same")
    assert found["Counter"] == (
        "open",
        "runs unless the content of Copier and Writer stays the same",
    )
    assert small.states() == before
