"""Pages about runs: one HTML file each, in the style of the report, that needs nothing else."""

from pathlib import Path
from typing import Any

import pydantic

from lineage.record.run import Run
from pipeline.report import assets
from preprocessing.stage.options import PictureOptions

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, values: dict[str, Any]) -> str:
    """Fills a template of `templates/`; values are escaped."""
    environment = assets.environment(_TEMPLATES)
    return environment.get_template(template).render(
        style=assets.style(), libraries=[], scripts=assets.scripts(), **values
    )


def picture_options(run: Run) -> PictureOptions:
    """How the pictures of a run are decoded: as it did, or where that is not known, by default."""
    known = {
        name: value
        for name, value in (run.settings.get("preprocessing") or {}).items()
        if name in PictureOptions.model_fields
    }
    try:
        return PictureOptions.model_validate(known)
    except pydantic.ValidationError:  # values of another version
        return PictureOptions()


def dataset_folder(run: Run) -> Path | None:
    """The folder of the records that the model got, None if the run made none."""
    return Path(run.dataset.uri) if run.dataset is not None else None
