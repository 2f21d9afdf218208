"""A stub of the API of Kubeflow Pipelines 2.x, v2beta1, over real HTTP.

It takes and refuses a pipeline as the emulated backend does (`kubeflow_submission`), knows the
fields that the published client knows, and answers errors as the API's gateway does.
"""

import contextlib
import http.server
import json
import threading
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import kfp_server_api
import kubeflow_submission
import yaml

API = "/apis/v2beta1/"
TIME = "2026-11-28T06:00:{:02d}Z"
# How an answer is spoiled: gets the handler and whether the request was carried out already.
Spoiler = Callable[["Handler"], None]
_MODELS = {
    "runs": kfp_server_api.V2beta1Run,
    "recurringruns": kfp_server_api.V2beta1RecurringRun,
    "experiments": kfp_server_api.V2beta1Experiment,
}
_IDS = {"runs": "run_id", "recurringruns": "recurring_run_id", "experiments": "experiment_id"}
_LIST_KEYS = {"recurringruns": "recurringRuns"}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: int = 3):
        super().__init__(message)
        self.status = status
        self.body = {"error": message, "code": code, "message": message, "details": []}


class KubeflowApi:
    """A running stub.

    Attributes:
      url: of its web page.
      objects: what was created, by collection.
      requests: method, path and headers of each request.
      versions: specs of uploaded pipelines, by pipeline and version.
      before, after: spoil the next requests, before or after they are carried out; each once.
      progress: states of the run and of its steps; one more at each question, the last for ever.
      token: what requests must have; empty: nothing.
      multi_user: whether it has profiles.
    """

    def __init__(self):
        self.objects: dict[str, list[dict[str, Any]]] = {name: [] for name in _MODELS}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.versions: dict[tuple[str, str], dict[str, Any]] = {}
        self.before: list[Spoiler] = []
        self.after: list[Spoiler] = []
        self.progress: list[dict[str, str]] = [{"": "PENDING"}]
        self.error, self.token, self.multi_user = "", "", False
        handler = type("Bound", (Handler,), {"api": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> dict[str, Any]:
        """Carries a request out."""
        match method, path.split("/"):
            case "GET", ["healthz"]:
                return {"multi_user": self.multi_user}
            case "POST", [collection] if collection in _MODELS:
                return self.create(collection, body)
            case "GET", [collection] if collection in _MODELS:
                return self.list(collection, query)
            case "GET", ["runs", run_id]:
                return self.run(run_id)
            case "GET", ["pipelines", pipeline, "versions", version]:
                spec = self.versions[pipeline, version]
                return {"pipeline_version_id": version, "pipeline_spec": spec}
        raise Refusal(404, "Not Found", 5)

    def create(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        unknown = set(body) - set(_MODELS[collection].attribute_map.values())
        if unknown:
            raise Refusal(400, f"unknown field {sorted(unknown)}")
        if self.multi_user and collection == "experiments" and not body.get("namespace"):
            raise Refusal(400, "Invalid input error: Namespace is empty")
        if not self.multi_user and body.get("namespace"):
            raise Refusal(400, "In single-user mode, the namespace must be empty")
        if collection != "experiments":
            self.check(body)
        key = _IDS[collection]
        number = len(self.objects[collection])
        made = {**body, key: str(uuid.uuid4()), "created_at": TIME.format(number)}
        made |= {"state": "PENDING"} if collection == "runs" else {}
        self.objects[collection].append(made)
        return made

    def check(self, body: dict[str, Any]) -> None:
        known = [one["experiment_id"] for one in self.objects["experiments"]]
        if body["experiment_id"] not in known:
            raise Refusal(404, "Experiment not found", 5)
        spec = body["pipeline_spec"]
        text = yaml.safe_dump_all([spec["pipeline_spec"], spec["platform_spec"]])
        runtime = body["runtime_config"]
        if set(runtime) - {"parameters", "pipeline_root"}:
            raise Refusal(400, f"unknown field in runtime_config: {runtime}")
        try:
            pipeline, _ = kubeflow_submission.documents(text)
            kubeflow_submission.check_submission(pipeline, runtime["parameters"])
        except kubeflow_submission.RefusedError as error:
            raise Refusal(400, f"Failed to create a new run.: {error}") from None

    def list(self, collection: str, query: dict[str, str]) -> dict[str, Any]:
        found = self.objects[collection]
        if self.multi_user and not {"namespace", "experiment_id"} & set(query):
            raise Refusal(400, "Invalid input error: a namespace is needed in multi-user mode")
        if not self.multi_user and query.get("namespace"):
            raise Refusal(400, "In single-user mode, it cannot filter by namespace")
        for predicate in json.loads(query.get("filter", "{}")).get("predicates", []):
            assert predicate["operation"] == "EQUALS"
            found = [one for one in found if one["display_name"] == predicate["stringValue"]]
        if query.get("sort_by") == "created_at desc":
            found = sorted(found, key=lambda one: one["created_at"], reverse=True)
        size = min(int(query.get("page_size", 20)), 3)  # small pages, so that there are several
        start = int(query.get("page_token") or 0)
        answer = {_LIST_KEYS.get(collection, collection): found[start : start + size]}
        more = {"next_page_token": str(start + size)} if start + size < len(found) else {}
        return answer | more

    def run(self, run_id: str) -> dict[str, Any]:
        run = next((one for one in self.objects["runs"] if one["run_id"] == run_id), None)
        if run is None:
            raise Refusal(404, f"Run {run_id} not found", 5)
        states = self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]
        tasks = [
            {"display_name": name, "state": state, "task_id": name}
            for name, state in {"root": "RUNNING", "root-driver": "SUCCEEDED", **states}.items()
            if name
        ]
        for task in tasks:
            if task["state"] == "FAILED" and self.error:
                task["error"] = {"code": 2, "message": self.error}
        return {**run, "state": states[""], "run_details": {"task_details": tasks}}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    api: KubeflowApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.carry_out(None)

    def do_POST(self) -> None:
        self.carry_out(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def carry_out(self, body: Any) -> None:
        self.api.requests.append((self.command, self.path, dict(self.headers)))
        if self.api.before:
            self.api.before.pop(0)(self)
            return
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        try:
            if self.api.token and self.headers["Authorization"] != f"Bearer {self.api.token}":
                raise Refusal(401, "Request header error: there is no valid token.", 16)
            if not parts.path.startswith(API):
                raise Refusal(404, "Not Found", 5)
            path = parts.path.removeprefix(API)
            status, answer = 200, self.api.answer(self.command, path, query, body)
        except Refusal as error:
            status, answer = error.status, error.body
        if self.api.after and self.command == "POST":
            self.api.after.pop(0)(self)
            return
        self.send(status, json.dumps(answer))

    def send(self, status: int, text: str, kind: str = "application/json", **headers: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests have an output of their own."""


def says(status: int, text: str, kind: str = "text/html", **headers: str) -> Spoiler:
    """An answer instead of that of the API."""
    return lambda handler: handler.send(status, text, kind, **headers)


def hangs_up(handler: Handler) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True


@contextlib.contextmanager
def serving() -> Iterator[KubeflowApi]:
    """Serves for as long as the block lasts."""
    api = KubeflowApi()
    thread = threading.Thread(target=api.http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield api
    finally:
        api.http.shutdown()
        thread.join()
        api.http.server_close()
