"""A training in an MPIJob, on a real API server; the tests play the operator and the machine.

The step has a token with the role of kubeflow/manifests and no more.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator

import fresh_process
import kubelet as kubelets
import kubernetes_server
import pytest
import trainings
import yaml
from mpijob_step import POLL_SECS, ROLE, WAIT_SECS, Step, soon, wait_for

from components.horovod_trainer import executor
from kubeflow import entrypoint, mpijob
from kubeflow.mpijob_options import JobOptions
from pipeline.kubeflow_config import NodeOptions
from pipeline.mpijob_config import VolcanoOptions
from preprocessing.errors import InputError
from trainer_module.run_files import SUMMARY_FILE

pytestmark = pytest.mark.kubernetes

# A launcher that prints a line and trains at once.
DONE = "echo it trains; echo '{}' > \"$MODEL_DIR\"/" + SUMMARY_FILE


@pytest.fixture
def step(api_server, tmp_path, monkeypatch) -> Iterator[Step]:
    for name in ("KFP_POD_NAME", "KFP_POD_UID"):
        monkeypatch.setenv(name, "")  # gone after the test
    step = Step(api_server, tmp_path)
    yield step
    step.close()


def test_a_job_that_is_done(step, capfd):
    step.launcher = f"{DONE}; sleep 1; echo done"
    step.train(queue="team-a", volcano=VolcanoOptions(queue="gpu", min_available=2))
    assert "it trains\ndone\n" in capfd.readouterr().out
    job = step.spec()
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert job["spec"]["runPolicy"]["schedulingPolicy"] == {"queue": "gpu", "minAvailable": 2}
    assert step.jobs() == []


def test_a_step_that_is_started_with_options_of_a_job_makes_one(step, monkeypatch):
    """The way from the entry point's argument to the cluster that the pod is in."""
    monkeypatch.setattr(executor, "LAUNCHERS", dict(executor.LAUNCHERS))
    kubeconfig = step.api_server.kubeconfig(step.token, step.namespace, step.folder / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    step.launcher = DONE
    with pytest.raises(InputError, match=r"trainer\.launcher must be one of local here"):
        executor.launch(step.config())
    entrypoint.add_mpijob_launcher(step.options().model_dump_json())
    executor.launch(step.config())
    assert len(step.operator.jobs) == 1


def test_what_a_job_asks_for_is_what_the_definition_knows(step):
    # The API server refuses unknown fields of what kubectl applies, where it drops those of others.
    step.operator.is_awake = False
    options = step.options(queue="q", volcano=VolcanoOptions(queue="a", priority_class="b"))
    worker = NodeOptions(
        cpu=3.5,
        memory_gb=8,
        gpus=1,
        node_selector={"pool": "gpu"},
        tolerations=[{"key": "gpu", "effect": "NoExecute", "seconds": 5, "operator": "Exists"}],
        volumes=[{"claim": "a", "path": "/data"}, {"claim": "a", "path": "/state"}],
        secrets=[
            {"name": "s3", "env": {"AWS_ACCESS_KEY_ID": "key"}},
            {"name": "ca", "path": "/certificates"},
        ],
        image_pull_policy="Always",
        image_pull_secrets=["registry"],
        env={"NCCL_DEBUG": "INFO"},
        labels={"team": "a"},
        annotations={"note": "b"},
    )
    options = options.model_copy(update={"worker": worker})
    owner = mpijob.mpijob_manifest.Owner(name="step", uid=step.uid)
    made = mpijob.mpijob_manifest.manifest("full", owner, step.config(), options)
    step.api_server.apply(made, namespace=step.namespace)
    assert step.jobs() == ["full"]
    [container] = made["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {
        "cpu": "3.5", "memory": "8000M", "nvidia.com/gpu": "1"
    }  # fmt: skip
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [
        "/data", "/state", "/certificates", "/dev/shm"
    ]  # fmt: skip
    [launcher] = made["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"]
    assert "AWS_ACCESS_KEY_ID" not in json.dumps(launcher)
    assert "nvidia.com/gpu" not in json.dumps(launcher)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo 'error: no records'; exit 2", InputError, "^no records$"),
        ("echo 'error: rank 1 failed'; exit 3", RuntimeError, "rank 1 failed.*exit status 3"),
        ("kill -9 $$", RuntimeError, "without saying why.*exit status 137"),
    ],
)
def test_a_job_that_fails_by_its_own_fault_is_not_tried_again(step, script, error, words):
    step.launcher = script
    with pytest.raises(error, match=words):
        step.train()
    assert len(step.operator.jobs) == 1
    assert len(step.jobs()) == 1  # to be looked at


def test_an_evicted_job_is_made_again(step, capfd):
    counter = step.folder / "counter"
    step.launcher = (
        f"echo >> {counter}; [ $(wc -l < {counter}) = 3 ] && {{ {DONE}; exit; }}; exec sleep 9"
    )

    def evict_launcher() -> None:
        [first] = [*step.operator.jobs]
        evicted = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
        step.kubelet.set_status(f"{first}-launcher-0", evicted)
        step.kubelet.signal(f"{first}-launcher-0", signal.SIGKILL)

    def drain_worker() -> None:
        time.sleep(10 * POLL_SECS)  # it is seen as it was
        second = sorted(step.operator.jobs)[1]
        step.kubelet.core.delete_namespaced_pod(f"{second}-worker-1", step.namespace)
        time.sleep(10 * POLL_SECS)
        step.kubelet.signal(f"{second}-launcher-0", signal.SIGKILL)

    def lines() -> int:
        return len(counter.read_text().splitlines()) if counter.exists() else 0

    soon(lambda: lines() == 1, evict_launcher)
    soon(lambda: lines() == 2, drain_worker)
    step.train()
    assert len(step.operator.jobs) == 3
    assert step.jobs() == []


def test_a_job_is_made_again_only_so_often(step):
    may_end = step.folder / "may end"
    step.launcher = f"while [ ! -e '{may_end}' ]; do sleep 0.1; done; exit 1"

    def evict() -> None:
        target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
        [name] = step.operator.jobs
        step.kubelet.set_status(f"{name}-worker-0", {"conditions": [target]})
        time.sleep(10 * POLL_SECS)  # it is seen
        may_end.touch()

    soon(lambda: step.kubelet.has_begun("-launcher-0"), evict)
    with pytest.raises(RuntimeError, match=r"PreemptionByScheduler.*given up after 0 restarts"):
        step.train(max_restarts=0)


def test_a_job_that_a_queue_holds_back_waits_without_end(step, capfd):
    """At its beginning, and once more in its midst, to make room for another job."""
    begun = step.folder / "begun"
    first = f"if [ $(wc -l < {begun}) = 1 ]; then exec sleep 99; fi"
    step.launcher = f"echo begin >> {begun}; echo begins; {first}; {DONE}"
    step.operator.is_awake = False

    def suspend(value: bool) -> None:
        [name] = step.jobs()
        change = json.dumps({"spec": {"runPolicy": {"suspend": value}}})
        where = (f"--namespace={step.namespace}", "--type=merge", "-p", change)
        step.api_server.kubectl("patch", "mpijob", name, *where)

    def hold_back() -> None:
        suspend(True)
        step.operator.is_awake = True
        time.sleep(5)  # more than the limit
        suspend(False)
        wait_for(begun.exists)
        suspend(True)
        wait_for(lambda: len(step.pods()) == 1)  # that of the step
        suspend(False)

    soon(step.jobs, hold_back)
    options = step.options(queue="q")
    job = options.job.model_copy(update={"start_timeout_secs": 4})
    options = options.model_copy(update={"job": job})
    mpijob.train(step.config(), options, step.cluster(), POLL_SECS)
    assert len(step.operator.jobs) == 1
    assert capfd.readouterr().out.count("begins\n") == 2


def short(step: Step, **limits: int) -> JobOptions:
    options = step.options()
    return options.model_copy(update={"job": options.job.model_copy(update=limits)})


def test_a_job_that_nobody_takes_up_is_given_up(step):
    step.operator.is_awake = False
    [event] = [{"reason": "ValidationError", "message": "spec.slots: Invalid value"}]
    soon(step.jobs, lambda: make_event(step, event))
    with pytest.raises(RuntimeError, match=r"not taken it up within 1 s.*slots: Invalid value"):
        mpijob.train(step.config(), short(step, start_timeout_secs=1), step.cluster(), POLL_SECS)
    assert step.jobs() == []


def make_event(step: Step, event: dict[str, str]) -> None:
    [name] = step.jobs()
    where = {"kind": "MPIJob", "name": name, "namespace": step.namespace}
    whole = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "event"}, "type": "Warning"}
    step.api_server.apply({**whole, **event, "involvedObject": where}, namespace=step.namespace)


def test_pods_that_find_no_machine_are_told_and_given_up(step, caplog):
    caplog.set_level("INFO", "effnet.progress")
    step.operator.starts_pods = False

    def leave_waiting() -> None:
        [name] = step.operator.jobs
        labels = {"training.kubeflow.org/job-name": name}
        step.kubelet.make_pod("waits", labels, [])
        unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        unschedulable["message"] = "0/3 nodes have nvidia.com/gpu"
        step.kubelet.set_status("waits", {"conditions": [unschedulable]})

    soon(lambda: step.operator.jobs, leave_waiting)
    with pytest.raises(RuntimeError, match=r"did not run within 4 s.*Unschedulable 0/3 nodes"):
        mpijob.train(step.config(), short(step, start_timeout_secs=4), step.cluster(), POLL_SECS)
    assert "0/3 nodes" in caplog.text


def test_a_job_that_is_silent_is_given_up(step):
    step.launcher = "echo it begins; exec sleep 1000"
    with pytest.raises(RuntimeError, match="nothing was heard of it for 1 s"):
        mpijob.train(step.config(), short(step, silence_timeout_secs=1), step.cluster(), POLL_SECS)
    assert step.jobs() == []


def test_a_step_that_is_stopped_takes_its_job_away(step):
    step.launcher = "exec sleep 1000"
    kubeconfig = step.api_server.kubeconfig(step.token, step.namespace, step.folder / "kubeconfig")
    env = {"KUBECONFIG": str(kubeconfig)}
    process = fresh_process.start(mpijob.train, step.config(), step.options(), env=env)
    wait_for(lambda: step.jobs() and step.operator.jobs)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECS) == 128 + signal.SIGTERM
    wait_for(lambda: step.jobs() == [])


def test_a_job_goes_away_with_the_pod_of_its_step(step):
    step.launcher = "exec sleep 1000"

    def run() -> None:
        with pytest.raises(RuntimeError, match="not found"):
            step.train()

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: step.operator.jobs)
    step.kubelet.core.delete_namespaced_pod("step", step.namespace, grace_period_seconds=0)
    thread.join(WAIT_SECS)
    assert not thread.is_alive()
    assert step.jobs() == []


def test_a_server_that_is_away_for_a_while_is_waited_for(step, caplog, capfd):
    caplog.set_level("INFO", "effnet.progress")
    step.launcher = f"for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.5; done; {DONE}"
    thread = threading.Thread(target=step.train)
    thread.start()
    wait_for(lambda: step.kubelet.has_begun("-launcher-0"))
    step.api_server.stop()
    time.sleep(1.5)
    step.api_server.start()
    thread.join(WAIT_SECS)
    assert not thread.is_alive()
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("line")]
    assert lines == [f"line {i}" for i in range(1, 9)]
    assert "the API server is away" in caplog.text
    assert step.jobs() == []


@pytest.mark.parametrize(
    ("resource", "verb"), [("mpijobs", "create"), ("pods", "list"), ("pods/log", "get")]
)
def test_what_the_role_lacks_is_said_in_one_line(step, resource, verb):
    step.launcher = "echo it begins; exec sleep 1000"
    role = yaml.safe_load(ROLE.read_text())
    for rule in role["rules"]:
        if resource in rule["resources"]:
            rule["verbs"].remove(verb)
    role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
    step.api_server.apply(role, namespace=step.namespace)
    with pytest.raises(InputError) as caught:
        step.train()
    assert f'verb "{verb}" on "{resource}"' in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cluster_without_mpijobs_says_so(step, monkeypatch):
    monkeypatch.setattr("kubeflow.mpijob_follow.PLURAL", "mpijobz")
    role = yaml.safe_load(ROLE.read_text())
    role["rules"][0]["resources"] = ["mpijobz"]
    step.api_server.apply(role, namespace=step.namespace)
    with pytest.raises(InputError, match="install the operator"):
        step.train()


def test_a_folder_that_not_all_pods_see_is_refused(step, tmp_path):
    config = step.config().model_copy(update={"model_dir": str(tmp_path / "own")})
    with pytest.raises(InputError, match=r"kubeflow\.state_dir.*ReadWriteMany"):
        step.train(config)


def test_records_of_the_step_alone_are_copied_to_where_all_see_them(step, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "records").write_text("records")
    step.launcher = DONE
    step.train(step.config().model_copy(update={"data_dir": str(own)}))
    [container] = step.spec()["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"][
        "containers"
    ]
    given = json.loads(container["command"][container["command"].index("--config") + 1])
    shared = step.volume / "records" / "training"
    assert given["data_dir"] == str(shared)
    assert given["launcher"] == "local"
    assert not shared.exists()  # no longer needed


@pytest.mark.timeout(600)
def test_a_real_training_goes_on_where_it_was_evicted(step, make_tiny):
    kubernetes_server.need(kubelets.has_sshd(), "needs sshd: apt-get install openssh-server")
    step.launcher = None
    changes = {"num_processes": 2, "launcher": "mpijob", "mode": "train"}
    changes |= {"n_stages": 1, "max_epochs": 30, "save_checkpoint_freq": 1}  # some seconds
    config = make_tiny(step.model_dir).model_copy(update=changes)

    def evict() -> None:
        [first] = [*step.operator.jobs]
        target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        step.kubelet.set_status(f"{first}-worker-1", {"conditions": [target]})
        step.kubelet.core.delete_namespaced_pod(f"{first}-worker-1", step.namespace)

    soon(lambda: [*step.model_dir.glob("checkpoints/step-*")], evict)
    step.train(config)
    assert len(step.operator.jobs) == 2
    evicted = trainings.summary(config)
    assert evicted["resumed_from_step"] > 0
    # Beside it one that is not disturbed, in pods as well: the sums depend on how many threads a
    # rank has, and so on how many ranks there are on a machine.
    step.new_pod("step-2")
    config = config.model_copy(update={"model_dir": f"{step.model_dir}-2"})
    step.train(config)
    undisturbed = trainings.summary(config)
    assert undisturbed["resumed_from_step"] is None
    assert evicted["weights_sha256"] == undisturbed["weights_sha256"]
