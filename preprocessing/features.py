"""The feature contract: keys, dtypes, shapes and value ranges of a record.

A record is a serialized `tf.train.Example` in the layout that ImageNet tooling uses. Every
producer and every consumer of records takes the names from here. Nothing is imported, so that
reading the contract costs nothing.

| key                | dtype | shape | value                                                    |
|--------------------|-------|-------|----------------------------------------------------------|
| image/encoded      | bytes | []    | a JPEG or PNG file                                       |
| image/format       | bytes | []    | `jpeg` or `png` (of a source record: what its header says) |
| image/height       | int64 | []    | pixels, 1 or more; missing where the header is unreadable |
| image/width        | int64 | []    | pixels, 1 or more; missing where the header is unreadable |
| image/class/label  | int64 | []    | index into the class names, 0 to classes - 1             |
| image/class/text   | bytes | []    | the class name, UTF-8                                    |
| image/filename     | bytes | []    | URI of the source file, UTF-8                            |
| image/sha256       | bytes | []    | hexadecimal SHA-256 of the source file's bytes           |
| image/column/NAME  | bytes | []    | what the source's column NAME says of it, UTF-8; optional |

Records come in two kinds. A source record holds a file as it was found: `image/encoded` may be
anything and `image/class/label` is absent. A preprocessed record holds every key of the table.
An image that could not be read, or whose class is not known, is a source record as well, so that
it is counted and reported and not lost: `image/encoded` is empty where there were no bytes to read
(and `image/sha256` is that of no bytes), `image/class/text` where the class is not known, and two
more keys, absent elsewhere, say why:

| key                  | dtype | shape | value                                                  |
|----------------------|-------|-------|--------------------------------------------------------|
| image/problem        | bytes | []    | a reason of `preprocessing.problems`                   |
| image/problem_detail | bytes | []    | what is wrong with this image, UTF-8, may be empty     |

Image facts are a third kind, for statistics: one small record for each source record, without
pixels. They have `image/format`, `image/height` and `image/width` as the source record has them,
`image/class/text` unless it is empty, `image/column/NAME`, and

| key                | dtype | shape | value                                                    |
|--------------------|-------|-------|----------------------------------------------------------|
| image/aspect_ratio | float | []    | width / height, above 0; missing where they are          |
| image/num_bytes    | int64 | []    | size of the source file, bytes, 0 or more                |
"""

ENCODED = "image/encoded"
FORMAT = "image/format"
HEIGHT = "image/height"
WIDTH = "image/width"
LABEL = "image/class/label"
CLASS_TEXT = "image/class/text"
FILENAME = "image/filename"
SHA256 = "image/sha256"
PROBLEM = "image/problem"
PROBLEM_DETAIL = "image/problem_detail"
ASPECT_RATIO = "image/aspect_ratio"
NUM_BYTES = "image/num_bytes"
# The name of a column of the source follows.
COLUMN_PREFIX = "image/column/"

TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"
# Names under which other tooling writes the evaluation split.
EVAL_SPLIT_NAMES = (EVAL_SPLIT, "validation", "val")

# Beside the shards of a dataset: one class name a line, line i (from 0) names label i.
CLASS_NAMES_FILE = "labels.txt"
# Beside them, and the first two in the folder of the transform graph as well: classes and pixels,
# one line per class with its training images, one row per image, and what became of the images.
STATISTICS_FILE = "statistics.json"
CLASS_FREQUENCIES_FILE = "class_frequencies.txt"
MANIFEST_FILE = "manifest.parquet"
COUNTS_FILE = "counts.json"
# Of the images that could not be used, and of copies, one object per line; beside source records,
# what was read.
QUARANTINE_FILE = "quarantine.jsonl"
DUPLICATES_FILE = "duplicates.jsonl"
NEAR_DUPLICATES_FILE = "near_duplicates.jsonl"
INGESTION_FILE = "ingestion.json"
# Name of the vocabulary in the transform graph, which holds the same names in the same order.
CLASS_VOCABULARY = "class_names"

# Pixels that enter the model: uint8 [batch, height, width, 3] in RGB, from 0 to this.
PIXEL_MAX = 255
CHANNELS = 3


def shard_name(split: str, shard: int, num_shards: int) -> str:
    """File name of shard `shard` (from 0) of `num_shards`, as in `train-00000-of-00016`."""
    return f"{split}-{shard:05d}-of-{num_shards:05d}"
