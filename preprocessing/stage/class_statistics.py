"""What a dataset is like: classes with frequencies and weights, pixel mean and deviation.

`statistics.json` has

    images    used images by split
    classes   one object per class, in the order of the labels: `label`, `name`, `images` by split,
              and `weight`: training images / (classes with training images x those of this
              class), so that every class weighs the same over an epoch; 0 for a class that has
              no training image
    pixels    of the training images as they are shrunk, over all their pixels: `pixels` (how
              many), `mean` and `deviation` a channel (red, green, blue; values 0 to 255; a grey
              picture has three equal channels)

`class_frequencies.txt` has one line per class in the same order, `<training images> <name>`, as
TensorFlow Transform writes vocabularies with frequencies.
"""

import json
import os
from typing import Any

from preprocessing import features
from preprocessing.files.new_file import write_text
from preprocessing.stage.counts import Counts


def describe(class_names: list[str], counts: Counts) -> dict[str, Any]:
    """The content of `statistics.json`.

    Args:
      class_names: the label of a class is its position.
      counts: what became of the images.
    """
    train = counts.classes[features.TRAIN_SPLIT]
    present = sum(1 for name in class_names if train[name])
    return {
        "images": {split: of["used"] for split, of in counts.splits.items()},
        "classes": [
            {
                "label": label,
                "name": name,
                "images": {split: of[name] for split, of in counts.classes.items()},
                "weight": train.total() / (present * train[name]) if train[name] else 0.0,
            }
            for label, name in enumerate(class_names)
        ],
        "pixels": {
            "pixels": counts.pixels.pixels,
            "mean": counts.pixels.mean(),
            "deviation": counts.pixels.deviation(),
        },
    }


def write_statistics(statistics: dict[str, Any], folder: str) -> None:
    """Writes `statistics.json` and `class_frequencies.txt` into a folder.

    Args:
      statistics: as `describe` makes them.
      folder: an existing folder.
    """
    text = json.dumps(statistics, indent=2, ensure_ascii=False) + "\n"
    write_text(os.path.join(folder, features.STATISTICS_FILE), text)
    lines = (
        f"{entry['images'][features.TRAIN_SPLIT]} {entry['name']}\n"
        for entry in statistics["classes"]
    )
    write_text(os.path.join(folder, features.CLASS_FREQUENCIES_FILE), "".join(lines))
