"""The API server of the tests is one: fields, roles and owners count."""

import json
import time

import pytest

pytestmark = pytest.mark.kubernetes

MINIMAL = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "metadata": {"name": "job"},
    "spec": {"mpiReplicaSpecs": {}},
}
ROLE = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [kubeflow.org], resources: [mpijobs], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader}]
"""


def test_an_unknown_field_is_refused(api_server):
    with pytest.raises(AssertionError, match=r'unknown field "spec\.slots"'):
        api_server.apply({**MINIMAL, "spec": {"mpiReplicaSpecs": {}, "slots": 2}})


def test_a_token_may_do_what_its_role_says(api_server):
    namespace = api_server.new_namespace()
    api_server.apply(MINIMAL, namespace=namespace)
    api_server.kubectl("apply", f"--namespace={namespace}", "-f", "-", text=ROLE)
    token = api_server.token_of(namespace, "reader")
    job = ("mpijob", "job", f"--namespace={namespace}")
    assert json.loads(api_server.kubectl("get", *job, "-o", "json", token=token).stdout)["spec"]
    refused = api_server.kubectl("delete", *job, token=token, check=False)
    assert "cannot delete resource" in refused.stderr


def test_what_belongs_to_a_deleted_object_goes_away_and_a_restart_keeps_the_rest(api_server):
    namespace = api_server.new_namespace()
    api_server.kubectl("create", "configmap", "owner", f"--namespace={namespace}")
    found = api_server.kubectl(
        "get", "configmap", "owner", f"--namespace={namespace}", "-o", "json"
    )
    uid = json.loads(found.stdout)["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    owned = {"name": "owned", "ownerReferences": [owner]}
    api_server.apply({**MINIMAL, "metadata": owned}, MINIMAL, namespace=namespace)
    api_server.stop()
    api_server.start()
    api_server.kubectl("delete", "configmap", "owner", f"--namespace={namespace}")
    deadline = time.monotonic() + 60
    while (jobs := names(api_server, namespace)) != {"mpijob.kubeflow.org/job"}:
        assert time.monotonic() < deadline, jobs
        time.sleep(0.1)


def names(api_server, namespace: str) -> set[str]:
    listed = api_server.kubectl("get", "mpijobs", f"--namespace={namespace}", "-o", "name")
    return set(listed.stdout.split())
