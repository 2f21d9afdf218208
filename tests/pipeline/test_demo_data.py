"""The digits as an image folder."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from pipeline.demo_data import write_digits
from preprocessing.errors import InputError


def test_digits_are_written_once_and_completely(tmp_path):
    folder = tmp_path / "data" / "digits"
    assert write_digits(folder) == 1797
    assert sorted(path.name for path in folder.iterdir()) == list("0123456789")
    digits = load_digits()
    files = sorted(folder.glob("*/*.png"), key=lambda path: path.name)
    assert [int(path.parent.name) for path in files] == digits.target.tolist()
    with Image.open(files[5]) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        np.testing.assert_allclose(np.asarray(image) * (16 / 255), digits.images[5], atol=0.04)
    times = {path: path.stat().st_mtime_ns for path in files}
    assert write_digits(folder) == 1797
    assert times == {path: path.stat().st_mtime_ns for path in files}


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        write_digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_incomplete_folder_is_told(tmp_path):
    write_digits(tmp_path / "digits")
    next((tmp_path / "digits" / "3").iterdir()).unlink()
    with pytest.raises(InputError):
        write_digits(tmp_path / "digits")
