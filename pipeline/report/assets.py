"""What pages embed, so that they need no other file: style, scripts, JavaScript libraries."""

import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path

import jinja2
import markupsafe

TEMPLATES = Path(__file__).with_name("templates")
_VENDOR = Path(__file__).with_name("vendor")
# By the name of its package; Vega-Lite needs Vega.
VEGA, VEGA_LITE, DAGRE = "vega", "vega-lite", "@dagrejs/dagre"
CHART_LIBRARIES = (VEGA, VEGA_LITE)


def environment(*folders: Path) -> jinja2.Environment:
    """Renders templates of these folders and of `templates/`; values are escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def style(files: Iterable[Path] = ()) -> markupsafe.Markup:
    """The style of all pages and that of these files, those of them that are there."""
    found = [TEMPLATES / "page.css", *(file for file in files if file.exists())]
    return _joined(found)


def scripts(files: Iterable[Path] = ()) -> markupsafe.Markup:
    """The scripts of all pages and these files, those of them that are there."""
    own = [TEMPLATES / "script" / name for name in ("theme.js", "scroll.js")]
    return _joined([*own, *(file for file in files if file.exists())])


def libraries(packages: Iterable[str]) -> list[dict[str, markupsafe.Markup]]:
    """Code and licence of JavaScript libraries, in the order in which they are loaded."""
    return [_library(package) for package in packages]


@functools.cache
def _library(package: str) -> dict[str, markupsafe.Markup]:
    listed = json.loads((_VENDOR / "libraries.json").read_text(encoding="utf-8"))
    [library] = [entry for entry in listed if entry["package"] == package]
    texts = {
        file["name"].endswith(".js"): (_VENDOR / file["name"]).read_text(encoding="utf-8")
        for file in library["files"]
    }
    licence = f"{package} {library['version']}\n\n{texts[False]}".replace("--", "- -")
    # The map is not there; a browser's tools would look for it.
    code = re.sub(r"^//# sourceMappingURL=.*$", "", texts[True], flags=re.MULTILINE)
    if "</script" in code.lower():
        raise ValueError(f"{package} cannot be embedded: it holds the end of a script")
    return {"licence": markupsafe.Markup(licence), "code": markupsafe.Markup(code)}


def _joined(files: Iterable[Path]) -> markupsafe.Markup:
    return markupsafe.Markup("\n".join(file.read_text(encoding="utf-8") for file in files))
