"""Serving a pushed model by KServe, against a real API server."""

import json
import shutil
import threading
import time
from pathlib import Path

import kserve_controller
import pytest
import yaml
from effnet import effnet
from tfx.types import standard_artifacts

from components import saved_models
from components.pusher import deployment, executor
from kubeflow import kserve, kserve_object
from kubeflow.cluster import ForbiddenError
from lineage.making.model import pushes
from lineage.making.outputs import Outputs
from lineage.record.parts import Artifact, Node
from pipeline.kserve_config import KServeConfig

pytestmark = pytest.mark.kubernetes

ROLE = Path(__file__).parents[2] / "kubeflow" / "manifests" / "serving-role.yaml"
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pusher"}}
CLASSES = ("ant", "bee", "cat")
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def models(tmp_path_factory, pictures, write_model, right_answers):
    """Folder of a training: the model, and the images that it must answer; by whether it errs."""
    import tensorflow as tf

    made = {}
    for name, wrong in (("first", 0), ("second", 4)):
        folder = tmp_path_factory.mktemp(name)
        answers = right_answers(pictures[:10], len(CLASSES), wrong)
        write_model(folder / "model" / "Format-Serving", answers, CLASSES)
        (folder / "run").mkdir()
        with tf.io.TFRecordWriter(str(folder / "run" / "parity.tfrecord")) as writer:
            for file, row in answers.items():
                feature = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[file])),
                    "probabilities": tf.train.Feature(float_list=tf.train.FloatList(value=row)),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
        made[name] = folder
    return made


class Place:
    """A namespace with KServe in it, and a push folder that is its storage."""

    def __init__(self, folder: Path, controller, namespace: str, server, artifact, models):
        self.push_dir, self.controller = folder / "serving" / "digits", controller
        self.namespace, self._server = namespace, server
        self._folder, self._artifact, self._models, self._count = folder, artifact, models, 0
        self.timeout_secs = 20

    def push(self, name: str, **changes):
        """Runs the Pusher's executor for a model; returns its artifact."""
        self._count += 1
        blessings = [standard_artifacts.ModelBlessing, standard_artifacts.InfraBlessing]
        said = [self._artifact(cls, self._folder / f"b{i}") for i, cls in enumerate(blessings)]
        for blessing in said:
            blessing.set_int_custom_property("blessed", 1)
        trained = self._models[name]
        inputs = {
            "model": [self._artifact(standard_artifacts.Model, trained / "model")],
            "model_blessing": [said[0]],
            "infra_blessing": [said[1]],
            "model_run": [self._artifact(standard_artifacts.ModelRun, trained / "run")],
        }
        pushed = self._artifact(
            standard_artifacts.PushedModel, self._folder / f"pushed{self._count}"
        )
        values = {"enabled": True, "storage_uri": "pvc://state/serving/digits"}
        values |= {"endpoint": self.controller.gateway, "timeout_secs": self.timeout_secs}
        options = KServeConfig(**{**values, **changes}).options(
            "digits", str(self.push_dir), TOLERANCE
        )
        properties = {"push_dir": str(self.push_dir), "kserve": options}
        executor.Executor().Do(inputs, {"pushed_model": [pushed]}, properties)
        return pushed

    def service(self) -> dict | None:
        found = self._server.kubectl(
            *("get", "isvc", "digits", f"--namespace={self.namespace}", "-o", "json"),
            check=False,
        )
        return json.loads(found.stdout) if found.returncode == 0 else None

    def versions(self) -> list[int]:
        return saved_models.versions(str(self.push_dir))


@pytest.fixture
def place(tmp_path, api_server, artifact, models, monkeypatch):
    namespace = api_server.new_namespace()
    role = yaml.safe_load(ROLE.read_text())
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "pusher"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role["metadata"]["name"],
        },
        "subjects": [{"kind": "ServiceAccount", "name": "pusher", "namespace": namespace}],
    }
    api_server.apply(ACCOUNT, role, binding, namespace=namespace)
    token = api_server.token_of(namespace, "pusher")
    config = api_server.kubeconfig(token, namespace, tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(config))
    monkeypatch.setitem(deployment.DEPLOYERS, deployment.KSERVE, None)
    kserve.register()
    folder = tmp_path / "serving" / "digits"
    with kserve_controller.running(api_server, namespace, folder) as controller:
        yield Place(tmp_path, controller, namespace, api_server, artifact, models)


def test_a_first_version_and_the_next_one_get_all_traffic(place):
    pushed = place.push("first")
    (version,) = place.versions()
    spec = place.service()["spec"]["predictor"]
    assert spec["model"] == {
        "modelFormat": {"name": "tensorflow"},
        "runtimeVersion": "2.16.1",
        "storageUri": "pvc://state/serving/digits",
        "args": ["--file_system_poll_wait_seconds=0"],
    }
    assert spec["annotations"] == {"effnet.dev/version": str(version)}
    assert spec["canaryTrafficPercent"] == 100
    assert pushed.get_string_custom_property("served_by") == f"kserve:{place.namespace}/digits"
    assert pushed.get_string_custom_property("served_at") == (
        f"http://digits.{place.namespace}.example.com"
    )
    assert pushed.get_int_custom_property("served_images") == 10
    assert 0 <= pushed.get_float_custom_property("served_max_difference") < TOLERANCE

    # Somebody gives the service more room, which stays.
    place._server.kubectl(
        *("patch", "isvc", "digits", f"--namespace={place.namespace}", "--type=merge"),
        *("-p", '{"spec": {"predictor": {"minReplicas": 2}}}'),
    )
    pushed = place.push("second")
    newest = place.versions()[0]
    assert newest != version
    percents = [spec["predictor"].get("canaryTrafficPercent") for spec in place.controller.seen]
    assert percents[-2:] == [10, 100]
    assert place.service()["spec"]["predictor"]["minReplicas"] == 2
    revision = pushed.get_string_custom_property("served_revision")
    assert place.controller.revisions[revision].version == newest
    # On trial it was asked at an address of its own.
    assert place.controller.asked[-1] == f"latest-{revision}.example.com"

    # The same model again: it is served already, and looked at again.
    count = len(place.controller.revisions)
    place.push("second")
    assert len(place.controller.revisions) == count


FAULTS = {
    "other answers": (lambda c: setattr(c, "spoil", lambda row: row[::-1]), "differ by 0.8"),
    "no numbers": (lambda c: setattr(c, "spoil", lambda row: [float("nan")] * 3), "differ by inf"),
    "too few": (lambda c: setattr(c, "spoil", lambda row: row[:2]), "(8, 2) probabilities"),
    "no class": (lambda c: setattr(c, "spoil", lambda row: []), "(8, 0) probabilities"),
    "refusal": (lambda c: setattr(c, "status", 400), "status 400"),
    "never answers": (lambda c: setattr(c, "status", 503), "status 503"),
    "never ready": (lambda c: setattr(c, "is_slow", True), "not ready after 2 s: Ready: Revision"),
    "cannot load": (lambda c: setattr(c, "broken", "no such op"), "ModelLoadFailed: no such op"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_version_that_does_not_serve_as_it_should_is_rolled_back(place, kind):
    place.push("first")
    before, versions = place.service()["spec"], place.versions()
    fault, words = FAULTS[kind]
    place.timeout_secs = 2
    fault(place.controller)
    with pytest.raises(kserve_object.DeploymentError) as failed:
        place.push("second")
    assert words in str(failed.value)
    assert str(failed.value).endswith("rolled back to what was served before")
    assert "\n" not in str(failed.value)
    assert place.service()["spec"] == before
    # What is not served is no baseline of the next run, and not what restarted pods load.
    assert place.versions() == versions


@pytest.mark.parametrize("kind", ["other answers", "never ready"])
def test_a_first_version_that_fails_leaves_no_service(place, kind):
    FAULTS[kind][0](place.controller)
    place.timeout_secs = 2
    with pytest.raises(kserve_object.DeploymentError, match="which is new, was deleted"):
        place.push("first")
    assert place.service() is None
    assert place.versions() == []


def test_without_revisions_the_new_pods_take_over_and_are_asked_at_the_service(place):
    place.controller.knative = False
    place.push("first")
    place.push("second")
    assert place.controller.asked[-1] == f"digits.{place.namespace}.svc.cluster.local"
    place.controller.spoil = lambda row: row[::-1]
    shutil.rmtree(place.push_dir / str(place.versions()[0]))
    with pytest.raises(kserve_object.DeploymentError, match="rolled back"):
        place.push("second")
    assert len(place.versions()) == 1


def test_a_role_that_lacks_something_is_one_line_and_nothing_changes(place, api_server):
    api_server.kubectl("delete", "role", "effnet-serving", f"--namespace={place.namespace}")
    with pytest.raises(ForbiddenError, match=r'verb "get" on "inferenceservices".*manifests'):
        place.push("first")
    assert place.service() is None
    assert place.versions() == []


def test_a_service_that_somebody_changes_meanwhile_is_left_to_them(place, api_server):
    place.push("first")
    place.controller.is_slow, place.timeout_secs = True, 3
    patch = '{"spec": {"predictor": {"maxReplicas": 7}}}'
    arguments = ("patch", "isvc", "digits", f"--namespace={place.namespace}", "--type=merge")

    def change() -> None:
        while len(place.controller.seen) < 3:
            time.sleep(0.05)
        api_server.kubectl(*arguments, "-p", patch)

    thread = threading.Thread(target=change)
    thread.start()
    with pytest.raises(
        kserve_object.DeploymentError, match=r"could not be rolled back.*somebody else"
    ):
        place.push("second")
    thread.join()
    assert place.service()["spec"]["predictor"]["maxReplicas"] == 7


def test_the_record_of_a_run_says_where_it_is_served(place):
    pushed = place.push("first")
    stored = pushed.mlmd_artifact.custom_properties
    properties = {name: getattr(value, value.WhichOneof("value")) for name, value in stored.items()}
    artifact = Artifact(id=1, type="PushedModel", uri=pushed.uri, properties=properties)
    node = Node(id="Pusher", state="ran", outputs={"pushed_model": [1]})
    (push,) = pushes(Outputs([node], [artifact]))
    assert push.served_by == f"kserve:{place.namespace}/digits"
    assert push.served_at == f"http://digits.{place.namespace}.example.com"


def test_a_config_without_a_storage_or_a_cluster_is_refused_before_anything_runs(
    tmp_path, pictures, monkeypatch
):
    for number, picture in enumerate(pictures[:12]):
        folder = tmp_path / "images" / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(picture)
    values = {
        "data": {"path": str(tmp_path / "images")},
        "evaluation": {"min_top_1": 0.5},
        "serving": {"model_name": "digits", "kserve": {"enabled": True}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    done = effnet("run", "config.yaml", "--output_dir", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "kserve.storage_uri must be set" in done.stderr
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    storage = "serving.kserve.storage_uri=pvc://state/digits"
    done = effnet("run", "config.yaml", "--output_dir", "out", "--set", storage, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "KUBECONFIG" in line
