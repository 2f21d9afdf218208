"""The page of a run, used in a browser as a person does."""

import json

import browser
import made_pages
import pytest
from playwright.sync_api import expect

from pipeline.node_names import NODE_NAMES

KINDS = {
    "blessed": {},
    "not blessed": {"min_top_1": 0.99},
    "failed": {"failed": "ImagePreprocessor"},
    "cached": {"state": "cached"},
    "many classes": {"classes": 1000, "images": 5_000, "share_right": 0.7},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs [1] #?")
    return {
        kind: made_pages.make(folder / kind, kind.replace(" ", "-"), **values)
        for kind, values in KINDS.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_can_use_it(made, open_page, kind):
    page = open_page(made[kind].page, color_scheme="light")
    page.get_by_role("button", name="Whole graph").click()
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")
    assert browser.fits(page)
    assert browser.problems(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(browser.PHONE)
    assert browser.fits(page)
    assert browser.problems(page) == []


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_small(made, kind):
    assert made[kind].page.stat().st_size < 2e6


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("blessed", "recognises 91.7 % of 300 evaluation images of 3 classes (between"),
        ("blessed", "It passed all checks and is served as version 1795826541."),
        ("not blessed", "It is not served: the gate refused it (top-1 0.9167 ["),
        ("failed", "The run stopped with an error: ImagePreprocessor failed: no <disk> left."),
        ("cached", "Nothing had changed since an earlier run: all of its results were taken over."),
    ],
)
def test_a_sentence_at_the_top_says_what_happened(made, open_page, kind, said):
    expect(open_page(made[kind].page).locator("main > p.said")).to_contain_text(said)


def test_graph_goes_step_by_step(made, open_page):
    page = open_page(made["blessed"].page)
    graph = page.locator("#graph-canvas")

    def shown() -> set[str]:
        return set(graph.locator("button").evaluate_all("all => all.map(b => b.dataset.id)"))

    # Around the node that made the model, one step up and down.
    near = {"LatestBlessedModel", "Evaluator", "ServingValidator", "Pusher"}
    assert shown() == {"HorovodTrainer", "ImagePreprocessor", *near}
    page.get_by_role("button", name="One step more").click()
    assert {"ImageExampleGen", "SchemaGen", "ExampleValidator", "served"} <= shown()
    page.get_by_role("button", name="Whole graph").click()
    assert shown() == {*NODE_NAMES, "data", "served"}
    expect(page.get_by_role("button", name="One step more")).to_be_disabled()
    # The way from the data to the served model: an edge between each two of its six stations.
    expect(graph.locator("path.edge.way")).to_have_count(5)
    page.get_by_role("button", name="One step up and down").click()
    graph.get_by_role("button", name="Evaluator").click()
    assert shown() == {
        "Evaluator",
        "ImagePreprocessor",
        "HorovodTrainer",
        "LatestBlessedModel",
        "Pusher",
    }


def test_a_click_on_a_node_shows_what_is_known_of_it(made, open_page):
    page = open_page(made["blessed"].page)
    details = page.locator("#graph-details")
    page.locator("#graph-canvas").get_by_role("button", name="Pusher").click()
    expect(details.get_by_role("heading", name="Pusher")).to_be_visible()
    expect(details).to_contain_text("ran in 10.5 s, 1244 MB of memory at its peak")
    for row in ("model_blessing Evaluator.blessing", "infra_blessing ServingValidator.blessing"):
        expect(details.get_by_role("row", name=row)).to_be_visible()
    pushed = made["blessed"].results[-1].outputs["pushed_model"].uri
    expect(details.get_by_role("row", name=f"pushed_model {pushed}")).to_be_visible()
    details.get_by_text("Settings").click()
    expect(details.get_by_role("row", name="train_config.arch s")).to_be_visible()
    details.get_by_text("End of the log").click()
    expect(details.locator("pre")).to_have_text("Node Pusher starts\nend")


def test_graph_with_the_keyboard(made, open_page):
    page = open_page(made["blessed"].page)
    page.get_by_role("button", name="Whole graph").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the graph as a whole, which may scroll
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#graph-details h3")).to_have_text("Images")
    expect(page.locator(":focus")).to_have_attribute("data-id", "data")


def test_what_failed_is_shown_first(made, open_page):
    page = open_page(made["failed"].page)
    node = page.locator(".graph-node.failed")
    expect(node).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#graph-details")).to_contain_text("Node ImagePreprocessor starts")
    # One step down: the trainer, and the evaluator, which takes the records too.
    expect(page.locator(".graph-node.skipped")).to_have_count(2)
    expect(page.locator("#training")).to_have_count(0)


def test_training_curves(made, open_page):
    page = open_page(made["blessed"].page)
    titles = page.locator("#training figcaption").all_text_contents()
    assert titles == ["Top-1", "Loss", "Learning rate", "Image size, px", "Images a second"]
    for drawing in page.locator("#training .drawing").all():
        expect(drawing.locator("svg")).to_be_visible()
        expect(drawing.locator("text", has_text="48 px")).to_have_count(1)  # where stage 2 begins
    figure = page.locator("#training figure").nth(2)
    figure.get_by_text("Numbers").click()
    expect(figure.get_by_role("row", name="4 0.0005")).to_be_visible()


def test_charts_take_the_colours_of_the_system_at_once(made, open_page):
    page = open_page(made["blessed"].page, color_scheme="light")
    line = page.locator("#training .drawing").first.locator("path[stroke]").first
    label = page.locator("#training .drawing svg text").first
    light = label.get_attribute("fill")
    page.emulate_media(color_scheme="dark")
    expect(label).not_to_have_attribute("fill", light)
    expect(line).to_be_attached()


@pytest.mark.parametrize("kind", ["blessed", "many classes"])
def test_confusion_matrix_is_whole_and_says_each_cell(made, open_page, kind):
    page = open_page(made[kind].page)
    matrix, said = page.locator("#matrix"), page.locator("#matrix-cell")
    data = json.loads(page.locator("#matrix-data").text_content())
    counts = {(row, column): count for row, column, count in data["cells"]}
    box, canvas = matrix.bounding_box(), matrix.locator("canvas").bounding_box()
    assert canvas["width"] <= box["width"]
    page.get_by_label("Go to class").fill("class 0002")
    page.get_by_label("Go to class").press("Enter")
    expect(said).to_contain_text(f"class 0002 recognised: {counts[2, 2]} images")
    matrix.focus()
    page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text(f"class 0002 taken for class 0001: {counts.get((2, 1), 0)} images")
    page.get_by_role("button", name="Whole matrix").click()
    matrix.scroll_into_view_if_needed()
    canvas = matrix.locator("canvas").bounding_box()
    # Its last cell is at its lower right corner.
    page.mouse.move(canvas["x"] + canvas["width"] - 0.4, canvas["y"] + canvas["height"] - 0.4)
    last = len(data["names"]) - 1
    expect(said).to_contain_text(f"class {last:04d} recognised: {counts[last, last]} images")


def test_confusion_matrix_is_drawn_in_both_colours(made, open_page):
    page = open_page(made["many classes"].page)
    colors = page.locator("#matrix canvas").evaluate(
        """canvas => {
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          let [blue, orange] = [0, 0];
          for (let i = 0; i < data.length; i += 4) {
            blue += data[i + 2] > data[i] + 60;
            orange += data[i] > data[i + 2] + 60;
          }
          return [blue, orange];
        }"""
    )
    assert min(colors) > 300
