"""Whether a served model answers as the training path does, over TensorFlow Serving's REST API."""

import base64
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import requests
import tenacity

from preprocessing.text import one_line

_BATCH = 8
_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS = 0.2, 10.0
_TIMEOUT_SECS = (10, 120)
# A route or a pod that has just come may not be there for each request.
_MAY_PASS = (404, 429, 500, 502, 503, 504)
_SHOWN_CHARS = 200


class ParityError(RuntimeError):
    """The endpoint does not answer, or not what it should."""


class _PassingError(ParityError):
    """It may answer later."""


class Images(NamedTuple):
    """What is asked, and the answers.

    Attributes:
      files: encoded images.
      probabilities: float32 [N, C].
    """

    files: Sequence[bytes]
    probabilities: np.ndarray


def read(parity_file: str) -> Images:
    """Reads the images that the training left with its own answers.

    Args:
      parity_file: TFRecord with `image/encoded` and `probabilities` a record.

    Raises:
      ParityError: it has none.
    """
    import tensorflow as tf  # the programs that only ask whether there is a service need none

    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "probabilities": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
    }
    records = [
        tf.io.parse_single_example(record, features)
        for record in tf.data.TFRecordDataset(parity_file)
    ]
    if not records:
        raise ParityError(f"{parity_file} holds no images to ask the endpoint for")
    return Images(
        [record["image/encoded"].numpy() for record in records],
        np.stack([record["probabilities"].numpy() for record in records]),
    )


def largest_difference(
    url: str, entrance: str, name: str, images: Images, timeout_secs: float
) -> float:
    """Asks an endpoint for all images.

    Args:
      url: of the service.
      entrance: where requests are sent, as to the cluster's gateway, with the host of `url` in
        their header; empty: to `url`.
      name: of the model.
      images: what to ask.
      timeout_secs: how long it may give errors that pass.

    Returns:
      The largest difference of a probability.

    Raises:
      ParityError: it refuses, does not answer in time, or answers no probabilities.
    """
    deadline = time.monotonic() + timeout_secs
    largest = 0.0
    for start, files in _batches(images.files):
        expected = images.probabilities[start : start + len(files)]
        found = _ask(f"{url}/v1/models/{name}:predict", entrance, files, deadline)
        if found.shape != expected.shape:
            raise ParityError(f"{url} answers {found.shape} probabilities, not {expected.shape}")
        # NaN, which a picture that is not decoded gets, differs from everything.
        difference = np.abs(found - expected)
        largest = max(largest, float(np.where(np.isnan(difference), np.inf, difference).max()))
    return largest


def _batches(files: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    for start in range(0, len(files), _BATCH):
        yield start, files[start : start + _BATCH]


def _ask(url: str, entrance: str, files: Sequence[bytes], deadline: float) -> np.ndarray:
    """Probabilities of images, float32 [N, C]."""
    parts = urllib.parse.urlsplit(url)
    target = f"{entrance}{parts.path}" if entrance else url
    instances = [{"image_bytes": {"b64": base64.b64encode(file).decode()}} for file in files]

    def attempt() -> requests.Response:
        try:
            response = requests.post(
                target,
                json={"instances": instances},
                headers={"Host": parts.netloc},
                timeout=_TIMEOUT_SECS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _PassingError(_no_answer(url, str(error)[:_SHOWN_CHARS])) from None
        if response.status_code == requests.codes.ok:
            return response
        kind = _PassingError if response.status_code in _MAY_PASS else ParityError
        said = f"status {response.status_code} {response.text[:_SHOWN_CHARS]}"
        raise kind(_no_answer(url, said))

    response = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_PassingError),
        wait=tenacity.wait_exponential(_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS),
        stop=lambda _: time.monotonic() > deadline,
        reraise=True,
    )(attempt)
    return _probabilities(url, response)


def _no_answer(url: str, problem: str) -> str:
    return one_line(f"{url} does not answer: {' '.join(problem.split())}")


def _probabilities(url: str, response: requests.Response) -> np.ndarray:
    try:
        rows = [row["probabilities"] for row in response.json()["predictions"]]
        return np.array(rows, np.float32)
    except (ValueError, KeyError, TypeError) as error:
        text = " ".join(response.text.split())[:_SHOWN_CHARS]
        raise ParityError(one_line(f"{url} answers no probabilities: {text}")) from error
