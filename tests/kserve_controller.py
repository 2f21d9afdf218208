"""KServe in the tests: its controller, and the predictors that it would start.

The controller watches a service on the API server and writes the status that KServe writes. Each
revision is a model that answers TensorFlow Serving's REST API, loaded once from the newest version
in the storage; one HTTP server is the cluster's gateway, which goes by the host of a request.
"""

import base64
import contextlib
import http.server
import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes

GROUP, VERSION, PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
POLL_SECS = 0.05


class Revision:
    """A predictor with the version that was the newest one when it started."""

    def __init__(self, name: str, storage: Path):
        import tensorflow as tf

        self.name = name
        self.version = max((int(path.name) for path in storage.glob("[0-9]*")), default=0)
        self.model = tf.saved_model.load(str(storage / str(self.version)))
        self.serve = self.model.signatures["serving_default"]

    def predict(self, files: list[bytes]) -> list[dict[str, Any]]:
        import tensorflow as tf

        outputs = self.serve(image_bytes=tf.constant(files))
        rows = [[float(v) for v in row] for row in outputs["probabilities"].numpy()]
        labels = [label.decode() for label in outputs["label"].numpy()]
        return [
            {"probabilities": row, "label": label} for row, label in zip(rows, labels, strict=True)
        ]


class Controller:
    """Plays KServe for a namespace.

    Attributes:
      gateway: URL of the cluster's gateway.
      revisions: all that were started, by name.
      seen: specs in the order in which they came.
      asked: hosts of the requests.
      knative: whether there are revisions and traffic between them.
      is_slow: whether nothing gets ready.
      broken: why a model cannot be loaded.
      spoil: changes the answers of new revisions.
      status: of HTTP answers that are errors instead.
    """

    def __init__(self, server, namespace: str, storage: Path):
        self.namespace, self.storage = namespace, storage
        self.api = kubernetes.client.CustomObjectsApi(server.client())
        self.revisions: dict[str, Revision] = {}
        self.seen: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.knative, self.is_slow, self.broken = True, False, ""
        self.spoil: Callable[[list[float]], list[float]] = list
        self.status = 200
        self._handled: dict[str, int] = {}
        self._current: dict[str, tuple[str, str]] = {}  # predictor without traffic, revision
        self.end = threading.Event()
        handler = type("Bound", (_Gateway,), {"controller": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.gateway = f"http://127.0.0.1:{self.http.server_port}"

    def watch(self) -> None:
        """Handles each new generation of each service, until the end."""
        where = (GROUP, VERSION, self.namespace, PLURAL)
        while not self.end.wait(POLL_SECS):
            for service in self.api.list_namespaced_custom_object(*where)["items"]:
                uid, generation = service["metadata"]["uid"], service["metadata"]["generation"]
                if self._handled.get(uid) == generation:
                    continue
                self._handled[uid] = generation
                self.seen.append(service["spec"])
                changed = {**service, "status": self._status(service)}
                name = service["metadata"]["name"]
                try:
                    self.api.replace_namespaced_custom_object_status(*where, name, changed)
                except kubernetes.client.exceptions.ApiException as error:
                    if error.status not in (404, 409):  # it is gone, or its next generation there
                        raise

    def _status(self, service: dict[str, Any]) -> dict[str, Any]:
        name, spec = service["metadata"]["name"], service["spec"]["predictor"]
        status = {"observedGeneration": service["metadata"]["generation"]}
        if self.is_slow or self.broken:
            wait = {"type": "Ready", "status": "False", "message": "Revision has no resources"}
            status["conditions"] = [wait]
            if self.broken:
                info = {"reason": "ModelLoadFailed", "message": self.broken}
                failed = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": info}
                status["modelStatus"] = failed
            return status
        config = json.dumps({k: v for k, v in spec.items() if k != "canaryTrafficPercent"})
        before, serving = self._current.get(service["metadata"]["uid"], ("", ""))
        if config != before:
            revision = f"{name}-predictor-{len(self.revisions) + 1:05d}"
            self.revisions[revision] = Revision(revision, self.storage)
            self._current[service["metadata"]["uid"]] = (config, revision)
        revision = self._current[service["metadata"]["uid"]][1]
        url = f"http://{name}.{self.namespace}.example.com"
        status |= {
            "conditions": [{"type": "Ready", "status": "True"}],
            "url": url,
            "address": {"url": f"http://{name}.{self.namespace}.svc.cluster.local"},
        }
        if self.knative:
            tagged = service["metadata"]["annotations"]["serving.kserve.io/enable-tag-routing"]
            assert tagged == "true"
            percent = spec.get("canaryTrafficPercent", 100) if serving else 100
            traffic = [{"revisionName": revision, "latestRevision": True, "percent": percent}]
            traffic[0] |= {"tag": "latest", "url": f"http://latest-{revision}.example.com"}
            if percent < 100:
                traffic.append({"revisionName": serving, "percent": 100 - percent, "tag": "prev"})
            parts = {"latestCreatedRevision": revision, "latestReadyRevision": revision}
            status["components"] = {"predictor": {**parts, "traffic": traffic}}
        return status

    def of_host(self, host: str) -> Revision:
        """The revision that answers requests for a host."""
        self.asked.append(host)
        name = host.removeprefix("latest-").removesuffix(".example.com")
        return self.revisions.get(name) or [*self.revisions.values()][-1]


class _Gateway(http.server.BaseHTTPRequestHandler):
    controller: Controller

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        revision = self.controller.of_host(self.headers["Host"])
        assert self.path == "/v1/models/digits:predict"
        if self.controller.status != 200:
            self._send(self.controller.status, {"error": "upstream\nconnect error"})
            return
        files = [base64.b64decode(one["image_bytes"]["b64"]) for one in body["instances"]]
        rows = revision.predict(files)
        for row in rows:
            row["probabilities"] = self.controller.spoil(row["probabilities"])
            # What TensorFlow Serving writes is no JSON then; Python's reader takes it.
            assert all(isinstance(v, float) or math.isnan(v) for v in row["probabilities"])
        self._send(200, {"predictions": rows})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests have an output of their own."""


@contextlib.contextmanager
def running(server, namespace: str, storage: Path) -> Iterator[Controller]:
    """Plays for as long as the block lasts."""
    controller = Controller(server, namespace, storage)
    threads = [
        threading.Thread(target=controller.watch),
        threading.Thread(target=controller.http.serve_forever, kwargs={"poll_interval": 0.05}),
    ]
    for thread in threads:
        thread.start()
    try:
        yield controller
    finally:
        controller.end.set()
        controller.http.shutdown()
        for thread in threads:
            thread.join()
        controller.http.server_close()
