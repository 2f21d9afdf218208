"""An emulator of the backend of Kubeflow Pipelines 2.17: its submission checks, driver, launcher.

It was written from what the real one was seen to do, and is as strict, and as silent, as that: what
is refused there is refused here, what is accepted and fails later fails later, and what is lost
without a word is lost without a word. It knows nothing of the project's own checks. Commands run
verbatim, each in a container (tests/container.py) with a fresh /tmp. A command `python -m MODULE`
runs in a fork of a process that has TensorFlow and TFX loaded, unless `new_interpreters` is set.
"""

import dataclasses
import graphlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import container
import fresh_process
import kubeflow_submission as submission
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as spec

SCHEMES = {"minio://": "minio", "s3://": "s3", "gs://": "gcs"}
DEFAULT_ROOT = "minio://mlpipeline/v2/artifacts"


class DriverError(Exception):
    """The driver of a step fails; the step does not start."""


@dataclasses.dataclass
class Run:
    """What became of a run.

    Attributes:
      id: its id.
      states: succeeded, failed or omitted, by task.
      logs: what each step printed.
      outputs: the artifacts of each step by key, as the backend knows them.
    """

    id: str
    states: dict[str, str] = dataclasses.field(default_factory=dict)
    logs: dict[str, str] = dataclasses.field(default_factory=dict)
    outputs: dict[str, dict[str, dict[str, Any]]] = dataclasses.field(default_factory=dict)


class Backend:
    """A cluster with a bucket and volumes.

    Attributes:
      remote: folder of the buckets: `<scheme>/<bucket>/...`; empty folders do not exist there.
    """

    def __init__(
        self,
        folder: Path,
        volumes: Mapping[str, Path],
        *,
        without_mlmd: bool = False,
        output_file_in_tmp: bool = False,
        new_interpreters: bool = False,
    ):
        """Makes a cluster in a folder.

        Args:
          folder: an empty folder.
          volumes: folders of this machine by the names of their claims.
          without_mlmd: whether inputs have the form after kubeflow/pipelines#13986: their names
            are those of the artifacts, and their types hold another text.
          output_file_in_tmp: whether the output file is where 2.5 has it.
          new_interpreters: whether each step starts Python anew.
        """
        self.remote = folder / "remote"
        self.remote.mkdir(parents=True)
        self._boxes = folder / "boxes"
        self._volumes = dict(volumes)
        self._without_mlmd, self._in_tmp = without_mlmd, output_file_in_tmp
        self._new_interpreters = new_interpreters
        self._last_id = 0

    def run(
        self,
        text: str,
        arguments: Mapping[str, Any] | None = None,
        pipeline_root: str = "",
        before: Mapping[str, Callable[["Backend"], object]] | None = None,
    ) -> Run:
        """Submits a compiled pipeline and runs it to its end.

        Args:
          text: the compiled pipeline.
          arguments: values of its parameters.
          pipeline_root: where artifacts go; empty: the cluster's default.
          before: what happens to the cluster before a step starts, by its name.

        Raises:
          RefusedError: it is not taken.
        """
        pipeline, platform = submission.documents(text)
        given = submission.check_submission(pipeline, arguments or {})
        root = pipeline_root or DEFAULT_ROOT
        if not root.startswith(tuple(SCHEMES)):
            raise DriverError(f"root driver: unknown scheme of the pipeline root {root}")
        run = Run(str(uuid.uuid4()))
        base = f"{root.rstrip('/')}/{pipeline['pipelineInfo']['name']}/{run.id}"
        tasks = pipeline["root"]["dag"]["tasks"]
        order = graphlib.TopologicalSorter({n: submission.upstream(t) for n, t in tasks.items()})
        for name in order.static_order():
            if any(run.states[other] != "succeeded" for other in submission.upstream(tasks[name])):
                run.states[name] = "omitted"
                continue
            if before and name in before:
                before[name](self)
            try:
                run.outputs[name] = self._step(name, pipeline, platform, given, run, base)
                run.states[name] = "succeeded"
            except (DriverError, _LauncherError) as error:
                run.states[name] = "failed"
                run.logs[name] = run.logs.get(name, "") + f"{type(error).__name__}: {error}\n"
        return run

    def remote_folder(self, uri: str) -> Path:
        """Where the bucket keeps the files of a URI."""
        return self.remote / _below(uri)

    def _step(self, name, pipeline, platform, given, run: Run, base: str):
        task = pipeline["root"]["dag"]["tasks"][name]
        component = pipeline["components"][task["componentRef"]["name"]]
        label = component["executorLabel"]
        work = pipeline["deploymentSpec"]["executors"][label]["container"]
        pod = platform.get(label, {})
        if pod.get("imagePullPolicy", "Always") not in ("Always", "IfNotPresent", "Never"):
            raise DriverError(f"unsupported image pull policy {pod['imagePullPolicy']}")
        parameters = _parameters(task, component, given)
        inputs = self._inputs(task, component, run)
        box = self._boxes / f"{len(list(self._boxes.glob('*')))}-{name}"
        for folder in ("tmp", "root", *SCHEMES.values()):
            (box / folder).mkdir(parents=True)
        step_uri = f"{base}/{name}/{uuid.uuid4()}"
        outputs = _outputs(component, step_uri)
        executor_input = {
            "inputs": {"artifacts": inputs, "parameterValues": parameters},
            "outputs": {
                "artifacts": outputs,
                "outputFile": "/tmp/kfp_outputs/output_metadata.json"
                if self._in_tmp
                else f"/{_below(step_uri)}/output_metadata.json",
            },
        }
        self._download(inputs, box)
        for listed in outputs.values():
            (box / _below(listed["artifacts"][0]["uri"])).parent.mkdir(parents=True, exist_ok=True)
        output_file = box / executor_input["outputs"]["outputFile"][1:]
        output_file.parent.mkdir(parents=True, exist_ok=True)
        whole = json.dumps(executor_input)
        command = [*work.get("command", []), *work.get("args", [])]
        command = [part.replace("{{$}}", whole) for part in command]
        environment = {entry["name"]: entry.get("value", "") for entry in work.get("env", [])}
        status, run.logs[name] = self._execute(command, box, pod, environment)
        if status != 0:
            raise _LauncherError(f"the program ended with exit status {status}")
        return self._publish(outputs, output_file, box, base)

    def _execute(self, command, box: Path, pod, environment) -> tuple[int, str]:
        folders = {"/tmp": box / "tmp"}
        folders |= {f"/{folder}": box / folder for folder in SCHEMES.values()}
        for mount in pod.get("pvcMount", []):
            folders[mount["mountPath"]] = self._volumes[mount["constant"]]
        if self._new_interpreters or command[:2] != ["python", "-m"]:
            done = fresh_process.run(_run_command, command, box / "root", folders, env=environment)
        else:
            done = fresh_process.run(_run_module, command, box / "root", folders, env=environment)
        return done.returncode, done.stdout + done.stderr

    def _inputs(self, task, component, run: Run) -> dict[str, Any]:
        found = {}
        declared = component.get("inputDefinitions", {}).get("artifacts", {})
        sources = task.get("inputs", {}).get("artifacts", {})
        for key in declared:
            if key not in sources:
                raise DriverError(f"missing component input artifact {key}")
        for key, value in sources.items():
            source = value["taskOutputArtifact"]
            made = run.outputs[source["producerTask"]]
            if source["outputArtifactKey"] not in made:
                raise DriverError(f"panic: no output {source['outputArtifactKey']}")
            artifact = made[source["outputArtifactKey"]]
            if self._without_mlmd:
                name, kind = artifact["key"], {"schemaTitle": "system.Artifact"}
            else:
                name, kind = str(artifact["id"]), {"instanceSchema": ""}
            found[key] = {
                "artifacts": [
                    {
                        "name": name,
                        "type": kind,
                        "uri": artifact["uri"],
                        "metadata": artifact["metadata"],
                    }
                ]
            }
        return found

    def _download(self, inputs, box: Path) -> None:
        for listed in inputs.values():
            for artifact in listed["artifacts"]:
                source = self.remote / _below(artifact["uri"])
                # Whether there is anything, nobody says.
                for file in source.rglob("*"):
                    if file.is_file():
                        target = box / _below(artifact["uri"]) / file.relative_to(source)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(file, target)

    def _publish(self, outputs, output_file: Path, box: Path, base: str):
        said: dict[str, Any] = {}
        if output_file.exists():  # else only a warning
            try:
                parsed = json_format.Parse(output_file.read_text(), spec.ExecutorOutput())
            except json_format.ParseError as error:
                raise _LauncherError(f"failed to unmarshal the output file: {error}") from None
            said = json_format.MessageToDict(parsed).get("artifacts", {})
        made = {}
        for key, listed in outputs.items():
            declared = listed["artifacts"][0]
            told = said.get(key, {}).get("artifacts", [{}])[0]
            uri = told.get("uri", declared["uri"])
            if "://" in uri:
                if not uri.startswith(f"{base}/"):
                    raise _LauncherError(f"output URI {uri} is not below {base}")
                self._upload(box / _below(uri), self.remote / _below(uri))
            self._last_id += 1
            made[key] = {
                "id": self._last_id,
                "key": key,
                "uri": uri,
                "metadata": {
                    "display_name": key,
                    "store_session_info": json.dumps({"Provider": uri.partition(":")[0]}),
                    **{n: _round_trip(n, v) for n, v in told.get("metadata", {}).items()},
                },
            }
        return made

    def _upload(self, source: Path, target: Path) -> None:
        for file in source.rglob("*"):
            if file.is_file():
                place = target / file.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)


class _LauncherError(Exception):
    """The launcher ends with exit status 1."""


def _parameters(task, component, given: Mapping[str, Any]) -> dict[str, Any]:
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    sources = task.get("inputs", {}).get("parameters", {})
    values = {}
    for name, definition in declared.items():
        if name not in sources:
            raise DriverError(f"missing component input parameter {name}")
        source = sources[name]
        if "componentInputParameter" in source:
            value = given[source["componentInputParameter"]]
        elif "constant" in source.get("runtimeValue", {}):
            value = source["runtimeValue"]["constant"]
        else:
            raise DriverError("not implemented")
        if not submission.is_of(value, definition["parameterType"]):
            got = "string" if isinstance(value, str) else type(value).__name__
            raise DriverError(f"expect {definition['parameterType']}, got {got}")
        values[name] = value
    return values


def _outputs(component, step_uri: str) -> dict[str, Any]:
    declared = component.get("outputDefinitions", {}).get("artifacts", {})
    outputs = {
        key: {
            "artifacts": [
                {"name": key, "type": definition["artifactType"], "uri": f"{step_uri}/{key}"}
            ]
        }
        for key, definition in declared.items()
    }
    logs = {"name": "executor-logs", "type": {"schemaTitle": "system.Artifact"}}
    logs["uri"] = f"{step_uri}/executor-logs"
    return {**outputs, "executor-logs": {"artifacts": [logs]}}


def _below(uri: str) -> str:
    """The path below / of a container at which the launcher has a URI's files."""
    for scheme, folder in SCHEMES.items():
        if uri.startswith(scheme):
            return f"{folder}/{uri.removeprefix(scheme)}"
    raise _LauncherError(f"unknown scheme: {uri}")


def _round_trip(name: str, value: Any) -> Any:
    """A value of the metadata as the next step gets it."""
    if value is None:
        raise _LauncherError(f"unsupported null in metadata {name}")
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return {"list": value}
    if isinstance(value, dict):
        return {"struct": value}
    return value


def _run_module(command: list[str], root: Path, folders: Mapping[str, Path]) -> int:
    """Runs `python -m MODULE ARGUMENTS` in a container."""
    container.enter(root, folders)
    sys.argv = command[2:]
    try:
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _run_command(command: list[str], root: Path, folders: Mapping[str, Path]) -> int:
    """Runs any command in a container, `python` being this interpreter."""
    container.enter(root, folders)
    program = sys.executable if command[0] == "python" else command[0]
    # An image has the packages that are here.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([program, *command[1:]], check=False, env=environment).returncode
