"""Runs and comparisons as pages: self-contained, with the right pictures, escaped, and bounded."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import browser
import numpy as np
import pytest
from made_runs import Image as CorpusImage
from made_runs import MadeRuns
from PIL import Image

from pipeline import cli
from pipeline.report.pictures import MAX_THUMBNAIL_BYTES

CLASSES = ("<i>cat", "dog")
COUNT = 24


def color(number: int) -> tuple[int, int, int]:
    return 10 * number, 250 - 10 * number, 77


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (120, 80), color(number)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> MadeRuns:
    """`b` loses images 9 and 11, gains 6, and lacks image 0; one more cannot be decoded whole."""
    folder = tmp_path_factory.mktemp("corpus")
    images = []
    for number in range(COUNT):
        path = folder / CLASSES[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(number))
        name = f"{path.parent.name}/{path.name}"
        split = "train" if number < 6 else "eval"
        images.append(CorpusImage(name, split, content=path.read_bytes(), folder=str(folder)))
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    half = folder / "dog" / "half.png"
    half.write_bytes(buffer.getvalue()[:20_000])
    images.append(
        CorpusImage("dog/half.png", status="quarantined", reason="damaged or truncated",
                    content=half.read_bytes(), folder=str(folder))
    )  # fmt: skip
    runs = MadeRuns(tmp_path_factory.mktemp("out"))
    runs.whole("a", images=images, model=b"a", mistakes={"<i>cat/6.png": "dog"})
    wrong = {"dog/9.png": "<i>cat", "dog/11.png": "<i>cat"}
    runs.whole("b", images=images[1:], model=b"b", mistakes=wrong, push="1000",
               settings={"trainer": {"max_epochs": 7}})  # fmt: skip
    return runs


class Page(HTMLParser):
    """Elements that are open at the end, and what is loaded from elsewhere."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, text: str):
        super().__init__()
        self.open, self.loaded, self.ids, self.missing_alt = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loaded += [attributes[n] for n in ("src", "href") if n in attributes]
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.missing_alt += tag == "img" and not attributes.get("alt")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def ask(capsys, runs, *arguments: str) -> str:
    assert cli.main([*arguments, "--format", "html", "--output_dir", str(runs.folder)]) == 0
    text = capsys.readouterr().out
    page = Page(text)
    assert page.open == []
    assert page.missing_alt == 0
    assert len(page.ids) == len(set(page.ids))
    assert {uri[:5] for uri in page.loaded if not uri.startswith("#")} <= {"data:"}
    assert "<i>cat" not in text
    assert len(text) < 5_000_000
    return text


def section(text: str, name: str) -> str:
    return re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL).group()


def shown_numbers(part: str) -> dict[int, bool]:
    """Number of each image of a section, and whether the picture beside the name is that one."""
    found = {}
    for figure in re.findall(r"<figure>.*?</figure>", part, re.DOTALL):
        number = int(re.search(r"(\d+)\.png", figure).group(1))
        data = base64.b64decode(re.search(r"base64,([^\"]+)", figure).group(1), validate=True)
        assert len(data) <= MAX_THUMBNAIL_BYTES
        pixel = Image.open(io.BytesIO(data)).convert("RGB").getpixel((5, 5))
        found[number] = bool(np.abs(np.subtract(pixel, color(number))).max() <= 4)  # JPEG
    return found


def test_comparison_shows_the_images_that_changed_sides(capsys, runs):
    text = ask(capsys, runs, "runs", "--compare", "a", "b")
    assert shown_numbers(section(text, "lost")) == {9: True, 11: True}
    assert shown_numbers(section(text, "gained")) == {6: True}
    assert shown_numbers(section(text, "images")) == {0: True}
    assert "1 image: went" in text
    assert "-0.0556" in section(text, "test")
    assert "trainer.max_epochs" in section(text, "why")
    assert "&lt;i&gt;cat 0.7500" in section(text, "lost")
    assert "run b is worse" in text


def test_why_is_the_same_page(capsys, runs):
    text = ask(capsys, runs, "lineage", "--why", "a", "b")
    assert text == ask(capsys, runs, "runs", "--compare", "a", "b")


def test_equal_runs_have_a_page_that_says_so(capsys, runs):
    text = ask(capsys, runs, "runs", "--compare", "a", "a")
    assert "it is the same model" in text
    assert "<figure>" not in text


def test_run_shows_its_mistakes_and_what_can_be_seen_of_the_quarantine(capsys, runs):
    text = ask(capsys, runs, "lineage", "b")
    assert shown_numbers(section(text, "mistakes")) == {9: True, 11: True}
    listed = section(text, "quarantine")
    assert "damaged or truncated" in listed
    assert listed.count('src="data:image/jpeg;base64,') == 1
    assert "version 1000" in section(text, "pushed")
    assert "trainer.max_epochs" in section(text, "settings")
    assert "HorovodTrainer" in section(text, "nodes")
    for name in ("run", "data", "code", "versions", "machine", "model", "evaluation"):
        assert section(text, name)


def test_run_that_did_nothing_has_a_page(capsys, tmp_path):
    runs = MadeRuns(tmp_path)
    runs.start("c").end()
    text = ask(capsys, runs, "lineage", "c")
    assert "none was read" in text
    assert "<figure>" not in text


def test_images_that_are_gone_leave_their_names(capsys, tmp_path):
    runs = MadeRuns(tmp_path)
    gone = [CorpusImage(f"cat/{i}.png", "eval", folder="/gone") for i in range(4)]
    runs.whole("a", images=gone, model=b"a", mistakes={})
    more = [*gone, dataclasses.replace(gone[0], name="cat/9.png")]
    runs.whole("b", images=more, model=b"b", mistakes={i.name: "dog" for i in gone})
    text = ask(capsys, runs, "runs", "--compare", "a", "b")
    lost = section(text, "lost")
    assert lost.count("cannot be shown") == lost.count("<figure>") == 4
    assert "/gone/cat/3.png" in lost


@pytest.mark.parametrize("arguments", [["lineage", "b"], ["runs", "--compare", "a", "b"]])
def test_everybody_can_use_them(capsys, runs, tmp_path, open_page, arguments):
    path = tmp_path / "page.html"
    path.write_text(ask(capsys, runs, *arguments), encoding="utf-8")
    for more in ({}, {"viewport": browser.PHONE, "color_scheme": "dark"}):
        page = open_page(path, **more)
        assert browser.problems(page) == []
        assert browser.fits(page)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "--format", "html"], "--format html needs --compare"),
        (["lineage", "a", "--images", "--format", "html"], "shows a run, or --why"),
        (["lineage", "--image", "x.png", "--format", "html"], "shows a run, or --why"),
    ],
)
def test_what_has_no_page_is_told_in_one_line(capsys, runs, arguments, said):
    assert cli.main([*arguments, "--output_dir", str(runs.folder)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)
