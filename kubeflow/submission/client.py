"""Kubeflow Pipelines' REST API, v2beta1.

Why not kfp.Client: it sets no time limit on a request, reads a token once although those of
service accounts change within the hour, refuses states that its own version does not know, follows
redirects to a login page, and its errors hold whole responses. A run that it creates while a proxy
gives up is created again, or not at all.
"""

import json
import logging
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from kubeflow.submission.token import Token
from preprocessing.errors import AwayError, InputError
from preprocessing.text import one_line

API = "/apis/v2beta1"
CONNECT_SECS, READ_SECS = 10, 60
# After the first attempt; between them 0, 1, 2 and 4 seconds, or what the server asks for.
RETRIES, BACKOFF_SECS = 4, 0.5
_PASSES = (429, 502, 503, 504)
_PAGE_SIZE = 100
_SHOWN_CHARS = 300
_WHAT_TO_DO = {
    400: "",
    401: "give a token that it accepts (--token_file)",
    403: "ask for the right, or give another token (--token_file) or namespace",
    404: "",
    409: "",
    413: "a proxy before it takes no request of this size; raise its limit",
}


class Client:
    """A connection to one server.

    Attributes:
      url: of its web page, below which the API is.
    """

    def __init__(self, host: str, token: Token):
        """Connects to nothing yet.

        Args:
          host: URL of the web page of Kubeflow Pipelines, as in a browser.
          token: read before each request.

        Raises:
          InputError: the URL cannot be one.
        """
        self.url, self._token = page_url(host), token
        # Its warnings of each new attempt hold URLs and would stand between our lines.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self._session = requests.Session()
        # Where the API itself says no, the request can be sent again, except for what creates.
        retry = Retry(
            total=RETRIES,
            connect=2,
            allowed_methods={"GET"},
            status_forcelist=_PASSES,
            backoff_factor=BACKOFF_SECS,
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        """Asks for an object.

        Raises:
          InputError: the server refuses, or is no Kubeflow Pipelines; one line.
          AwayError: it does not answer.
        """
        given = {key: value for key, value in parameters.items() if value != ""}
        return self._send("GET", path, params=given)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object; the errors are those of `get`.

        After an AwayError it may be there or not.
        """
        return self._send("POST", path, json=body)

    def list(self, path: str, key: str, **parameters: str | int) -> Iterator[dict[str, Any]]:
        """All objects of a list, page after page as they are asked for; the errors are those of
        `get`."""
        page = ""
        while True:
            answer = self.get(path, page_size=_PAGE_SIZE, page_token=page, **parameters)
            yield from answer.get(key) or []
            page = answer.get("next_page_token") or ""
            if not page:
                return

    def _send(self, method: str, path: str, **content) -> dict[str, Any]:
        try:
            response = self._session.request(
                method,
                f"{self.url}{API}/{path}",
                auth=self._token,
                timeout=(CONNECT_SECS, READ_SECS),
                allow_redirects=False,  # where it leads is a page for people
                **content,
            )
            return self._read(response)
        except requests.RequestException as error:
            raise self._no_answer(error) from None

    def _read(self, response: requests.Response) -> dict[str, Any]:
        status = response.status_code
        if response.is_redirect:
            target = urllib.parse.urlsplit(response.headers["Location"])
            where = f"{target.scheme}://{target.netloc}" if target.netloc else target.path
            raise InputError(
                f"{self.url} sends to another page ({where}), as one does that wants a login; "
                "give its final URL as --host, and a token (--token_file)"
            )
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            answer = None
        if status >= 500 or status == 429:
            raise AwayError(f"{self.url} has a fault: {self._said(response, answer)}")
        if status >= 400:
            advice = _WHAT_TO_DO.get(status, "")
            if not isinstance(answer, dict):
                advice = advice or "give the URL of Kubeflow Pipelines' web page as --host"
            said = self._said(response, answer)
            raise InputError(f"{self.url} refuses: {said}{'; ' if advice else ''}{advice}")
        if not isinstance(answer, dict):
            raise InputError(
                f"{self.url} answers with a page for people where Kubeflow Pipelines has its API, "
                "as a login does; give the URL of its web page as --host, and a token "
                f"(--token_file). Received: {response.headers.get('Content-Type', 'no type')}"
            )
        return answer

    def _said(self, response: requests.Response, answer: Any) -> str:
        """The status, and what the server says of it, without the token where that is in it."""
        text = ""
        if isinstance(answer, dict):
            text = str(answer.get("message") or answer.get("error") or "")
        text = self._token.hide(" ".join(text.split()))
        if len(text) > _SHOWN_CHARS:
            text = f"{text[:_SHOWN_CHARS]}..."
        return one_line(f"status {response.status_code} {text or response.reason}".strip())

    def _no_answer(self, error: requests.RequestException) -> Exception:
        text = self._token.hide(str(error))
        if isinstance(error, requests.exceptions.SSLError):
            return InputError(
                f"{self.url}: its certificate is not trusted; set REQUESTS_CA_BUNDLE to the file "
                "of the authority that signed it"
            )
        if "Failed to resolve" in text or "Name or service not known" in text:
            return InputError(f"--host must be a server that is known here. Received: {self.url}")
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
            return InputError(f"--host or the token cannot be sent: {self.url}")
        is_slow = isinstance(error, requests.Timeout)
        why = f"no answer in {READ_SECS} s" if is_slow else "the connection fails"
        return AwayError(f"{self.url} does not answer ({why}); is the port forwarded, or a proxy?")


def page_url(host: str) -> str:
    """The URL of a web page as it is copied from a browser, without what follows its folder.

    Raises:
      InputError: it is no http:// or https:// URL, or has a password in it.
    """
    rule = "--host must be the URL of Kubeflow Pipelines' web page, as in http://localhost:8080"
    try:
        parts = urllib.parse.urlsplit(host.strip())
        port = parts.port
    except ValueError:
        raise InputError(f"{rule}. Received: {host!r}") from None
    if parts.username is not None or parts.password is not None:
        raise InputError(f"{rule}, without a name or password in it; a token is in --token_file")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        hint = "" if "://" in host else f"; did you mean http://{host.strip()}?"
        raise InputError(f"{rule}. Received: {host!r}{hint}")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def filter_by(key: str, value: str) -> str:
    """The filter of a list for objects that have a text."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})
