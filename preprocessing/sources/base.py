"""What all sources have in common: items to list, and their bytes to read."""

import abc
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from preprocessing.problems import UNREADABLE, Problem, ProblemCounts
from preprocessing.sources import storage
from preprocessing.sources.class_names import ClassNames
from preprocessing.sources.remarks import Remarks

# A larger file is no picture, and would not fit into memory on every worker.
MAX_IMAGE_BYTES = 512_000_000
# The size that is planned with where a source cannot tell it.
ASSUMED_IMAGE_BYTES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An image of a source, before it is read.

    Attributes:
      uri: names the image; of one in a container, `<container>#<its name there>`.
      class_text: the class; None where only reading the item tells it.
      split: `train`, `eval` or `test`, as the source says it; None where it does not.
      num_bytes: size of what is read, or an assumption where it cannot be told.
      file: path of the file that is read; empty where it is `uri`.
      offset: where in that file the item starts, bytes.
      length: its bytes from there; None where the item is the whole file.
      problem: why the item cannot be used, known before it is read; None where it can.
      columns: what else the source says of it, text by name.
    """

    uri: str
    class_text: str | None
    split: str | None = None
    num_bytes: int
    file: str = ""
    offset: int = 0
    length: int | None = None
    problem: Problem | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of ASCII; also for names that are no UTF-8."""
        return json.dumps([getattr(self, name) for name in _ITEM_FIELDS])

    @classmethod
    def from_json(cls, line: str | bytes) -> "Item":
        """The item of a line of `to_json`."""
        values = dict(zip(_ITEM_FIELDS, json.loads(line), strict=True))
        if values["problem"] is not None:
            values["problem"] = Problem(*values["problem"])
        return cls(**values)


_ITEM_FIELDS = tuple(one.name for one in dataclasses.fields(Item))


@dataclass(frozen=True, slots=True)
class Content:
    """What reading an item gives.

    Attributes:
      data: the image file's bytes; empty where it cannot be read.
      class_text: the class; empty where it is not known.
      problem: why the image cannot be used, as far as that is known; else None.
      columns: what else the source says of it, text by name.
      label: the number that the source gives to the class; None where it gives none.
    """

    data: bytes
    class_text: str
    problem: Problem | None
    columns: Mapping[str, str]
    label: int | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a quick look at a source tells.

    Attributes:
      num_images: their number, counted up to a limit or estimated from sizes.
      num_classes: the number of classes; None where only reading all would tell.
      notes: what a person should know of the source, one line each.
      problems: images that cannot be used, of those that were counted.
    """

    num_images: int
    num_classes: int | None
    notes: tuple[str, ...] = ()
    problems: ProblemCounts = field(default_factory=ProblemCounts)

    def __str__(self) -> str:
        """For people: `1797 images in 10 classes`."""
        classes = "" if self.num_classes is None else f" in {self.num_classes} classes"
        return f"{self.num_images} images{classes}"


class Source(abc.ABC):
    """A corpus. Workers get it pickled: it holds paths and settings, nothing that is open.

    Attributes:
      format: its name in the config.
      path: where it is.
      class_names: which classes there are, as far as the config says.
    """

    format: ClassVar[str]
    path: str
    class_names: ClassNames

    @abc.abstractmethod
    def files(self) -> Iterator[storage.StoredFile]:
        """Yields the files whose change makes this another corpus, in a fixed order.

        Raises:
          InputError: the corpus is not usable.
        """

    @abc.abstractmethod
    def items(self, remarks: Remarks | None = None) -> Iterator[Item]:
        """Yields the items, in a fixed order.

        Args:
          remarks: gets what is found beside the items; complete after the last one.

        Raises:
          InputError: the corpus is not usable.
        """

    @abc.abstractmethod
    def survey(self, limit: int) -> Survey:
        """Takes a quick look, before a run starts.

        Args:
          limit: more images need not be counted.

        Raises:
          InputError: the corpus is not usable.
        """

    def read(self, item: Item) -> Content:
        """Reads an item, which is a file here; never fails because of it."""
        return self.content(item, lambda: storage.read_file(item.file or item.uri, MAX_IMAGE_BYTES))

    def content(self, item: Item, read: Callable[[], bytes]) -> Content:
        """The content of an item whose class is known; what can be read is read, usable or not."""
        data, problem = b"", item.problem
        if problem is None or problem.reason != UNREADABLE:
            try:
                data = read()
            except storage.ReadError as error:
                problem = Problem(UNREADABLE, str(error))
        return Content(data, item.class_text or "", problem, item.columns)

    def fetched(self, folder: Path, make_pipeline: Callable[[], Any]) -> "Source":
        """The same source, whose items can be read in any order at little cost.

        Args:
          folder: for what has to be copied or unpacked for that; need not exist.
          make_pipeline: makes a Beam pipeline for that work.
        """
        del folder, make_pipeline
        return self

    def advice(self, unusable: Sequence[str]) -> str:
        """What a person may have meant, where images cannot be read.

        Args:
          unusable: URIs of a few of them.

        Returns:
          One sentence that begins with a lower-case letter; empty where there is no advice.
        """
        del unusable
        return ""

    def fingerprint(self) -> str:
        """SHA-256 over names, sizes, times of change and class names, as 64 hexadecimal digits.

        Differs when a file came, went or changed.

        Raises:
          InputError: the corpus is not usable.
        """
        digest = hashlib.sha256(f"{self.format}\0{self.class_names}\n".encode())
        for file in self.files():
            digest.update(file.name.encode(errors="surrogatepass") + b"\0")
            digest.update(f"{file.num_bytes} {file.stamp}\n".encode())
        return digest.hexdigest()
