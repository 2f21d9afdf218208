"""The page of all runs and that of a comparison, used in a browser as a person does."""

import datetime
import json

import browser
import made_pages
import made_runs
import pytest
from playwright.sync_api import expect

from components.evaluator.verdict import Override
from lineage.compare import differences
from lineage.pages import all_runs, kept
from lineage.record import files
from lineage.record.run import RunLine
from lineage.views import compare_text

# In the order in which they ran; the last one is refused, and served all the same.
FIRST, SECOND, FAILED, LAST = "20260131-120100", "20260131-120200", "20260131-120300", "r.4"
OVERRIDE = Override("the <camera> was broken", "ann", "2026-01-31T13:00:00Z")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An output folder with four runs on two datasets, and the records of three of them."""
    folder = tmp_path_factory.mktemp("runs [1] #?")
    made_pages.make(folder, FIRST)
    runs = made_runs.MadeRuns(folder)
    images = made_runs.corpus(classes=("cat", "<b>dog", "emu"), train=30, evaluation=12)
    records = {
        FIRST: runs.whole(FIRST, right=7, push="1795825263"),
        SECOND: runs.whole(
            SECOND,
            {"trainer": {"max_epochs": 3}, "evaluation": {"min_top_1": 0.9}},
            images=images,
            model=b"better",
            right=8,
            blessed=False,
        ),
    }
    failed = runs.start(FAILED)
    failed.status, failed.said = "failed", "ImageExampleGen failed: no <disk>"
    failed.end()
    records[LAST] = runs.whole(
        LAST, model=b"last", right=9, blessed=False, push="1795826541", override=OVERRIDE
    )
    return folder, records


@pytest.fixture
def index(made, open_page):
    return open_page(made[0] / "reports" / "index.html", timezone_id="UTC")


def listed(page) -> list[str]:
    return page.locator("#runs-table tbody tr td:nth-child(2)").all_text_contents()


def test_all_runs_are_listed_the_newest_first(index):
    assert listed(index) == [LAST, FAILED, SECOND, FIRST]
    row = index.locator("#runs-table").get_by_role("row", name=FIRST)
    expect(row).to_contain_text("2026-01-31 12:01")
    expect(row).to_contain_text("0.7000 [0.3968, 0.8922]")
    expect(row).to_contain_text("1795825263")
    expect(index.locator("#runs-table").get_by_role("row", name=LAST)).to_contain_text(
        "not blessed, overridden by ann"
    )
    expect(index.locator("main > p.said")).to_have_text(
        f"4 runs; the newest one, {LAST}, is served as version 1795826541."
    )


def test_sorting(index):
    index.get_by_role("button", name="Top-1").click()
    assert listed(index) == [LAST, SECOND, FIRST, FAILED]  # what has no value comes last
    expect(index.locator("th[data-key=top_1]")).to_have_attribute("aria-sort", "descending")
    index.get_by_role("button", name="Top-1").press("Enter")
    assert listed(index) == [FIRST, SECOND, LAST, FAILED]
    expect(index.locator("th[data-key=top_1]")).to_have_attribute("aria-sort", "ascending")
    index.get_by_role("button", name="Run", exact=True).click()
    assert listed(index) == [FIRST, SECOND, FAILED, LAST]


def test_filtering(index):
    index.get_by_label("Search").fill("blessed ANN")
    assert listed(index) == [LAST]
    expect(index.locator("#count")).to_have_text("1 of 4 runs")
    index.get_by_label("Search").fill("")
    index.get_by_label("State").select_option("failed")
    assert listed(index) == [FAILED]
    index.get_by_label("State").select_option("all")
    index.get_by_label("Search").fill("no such run")
    expect(index.locator("#count")).to_have_text("0 of 4 runs")


def test_a_dataset_leads_to_its_runs(made, index):
    digest = made[1][SECOND].dataset.digest[:12]
    rows = index.locator("#datasets-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(f"{FIRST}{LAST}")
    index.get_by_role("button", name=digest).press("Enter")
    assert listed(index) == [SECOND]


def test_top_1_is_drawn_with_the_versions_that_were_pushed(index):
    chart = index.locator("#over-time .drawing")
    for version in ("1795825263", "1795826541"):
        expect(chart.locator("text", has_text=version)).to_be_visible()
    index.get_by_text("Numbers", exact=False).first.click()
    rows = index.locator("#over-time tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("0.8000")


def test_two_ticked_runs_lead_to_what_differs_and_back_to_a_run(index):
    compare = index.locator("#compare")
    expect(compare).to_have_attribute("aria-disabled", "true")
    index.get_by_label(f"Tick run {LAST}").check()
    index.get_by_label(f"Tick run {SECOND}").check()
    index.get_by_label(f"Tick run {FIRST}").check()  # takes the place of the first
    expect(index.get_by_label(f"Tick run {LAST}")).not_to_be_checked()
    compare.click()
    main = index.locator("main")
    expect(main).to_contain_text(f"Run {SECOND} is better: top-1 0.7000 → 0.8000; the intervals")
    expect(main.get_by_role("row", name="trainer.max_epochs 350 3")).to_be_visible()
    expect(main.get_by_role("row", name="evaluation.min_top_1 0.5000 0.9000")).to_be_visible()
    expect(main.get_by_role("row", name="<b>dog (train) - 10")).to_be_visible()
    expect(main).to_contain_text(f"effnet runs --compare {FIRST} {SECOND}")
    assert browser.problems(index) == []
    index.get_by_role("link", name=FIRST).click()
    expect(index.get_by_role("heading", name="How it was made")).to_be_visible()
    index.get_by_role("link", name="All runs").click()
    expect(index.locator("#count")).to_have_text("4 runs")
    assert listed(index)[0] == LAST


@pytest.mark.parametrize("pair", [(FIRST, SECOND), (SECOND, LAST), (LAST, FIRST), (FAILED, FIRST)])
def test_the_page_says_what_the_command_says(made, open_page, pair):
    folder, _ = made
    page = open_page(folder / "reports" / "compare.html", f"#{'/'.join(pair)}")
    expect(page.locator(".pair")).to_be_visible()
    runs = [_record(folder, run_id) for run_id in pair]
    told = compare_text.as_json(differences.compare(*runs))
    for name in ("settings", "versions", "machine", "source", "classes", "metrics"):
        found = page.evaluate(
            f"(ids) => comparison.changes(...ids.map(id => kept.get(id).{name}))", list(pair)
        )
        assert found == json.loads(json.dumps(told[name])), name


def test_everybody_can_use_them(made, open_page):
    folder, _ = made
    for name, fragment in (("index.html", ""), ("compare.html", f"#{FIRST}/{LAST}")):
        page = open_page(folder / "reports" / name, fragment)
        for scheme, size in (("light", browser.DESKTOP), ("dark", browser.PHONE)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            assert browser.fits(page)
            assert browser.problems(page) == []


@pytest.mark.parametrize("address", ["", "#one", "#../a/../b", "#a/b/c"])
def test_an_address_that_names_no_two_runs(made, open_page, address):
    page = open_page(made[0] / "reports" / "compare.html", address)
    expect(page.locator("#comparison")).to_have_text("Choose two runs on the page of all runs.")


def test_a_run_without_evaluation_is_compared_too(made, open_page):
    page = open_page(made[0] / "reports" / "compare.html", f"#{FAILED}/{FIRST}")
    expect(page.locator("p.said")).to_have_text(f"Run {FAILED} has no evaluation.")


def test_what_runs_of_before_did_not_keep_is_made_later(tmp_path):
    runs = made_runs.MadeRuns(tmp_path)
    runs.whole("one")
    file = tmp_path / "reports" / "one" / kept.FILE
    before = file.read_text()
    file.unlink()
    runs.whole("two")
    assert file.read_text() == before


def test_thousands_of_runs(tmp_path, open_page):
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    lines = [
        RunLine(
            id=f"20260101-{number:06d}",
            pipeline="digits",
            state="not_blessed",
            started=start + datetime.timedelta(minutes=number),
            secs=123.4,
            images=1000,
            top_1=0.5 + number / 20_000,
            top_1_low=0.4,
            top_1_high=0.99,
            blessed=False,
            dataset=f"{number % 7:064x}"[::-1],
        )
        for number in reversed(range(all_runs.MAX_RUNS + 1000))
    ]
    page_file = tmp_path / "index.html"
    page_file.write_text(all_runs.index_page(lines, tmp_path))
    assert page_file.stat().st_size < 4e6
    page = open_page(page_file)
    expect(page.locator("#count")).to_have_text("5,000 runs, the first 100 are shown")
    expect(page.locator("#runs")).to_contain_text("1,000 older runs are not listed here")
    page.get_by_role("button", name="Show more").click()
    assert len(listed(page)) == 600
    page.get_by_role("button", name="Top-1").click()
    assert listed(page)[0] == "20260101-005999"
    page.get_by_label("Search").fill("002345")
    assert listed(page) == ["20260101-002345"]


def _record(folder, run_id):
    return files.read(files.path_of(folder / "artifacts", run_id))
