"""Pages in a real browser: headless Chromium, as Debian's package has it."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright import sync_api

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# Those that keep a person from using the page.
_GRAVE = ("serious", "critical")


@pytest.fixture(scope="session")
def chromium() -> Iterator[sync_api.Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "the tests of pages need Chromium: apt-get install chromium"
    with sync_api.sync_playwright() as playwright:
        # As root, in a container, there is no sandbox to be had.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium) -> Iterator[Callable[..., sync_api.Page]]:
    """Opens a file at a fragment; at the end nothing must have gone wrong or to the network."""
    wrong: list[str] = []
    with contextlib.ExitStack() as contexts:

        def open_file(path: Path, fragment="", *, viewport=None, **more) -> sync_api.Page:
            context = chromium.new_context(viewport=viewport or DESKTOP, **more)
            contexts.callback(context.close)
            page = context.new_page()
            page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
            page.on("request", lambda request: wrong.extend(_from_network(request.url)))
            page.goto(path.as_uri() + fragment)
            return page

        yield open_file
    assert wrong == []


def problems(page: sync_api.Page) -> list[str]:
    """What axe-core finds serious or critical, with the element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in found
        if violation["impact"] in _GRAVE
        for node in violation["nodes"]
    ]


def fits(page: sync_api.Page) -> bool:
    """Whether the page as a whole does not scroll sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def _from_network(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:", "blob:")) else [f"request: {url}"]
