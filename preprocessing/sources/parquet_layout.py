"""Which columns of a Parquet file have the pictures and the classes, and what the classes are.

Hugging Face's `datasets` writes its features as JSON into the schema of the files
(`{"info": {"features": {"label": {"_type": "ClassLabel", "names": [...]}}}}` under the key
`huggingface`), and as YAML into the front of the dataset's `README.md`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import yaml

from preprocessing.errors import InputError
from preprocessing.files.class_names import is_class_text
from preprocessing.sources import storage

IMAGE_NAMES = ("image", "img", "jpg", "png", "picture", "photo")
LABEL_NAMES = ("label", "labels", "class", "target", "category", "cls")
_REMEDIES = {"image": "; rename it", "label": "; or set data.label_column"}
_BUFFER_BYTES = 1 << 20  # so much of a column is read at a time
_CARD = "README.md"
_MAX_CARD_BYTES = 10_000_000


@dataclass(frozen=True)
class Layout:
    """What is where in a file.

    Attributes:
      image: name of the column with the pictures.
      label: name of the column with the classes.
      class_names: names of the numbers, from 0; empty where the labels are texts, or unnamed.
      kept: names of further columns, of numbers and texts.
      num_rows: number of images.
    """

    image: str
    label: str
    class_names: tuple[str, ...]
    kept: tuple[str, ...]
    num_rows: int

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (self.image, self.label, *self.kept)


def open_parquet(file: BinaryIO, name: str, label_column: str) -> tuple[Any, Layout]:
    """Opens a Parquet file.

    Args:
      file: open; it is sought in.
      name: its path, for messages, and beside which a dataset's README.md may lie.
      label_column: the column with the classes; empty: it is found out.

    Returns:
      (a `pyarrow.parquet.ParquetFile`, its layout).

    Raises:
      InputError: it has no column of pictures, or no column of classes, or several.
      Exception: of pyarrow: it is no Parquet file, or not whole.
    """
    import pyarrow.parquet as pq  # takes a moment, which other sources need not wait for

    parquet = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    return parquet, _layout(parquet.schema_arrow, parquet.metadata.num_rows, name, label_column)


def check_names(layout: Layout, name: str) -> None:
    """Looks whether each label has a name of its own.

    Args:
      layout: of a file.
      name: its path, for the message.

    Raises:
      InputError: two labels have one name, or a name cannot be that of a class.
    """
    numbers: dict[str, int] = {}
    for number, text in enumerate(layout.class_names):
        problem = "" if is_class_text(text) else "is no printable text without spaces at its ends"
        if text in numbers:
            problem = f"is that of {layout.label} {numbers[text]}, too"
        if problem:
            raise InputError(
                "a label must have one name, and a name one label, or they are different classes. "
                f"Received: {name}, where the name of {layout.label} {number}, {text!r}, "
                f"{problem}. Name the classes by their numbers in data.class_names_file"
            )
        numbers[text] = number


def _layout(schema: Any, num_rows: int, name: str, label_column: str) -> Layout:
    found = _features(schema, name)
    image = _choice(
        "image",
        [f.name for f in schema if found.get(f.name, {}).get("_type") == "Image"]
        or [f.name for f in schema if _is_image_struct(f.type)]
        or [f.name for f in schema if _is_binary(f.type)],
        IMAGE_NAMES,
        schema,
        name,
    )
    label = label_column or _choice(
        "label",
        [f.name for f in schema if found.get(f.name, {}).get("_type") == "ClassLabel"]
        or [f.name for f in schema if f.name in LABEL_NAMES and _is_plain(f.type)],
        LABEL_NAMES,
        schema,
        name,
    )
    kept = [f.name for f in schema if _is_plain(f.type) and f.name != label]
    if label not in schema.names or not _is_plain(schema.field(label).type):
        raise InputError(
            f"data.label_column must be a column of numbers or texts. Received: {label!r}, and "
            f"{name} has {_described(schema)}"
        )
    return Layout(
        image,
        label,
        tuple(map(str, found.get(label, {}).get("names") or ())),
        tuple(column for column in kept if is_class_text(column)),
        num_rows,
    )


def _choice(
    what: str, columns: Sequence[str], preferred: Sequence[str], schema: Any, name: str
) -> str:
    for column in (*preferred, *columns[: len(columns) == 1]):
        if column in columns:
            return column
    problem = f"several: {', '.join(columns)}" if columns else "none"
    raise InputError(
        f"a Parquet file must have one column of {what}s, or one called "
        f"{' or '.join(map(repr, preferred[:2]))}{_REMEDIES[what]}. Received: {name} with "
        f"{problem}; it has {_described(schema)}"
    )


def _described(schema: Any) -> str:
    return f"the columns {', '.join(f'{f.name} ({f.type})' for f in schema)}"


def _features(schema: Any, name: str) -> Mapping[str, Any]:
    """What Hugging Face says of the columns, by their names; empty where it does not."""
    text = (schema.metadata or {}).get(b"huggingface")
    if text:
        try:
            found = json.loads(text)["info"]["features"]
        except (ValueError, KeyError, TypeError):
            found = None
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if isinstance(value, dict)}
    folder = os.path.dirname(name)
    cards = (storage.join(where, _CARD) for where in (folder, os.path.dirname(folder)))
    return next(filter(None, map(_card_features, cards)), {})


def _card_features(path: str) -> Mapping[str, Any]:
    """The features that the front of a README.md declares, in the form of those of the schema."""
    try:
        text = storage.read_file(path, _MAX_CARD_BYTES).decode("utf-8")
        front = yaml.safe_load(text.split("---")[1]) if text.startswith("---") else None
    except (storage.ReadError, ValueError, yaml.YAMLError):
        return {}
    info = front.get("dataset_info") if isinstance(front, dict) else None
    infos = info if isinstance(info, list) else [info]
    declared = next((one["features"] for one in infos if _has_features(one)), ())
    return dict(filter(None, map(_card_feature, declared)))


def _has_features(info: Any) -> bool:
    return isinstance(info, dict) and isinstance(info.get("features"), list)


def _card_feature(feature: Any) -> tuple[str, Mapping[str, Any]] | None:
    if not isinstance(feature, dict) or "name" not in feature:
        return None
    kind = feature.get("dtype")
    if kind == "image":
        return feature["name"], {"_type": "Image"}
    names = kind.get("class_label", {}).get("names") if isinstance(kind, dict) else None
    if isinstance(names, dict):  # by their numbers, as texts
        names = [names[key] for key in sorted(names, key=int)]
    return (feature["name"], {"_type": "ClassLabel", "names": names}) if names else None


def _is_image_struct(kind: Any) -> bool:
    import pyarrow as pa

    if not pa.types.is_struct(kind):
        return False
    fields = {kind.field(index).name: kind.field(index).type for index in range(kind.num_fields)}
    return "bytes" in fields and _is_binary(fields["bytes"])


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_plain(kind: Any) -> bool:
    """Whether a column holds numbers, truth values or texts."""
    import pyarrow as pa

    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    texts = (pa.types.is_string, pa.types.is_large_string)
    if pa.types.is_dictionary(kind):
        return any(check(kind.value_type) for check in texts)
    return any(check(kind) for check in (*checks, *texts))
