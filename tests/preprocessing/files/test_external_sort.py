"""Sorting with few rows in memory gives what `sorted` gives."""

import hypothesis
import pytest
from hypothesis import strategies as st

from preprocessing.files import external_sort


@hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    rows=st.lists(st.tuples(st.text(max_size=3), st.integers())), rows_in_memory=st.integers(1, 9)
)
def test_same_as_sorted(tmp_path, rows, rows_in_memory):
    found = external_sort.sorted_rows(iter(rows), str(tmp_path), rows_in_memory=rows_in_memory)
    assert list(found) == sorted(rows)
    assert list(tmp_path.iterdir()) == []


def test_more_runs_than_files_may_be_open(tmp_path):
    count = external_sort.FAN_IN * 3 + 1
    rows = [(number * 7919 % count, "x") for number in range(count)]
    assert list(external_sort.sorted_rows(rows, str(tmp_path), rows_in_memory=1)) == sorted(rows)


def test_an_abandoned_iterator_leaves_no_files(tmp_path):
    rows = external_sort.sorted_rows([(2,), (1,), (3,)], str(tmp_path), rows_in_memory=1)
    assert next(rows) == (1,)
    assert list(tmp_path.iterdir())
    rows.close()
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_rows_is_passed_on(tmp_path):
    def rows():
        yield (1,)
        yield (0,)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(external_sort.sorted_rows(rows(), str(tmp_path), rows_in_memory=1))
    assert list(tmp_path.iterdir()) == []
