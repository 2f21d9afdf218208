"""Spans and versions in a path, held against what TFX finds by its own code."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfx.components.example_gen import utils
from tfx.proto import example_gen_pb2, range_config_pb2

from preprocessing.errors import InputError
from preprocessing.sources.spans import Resolved, resolve

_CHARS = "}{/*?1v[\n"


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_newest_span_and_its_newest_version(tmp_path):
    touch(tmp_path, "day-7/v9/x", "day-10/v1/x", "day-10/v2/x", "day-9/v3/x", "day-old/v1/x")
    pattern = f"{tmp_path}/day-{{SPAN}}/v{{VERSION}}"
    assert resolve(pattern) == Resolved(f"{tmp_path}/day-10/v2", 10, 2, True)
    assert resolve(pattern, span=9) == Resolved(f"{tmp_path}/day-9/v3", 9, 3, True)
    assert resolve(pattern, span=10, version=1).path == f"{tmp_path}/day-10/v1"
    inside = f"{tmp_path}/day-{{SPAN}}/v{{VERSION}}/x"
    assert resolve(inside) == Resolved(f"{tmp_path}/day-10/v2/x", 10, 2, True)


def test_paths_without_a_pattern_stay_as_they_are(tmp_path):
    for path in (str(tmp_path), "relative/{x}", "s3://bucket/folder", ""):
        assert resolve(path) == Resolved(path, 0, None, False)


def test_width_means_that_many_digits(tmp_path):
    touch(tmp_path, "00012.csv", "13.csv", "000014.csv", "0001a.csv")
    assert resolve(f"{tmp_path}/{{SPAN:5}}.csv") == Resolved(
        f"{tmp_path}/00012.csv", 12, None, True
    )
    assert resolve(f"{tmp_path}/{{SPAN}}.csv").span == 14


def test_a_star_stays_in_the_path(tmp_path):
    touch(tmp_path, "x-1-0.tar", "x-1-1.tar", "x-2-0.tar", "x-2-1.tar", "3/a.tar", "4/a.txt")
    assert resolve(f"{tmp_path}/x-{{SPAN}}-*.tar") == Resolved(
        f"{tmp_path}/x-2-*.tar", 2, None, True
    )
    assert resolve(f"{tmp_path}/{{SPAN}}/*.tar").path == f"{tmp_path}/3/*.tar"


def test_a_span_that_lacks_what_the_pattern_says_is_passed_over(tmp_path):
    touch(tmp_path, "1/images/a/x", "2/other")
    assert resolve(f"{tmp_path}/{{SPAN}}/images").span == 1


def test_dates_are_spans(tmp_path):
    touch(
        tmp_path, "2024-02-29/a.tar", "2023-12-31/a.tar", "2024-13-01/x", "2023-02-29/x", "24-1-1/x"
    )
    pattern = f"{tmp_path}/{{YYYY}}-{{MM}}-{{DD}}"
    assert resolve(pattern) == Resolved(f"{tmp_path}/2024-02-29", 19782, None, True)
    assert resolve(pattern, span=19722).path == f"{tmp_path}/2023-12-31"
    assert resolve(f"{pattern}/*.tar").path == f"{tmp_path}/2024-02-29/*.tar"
    touch(tmp_path, "y2024/m05/d01-v3", "y2024/m05/d01-v12", "y2023/m06/d01-v9")
    nested = f"{tmp_path}/y{{YYYY}}/m{{MM}}/d{{DD}}-v{{VERSION}}"
    assert resolve(nested) == Resolved(f"{tmp_path}/y2024/m05/d01-v12", 19844, 12, True)


def test_a_question_mark_and_brackets_stay_in_the_path(tmp_path):
    touch(tmp_path, "a[1]-1/x1.tar", "a[1]-2/x2.tar", "a1-3/x3.tar")
    assert resolve(f"{tmp_path}/a[1]-{{SPAN}}/x?.tar").path == f"{tmp_path}/a[1]-2/x?.tar"


def test_relative_paths(tmp_path, monkeypatch):
    touch(tmp_path, "5/x")
    monkeypatch.chdir(tmp_path)
    assert resolve("{SPAN}") == Resolved("5", 5, None, True)


@pytest.mark.parametrize(
    ("pattern", "span", "message"),
    [
        ("{SPAN}/{SPAN}", None, r"has \{SPAN\} twice"),
        ("{SPAN}/{VERSION}-{VERSION}", None, r"has \{VERSION\} twice"),
        ("{VERSION}", None, r"\{VERSION\} without \{SPAN\}"),
        ("{SPAN:x}", None, "width 'x'"),
        ("{SPAN:0}", None, "width '0'"),
        ("{SPAN:}", None, "width ''"),
        ("plain", 3, r"neither \{SPAN\} nor a date, but data.span is 3"),
        ("{YYYY}/{MM}", None, r"has no \{DD\}"),
        ("{DD}/{MM}-{DD}-{YYYY}", None, r"has \{DD\} twice"),
        ("{YYYY}{MM}{DD}/{SPAN}", None, r"both \{SPAN\} and a date"),
        ("{YYYY:4}-{MM}-{DD}", None, r"has a width in \{YYYY:4\}"),
        ("{YYYY}-{MM}-{DD}", None, "match something.*'1'"),
        ("{YYYY}-{MM}-{DD}", 10**12, "number of days since 1970-01-01"),
        ("none-{SPAN}", None, "match something.*'1'"),
        ("{SPAN}", 4, "of span 4"),
        ("nowhere/{SPAN}", None, "there is nothing"),
    ],
)
def test_wrong_patterns_are_refused_in_one_line(tmp_path, pattern, span, message):
    touch(tmp_path, "1/x", "2/x")
    with pytest.raises(InputError, match=message) as caught:
        resolve(f"{tmp_path}/{pattern}", span)
    assert "\n" not in str(caught.value)


def test_two_paths_of_one_span_are_refused(tmp_path):
    touch(tmp_path, "1/x", "01/x")
    with pytest.raises(InputError, match="must be one path"):
        resolve(f"{tmp_path}/{{SPAN}}")


@settings(max_examples=60, deadline=None)
@given(
    found=st.sets(st.tuples(st.integers(0, 120), st.integers(0, 12)), min_size=1, max_size=8),
    widths=st.tuples(st.sampled_from([None, 3]), st.sampled_from([None, 2])),
    layout=st.sampled_from(
        ["s{SPAN}/v{VERSION}/x", "{SPAN}-{VERSION}", "a/{SPAN}{VERSION}z", "{SPAN}"]
    ),
    pick=st.none() | st.integers(0, 7),
)
def test_tfx_finds_the_same(tmp_path_factory, found, widths, layout, pick):
    if "}{" in layout and None in widths:
        widths = (3, 2)  # without a width, nobody can tell where the one ends
    root = str(tmp_path_factory.mktemp("spans"))
    specs = [
        f"{{{name}:{width}}}" if width else f"{{{name}}}"
        for name, width in zip(("SPAN", "VERSION"), widths, strict=True)
    ]
    pattern = layout.replace("{SPAN}", specs[0]).replace("{VERSION}", specs[1])
    for span, version in found:
        texts = [str(n).zfill(w or 0) for n, w in zip((span, version), widths, strict=True)]
        name = pattern.replace(specs[0], texts[0]).replace(specs[1], texts[1])
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        with open(os.path.join(root, name), "w"):
            pass
    spans = sorted(span for span, _ in found)
    span = None if pick is None else spans[pick % len(spans)]
    fixed = range_config_pb2.RangeConfig()
    if span is not None:
        fixed.static_range.start_span_number = fixed.static_range.end_span_number = span
    split = example_gen_pb2.Input.Split(name="all", pattern=pattern)
    _, theirs_span, theirs_version = utils.calculate_splits_fingerprint_span_and_version(
        root, [split], fixed if span is not None else None
    )
    ours = resolve(f"{root}/{pattern}", span)
    assert (ours.span, ours.version) == (theirs_span, theirs_version)
    assert ours.path == f"{root}/{split.pattern}"


@settings(max_examples=40, deadline=None)
@given(
    found=st.sets(st.dates(), min_size=1, max_size=6),
    layout=st.sampled_from(["{YYYY}-{MM}-{DD}", "{DD}.{MM}.{YYYY}/x", "a{YYYY}/{MM}{DD}z"]),
    pick=st.none() | st.integers(0, 5),
)
def test_tfx_finds_the_same_dates(tmp_path_factory, found, layout, pick):
    root = str(tmp_path_factory.mktemp("dates"))
    for date in found:
        parts = {"{YYYY}": f"{date.year:04}", "{MM}": f"{date.month:02}", "{DD}": f"{date.day:02}"}
        name = layout
        for spec, text in parts.items():
            name = name.replace(spec, text)
        touch(Path(root), name)
    span = None
    if pick is not None:
        date = sorted(found)[pick % len(found)]
        span = utils.date_to_span_number(date.year, date.month, date.day)
        if span < 0:  # which data.span cannot be
            span = None
    fixed = range_config_pb2.RangeConfig()
    if span is not None:
        fixed.static_range.start_span_number = fixed.static_range.end_span_number = span
    split = example_gen_pb2.Input.Split(name="all", pattern=layout)
    _, theirs, _ = utils.calculate_splits_fingerprint_span_and_version(
        root, [split], fixed if span is not None else None
    )
    ours = resolve(f"{root}/{layout}", span)
    assert (ours.span, ours.path) == (theirs, f"{root}/{split.pattern}")


@settings(max_examples=200, deadline=None)
@given(
    pattern=st.lists(
        st.sampled_from(
            ["{SPAN}", "{VERSION}", "{SPAN:2}", "{SPAN:", "{YYYY}", "{MM}", "{DD}", "..", *_CHARS]
        ),
        max_size=7,
    ).map("".join),
    span=st.none() | st.integers(0, 12),
)
def test_any_pattern_is_resolved_or_refused_in_one_line(tmp_path_factory, pattern, span):
    root = tmp_path_factory.mktemp("wild")
    touch(root, "1/v1", "1/v2", "12v", "v1/1", "[1")
    resolved, refusal = None, ""
    try:
        resolved = resolve(f"{root}/{pattern}", span)
    except InputError as error:
        refusal = str(error)
    if resolved is None:
        assert refusal
        assert "\n" not in refusal
    elif resolved.has_span:
        assert "{SPAN" not in resolved.path or "{SPAN:" in pattern
        assert span in (None, resolved.span)
        assert set("*?") & set(resolved.path) or os.path.exists(resolved.path)
    else:
        assert resolved.path == f"{root}/{pattern}"
