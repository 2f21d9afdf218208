"""The token with which a person or a program is known to Kubeflow Pipelines."""

import os
from collections.abc import Mapping
from pathlib import Path

import requests
import requests.auth

from preprocessing.errors import InputError

VARIABLE = "KF_PIPELINES_TOKEN"
# Kubeflow sets it in pods whose service account may use the API.
PATH_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"


class Token(requests.auth.AuthBase):
    """A token in a file, which is read before each request, or in the environment.

    A file's content changes: Kubernetes writes a new token of a service account each hour.
    """

    def __init__(self, file: str | None, environment: Mapping[str, str] = os.environ):
        """Finds the token.

        Args:
          file: its file; None: the environment says where, or what it is.
          environment: variables.

        Raises:
          InputError: it cannot be read, or is none.
        """
        self._path = file or ("" if VARIABLE in environment else environment.get(PATH_VARIABLE))
        self._value = "" if self._path else environment.get(VARIABLE, "")
        self._read()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called for each request."""
        token = self._read()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    def hide(self, text: str) -> str:
        """A text that may be shown: what of it is the token is not."""
        return text.replace(self._value, "***") if self._value else text

    def _read(self) -> str:
        source = f"variable {VARIABLE}"
        if self._path:
            source = f"file {self._path}"
            try:
                self._value = Path(self._path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is no text"
                raise InputError(f"the token's {source} cannot be read: {why}") from None
        self._value = self._value.strip().removeprefix("Bearer ").strip()
        is_word = self._value.isascii() and self._value.isprintable() and " " not in self._value
        if not is_word or (self._path and not self._value):
            raise InputError(f"the token in {source} must be one word of ASCII characters")
        return self._value
