"""What a section of a run's page is, to the page."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.report.reported_run import ReportedRun


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
      name: its anchor, and that of its files in `templates/sections/`: `<name>.html`, the body
        below the heading, and where there are some `<name>.css` and `<name>.js`.
      title: its heading.
      view: gives the values of the template; None or an empty mapping leaves the section out, as
        for what a failed run did not get to. The values must be bounded, whatever the corpus.
    """

    name: str
    title: str
    view: Callable[[ReportedRun], Mapping[str, Any] | None]
