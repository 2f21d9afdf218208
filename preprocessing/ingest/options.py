"""Which images are read and how they are split: the parameters of ImageExampleGen.

They are declared here and nowhere else, as those of ImagePreprocessor are in
`preprocessing/stage/options.py`.
"""

from typing import Literal

from pydantic import Field

from preprocessing.settings import Float, Settings
from preprocessing.sources import spans
from preprocessing.sources.base import Source
from preprocessing.sources.folder import CLASS_IS_TOP, NESTED
from preprocessing.sources.opening import AUTO, FORMATS, open_source


class IngestOptions(Settings):
    """Where the images are and how they are split."""

    path: str
    """Image folder, manifest, TFRecords or tar shards; path or URI, also with {SPAN}, {VERSION}."""
    format: Literal[FORMATS] = AUTO
    """auto: what is found at the path, if that is plain."""
    label_offset: int = 0
    """Number of the first class, where the source has numbers (1 in the classic ImageNet files)."""
    class_names_file: str = ""
    """File with a class name a line, in the order of their numbers; empty: the source has names."""
    label_column: str = ""
    """Column with the classes, of a manifest or Parquet file; empty: label, or the one like it."""
    nested: Literal[NESTED] = CLASS_IS_TOP
    """The class of a picture that lies in a folder within a class folder: that of the class folder,
    or all folders on the way to it, as in bird/owl; or there may be none (refuse)."""
    span: int | None = Field(None, ge=0)
    """The {SPAN} to read; null: the newest."""
    eval_fraction: Float = Field(0.2, gt=0, lt=1)
    """Share of the images, 0 to 1, that the evaluation split gets, chosen by their content, of
    those that the source itself gives to no split."""
    seed: int = Field(0, ge=0)
    """Seed of the split and of the shuffle of the records."""

    def open(self, version: int | None = None) -> tuple[Source, spans.Resolved]:
        """The source, and which span of the path it is.

        Args:
          version: the version of the span to take; None for the newest.

        Raises:
          InputError: nothing matches the path, or it is not plain what is there.
        """
        resolved = spans.resolve(self.path, self.span, version)
        source = open_source(
            resolved.path,
            data_format=self.format,
            label_offset=self.label_offset,
            class_names_file=self.class_names_file,
            label_column=self.label_column,
            nested=self.nested,
        )
        return source, resolved
