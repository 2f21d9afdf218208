"""The manifests build, a real API server takes them, and the account may do what it needs only."""

import json
import shutil
from pathlib import Path

import kubernetes
import pytest
import yaml

from kubeflow import kserve_service

pytestmark = pytest.mark.kubernetes

FOLDER = Path(__file__).parents[2] / "kubeflow" / "manifests"
# What a step does, and what it must not be able to do.
ALLOWED = [
    ("get", "configmaps/kfp-launcher"),
    ("get", "secrets/mlpipeline-minio-artifact"),
    ("list", "pods"),
    ("get", "pods/log"),
    ("list", "events"),
    ("create", "workflowtaskresults.argoproj.io"),
    ("create", "mpijobs.kubeflow.org"),
    ("delete", "mpijobs.kubeflow.org"),
    ("create", "inferenceservices.serving.kserve.io"),
    ("update", "inferenceservices.serving.kserve.io"),
    ("delete", "inferenceservices.serving.kserve.io"),
]
REFUSED = [
    ("get", "secrets/another"),
    ("list", "secrets"),
    ("get", "configmaps/another"),
    ("create", "pods"),
    ("create", "pods/exec"),
    ("delete", "pods"),
    ("create", "deployments.apps"),
    ("delete", "persistentvolumeclaims"),
    ("update", "mpijobs.kubeflow.org"),
    ("list", "inferenceservices.serving.kserve.io"),
    ("patch", "inferenceservices.serving.kserve.io"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
    ("list", "nodes"),
]


@pytest.fixture(scope="module")
def namespace(api_server) -> str:
    """A namespace with the manifests."""
    name = api_server.new_namespace()
    built = api_server.kubectl("kustomize", str(FOLDER)).stdout
    api_server.apply(*yaml.safe_load_all(built), namespace=name)
    return name


def can(api_server, namespace: str, verb: str, resource: str, where: str = "") -> bool:
    """Whether the account of a namespace may do something there, or elsewhere."""
    what, _, rest = resource.partition("/")
    plural, _, group = what.partition(".")
    is_part = rest in ("log", "exec")
    attributes = kubernetes.client.V1ResourceAttributes(
        namespace=where or namespace,
        verb=verb,
        group=group,
        resource=plural,
        subresource=rest if is_part else "",
        name="" if is_part else rest,
    )
    review = kubernetes.client.V1SubjectAccessReview(
        spec=kubernetes.client.V1SubjectAccessReviewSpec(
            user=f"system:serviceaccount:{namespace}:effnet", resource_attributes=attributes
        )
    )
    api = kubernetes.client.AuthorizationV1Api(api_server.client())
    return api.create_subject_access_review(review).status.allowed


def test_every_object_is_there_once(api_server, namespace):
    listed = api_server.kubectl(
        *("get", "serviceaccounts,roles,rolebindings,persistentvolumeclaims", "-o", "json"),
        *("-l", "app.kubernetes.io/part-of=effnet", f"--namespace={namespace}"),
    )
    found = [(o["kind"], o["metadata"]["name"]) for o in json.loads(listed.stdout)["items"]]
    names = ("effnet-serving", "effnet-step", "effnet-training")
    assert sorted(found) == [
        *(("PersistentVolumeClaim", name) for name in ("effnet-data", "effnet-state")),
        *(("Role", name) for name in names),
        *(("RoleBinding", name) for name in names),
        ("ServiceAccount", "effnet"),
    ]


def test_the_account_may_do_what_a_step_does_and_no_more(api_server, namespace):
    assert [what for what in ALLOWED if not can(api_server, namespace, *what)] == []
    assert [what for what in REFUSED if can(api_server, namespace, *what)] == []
    assert not any(can(api_server, namespace, *what, where="default") for what in ALLOWED)


def test_what_the_role_does_not_allow_is_refused_by_the_server(api_server, namespace):
    token = api_server.token_of(namespace, "effnet")
    where = f"--namespace={namespace}"
    secret = ("create", "secret", "generic", "another", "--from-literal=key=value")
    api_server.kubectl(*secret, where)
    refused = api_server.kubectl("get", "secret", "another", where, token=token, check=False)
    assert "cannot get resource" in refused.stderr
    refused = api_server.kubectl("get", "pods", "-n", "default", token=token, check=False)
    assert "cannot list resource" in refused.stderr
    assert api_server.kubectl("get", "pods", where, token=token).returncode == 0


def test_a_field_that_does_not_exist_is_refused(api_server, namespace):
    options = kserve_service.Options("digits", "", "pvc://a/b", "2.16.1", "", 1, 0, "", 1e-3)
    service = kserve_service.new(options, 1)
    api_server.apply(service, namespace=namespace)
    service["spec"]["predictor"]["model"]["storageURI"] = "pvc://a/b"
    with pytest.raises(AssertionError, match="unknown field"):
        api_server.apply(service, namespace=namespace)


def test_secrets_are_made_of_files_that_are_not_in_git(api_server, namespace, tmp_path):
    folder = shutil.copytree(FOLDER / "secrets", tmp_path / "secrets")
    text = (folder / "bucket.env.example").read_text()
    (folder / "bucket.env").write_text(text.replace("=", "=value"))
    (folder / "registry.json").write_text('{"auths": {}}')
    built = api_server.kubectl("kustomize", str(folder)).stdout
    api_server.apply(*yaml.safe_load_all(built), namespace=namespace)
    found = api_server.kubectl("get", "secrets", f"--namespace={namespace}", "-o", "json")
    types = {o["metadata"]["name"]: o["type"] for o in json.loads(found.stdout)["items"]}
    assert types["effnet-bucket"] == "Opaque"
    assert types["effnet-registry"] == "kubernetes.io/dockerconfigjson"
    ignored = (FOLDER.parents[1] / ".gitignore").read_text()
    assert "/kubeflow/manifests/secrets/bucket.env\n" in ignored
    assert "/kubeflow/manifests/secrets/registry.json\n" in ignored
