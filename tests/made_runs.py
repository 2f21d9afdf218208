"""Runs as the pipeline leaves them, in real ML Metadata and real files, without running nodes."""

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from components.evaluator import predictions, verdict
from components.evaluator.intervals import proportion
from lineage.making.recorder import Recorder
from lineage.record import files
from lineage.record.run import Run
from pipeline import output_dir as folders
from pipeline.cache import fingerprints
from pipeline.config import PipelineConfig
from pipeline.mlmd import connection, liveness, names
from pipeline.runner.recording import RunFacts
from preprocessing import features
from preprocessing.stage import dataset_manifest

PIPELINE = "digits"
START = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone.utc)


@dataclasses.dataclass(frozen=True)
class Image:
    """An image of a corpus; `status` and `reason` as in the manifest."""

    name: str
    split: str = features.TRAIN_SPLIT
    status: str = "used"
    reason: str | None = None
    content: bytes = b""
    folder: str = "/pictures"

    @property
    def uri(self) -> str:
        return f"{self.folder}/{self.name}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content or self.name.encode()).hexdigest()

    @property
    def class_name(self) -> str:
        return self.name.partition("/")[0]


def corpus(train: int = 6, evaluation: int = 4, classes: Sequence[str] = ("cat", "dog")):
    """Images of some classes in turn."""
    count = train + evaluation
    return [
        Image(
            f"{classes[i % len(classes)]}/{i}.png",
            features.TRAIN_SPLIT if i < train else features.EVAL_SPLIT,
        )
        for i in range(count)
    ]


class MadeRuns:
    """An output folder with a store, to which runs are added."""

    def __init__(self, folder: Path, where: connection.Connection | None = None, count: int = 0):
        """`count` runs are in the folder already."""
        self.folder, self.artifacts = folder, folder / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        self.connection = where or connection.locate("", folder / "metadata.sqlite")
        self.store = connection.open_store(self.connection)
        self.count = count

    def start(self, run_id: str = "", **settings: Any) -> "MadeRun":
        """A run that has begun, and is recorded as such."""
        self.count += 1
        run_id = run_id or f"20260131-12{self.count:02d}00"
        config = PipelineConfig.model_validate(
            {
                "data": {"path": "/pictures"},
                "evaluation": {"min_top_1": 0.5},
                "pipeline": {"name": PIPELINE},
                **settings,
            }
        )
        facts = RunFacts(
            run_id,
            START + datetime.timedelta(minutes=self.count),
            config,
            self.folder,
            self.connection,
        )
        folders.report_dir(self.folder, run_id).mkdir(parents=True, exist_ok=True)
        run = MadeRun(self, facts)
        run.context()
        run.told += Recorder().started(facts)
        return run

    def whole(self, run_id: str = "", settings: Mapping[str, Any] | None = None, **more) -> Run:
        """A run that went to its end; `more` are arguments of `MadeRun.all_nodes`."""
        run = self.start(run_id, **(settings or {}))
        run.all_nodes(**more)
        return run.end()


class MadeRun:
    """A run in the making.

    Attributes:
      told: what a person is told of its record, a line each.
    """

    def __init__(self, runs: MadeRuns, facts: RunFacts):
        self.told: list[str] = []
        self.runs, self.facts, self.store = runs, facts, runs.store
        self.nodes: list[dict[str, Any]] = []
        self.outputs: dict[tuple[str, str], metadata_store_pb2.Artifact] = {}
        self.status, self.said = "partial", "not evaluated"

    def context(self) -> metadata_store_pb2.Context:
        """The context of the run, as a claim leaves it."""
        found = self._context(names.RUN_CONTEXT, self.facts.id)
        values = found.custom_properties
        values[names.OUTPUT_DIR].string_value = str(self.runs.folder)
        values[names.OUTPUT_ID].string_value = liveness.output_id(self.runs.folder)
        values[names.HOST].string_value = liveness.host()
        values[names.PID].int_value = 4711
        self.store.put_contexts([found])
        return found

    def all_nodes(
        self,
        images: Sequence[Image] = (),
        model: bytes = b"weights",
        right: int = 8,
        of: int = 10,
        blessed: bool = True,
        push: str = "",
        override: verdict.Override | None = None,
        weights: bytes = b"",
        mistakes: Mapping[str, str] | None = None,
    ) -> None:
        """All nodes that a record knows, each with what it leaves.

        With `mistakes`, the wrong class by the name of an image, the evaluation has an answer for
        each image, and `right` and `of` are counted from them.
        """
        images = images or corpus()
        self.data(images)
        self.train(model, weights)
        answers = None
        if mistakes is not None:
            answers = list(_answers(images, mistakes))
            right, of = sum(row[7] for row in answers), len(answers)
        self.evaluate(right, of, blessed, override, answers)
        if push:
            self.push(push, override)

    def data(self, images: Sequence[Image]) -> None:
        """ImageExampleGen and ImagePreprocessor."""
        splits = {s: sum(i.split == s for i in images) for s in ("train", "eval")}
        ingestion = {
            "source": "/pictures",
            "format": "folder",
            "images": len(images),
            "splits": splits,
            "left_out": {},
        }
        self.node(
            "ImageExampleGen",
            {"examples": ("Examples", {features.INGESTION_FILE: ingestion}, {"span": 0})},
            properties={"path": "/pictures"},
        )
        quarantined = [i for i in images if i.status == "quarantined"]
        lines = [
            {"uri": i.uri, "sha256": i.sha256, "bytes": 1, "class": i.class_name,
             "split": i.split, "reason": i.reason, "detail": ""}
            for i in quarantined
        ]  # fmt: skip
        dataset = {
            features.COUNTS_FILE: _counts(images),
            features.STATISTICS_FILE: {"classes": _classes(images)},
            features.MANIFEST_FILE: images,
            **{f"Split-{s}/{s}-00000-of-00001": b"records of " + s.encode() for s in splits},
        }
        self.node(
            "ImagePreprocessor",
            {
                "transformed_examples": ("Examples", dataset, {}),
                "quarantine": ("Quarantine", {features.QUARANTINE_FILE: lines}, {}),
            },
            inputs=[("examples", "ImageExampleGen", "examples")],
        )

    def train(self, model: bytes, weights: bytes = b"") -> None:
        """HorovodTrainer, whose model is one file."""
        files = {"Format-Serving/saved_model.pb": model}
        run = {
            "train_summary.json": {"steps": 15, "epochs": 2.0, "secs": 12.0},
            "model.weights.h5": b"weights of " + model,
            "train_log.jsonl": [
                {"step": 8, "epoch": 1.0, "stage": 0, "loss": 1.5, "lr": 0.1, "secs": 6.0},
                {"message": "going on"},
                {"step": 15, "epoch": 2.0, "stage": 1, "loss": None, "lr": 0.0, "secs": 11.0},
                {"step": 15, "epoch": 2.0, "eval_top_1": 0.75, "eval_loss": 1.25, "secs": 12.0},
            ],
        }
        config = {"init_weights": "/first.weights.h5" if weights else ""}
        digest = hashlib.sha256(weights).hexdigest() if weights else ""
        self.node(
            "HorovodTrainer",
            {
                "model": ("Model", files, {"weights_sha256": hashlib.sha256(model).hexdigest()}),
                "model_run": ("ModelRun", run, {}),
            },
            inputs=[("examples", "ImagePreprocessor", "transformed_examples")],
            properties={"train_config": json.dumps(config), "init_weights_sha256": digest},
        )

    def evaluate(
        self,
        right: int,
        of: int,
        blessed: bool,
        override: verdict.Override | None = None,
        answers: list[list[Any]] | None = None,
    ) -> None:
        """LatestBlessedModel and Evaluator."""
        judged = _verdict(right, of, blessed)
        self.node("LatestBlessedModel", {"baseline_model": ("Model", {"NO_BASELINE.txt": b""}, {})})
        self.node(
            "Evaluator",
            {
                "verdict": (
                    "Verdict",
                    {verdict.JSON_FILE: json.loads(judged.to_json())},
                    {"blessed": int(blessed)},
                ),
                "evaluation": (
                    "ModelEvaluation",
                    {"metrics": b"counts"}
                    | ({predictions.FILE: answers} if answers is not None else {}),
                    {},
                ),
            },
            inputs=[
                ("model", "HorovodTrainer", "model"),
                ("examples", "ImagePreprocessor", "transformed_examples"),
            ],
        )
        self.status = "pushed" if blessed or override else "not_blessed"
        self.said = dataclasses.replace(
            judged, blessed=bool(blessed or override), override=override
        ).reason()

    def push(self, version: str, override: verdict.Override | None = None) -> Path:
        """Pusher; returns the folder of the version."""
        folder = self.runs.folder / "serving" / "classifier" / version
        folder.mkdir(parents=True)
        model = Path(self.outputs["HorovodTrainer", "model"].uri, "Format-Serving")
        for path in model.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        said: dict[str, Any] = {
            "pushed": 1,
            "pushed_destination": str(folder),
            "pushed_version": version,
        }
        if override is not None:
            fields = dataclasses.asdict(override)
            said |= {f"override_{key}": value for key, value in fields.items()}
        self.node("Pusher", {"pushed_model": ("PushedModel", {"saved_model.pb": b""}, said)})
        return folder

    def node(
        self,
        node_id: str,
        outputs: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]],
        *,
        inputs: Sequence[tuple[str, str, str]] = (),
        properties: Mapping[str, Any] | None = None,
        state: int = metadata_store_pb2.Execution.COMPLETE,
    ) -> None:
        """An execution.

        Args:
          node_id: the node.
          outputs: type, files and properties by key; what is no bytes is written as it should be.
          inputs: key, and node and key of the output.
          properties: exec properties.
          state: of the execution.
        """
        kind = metadata_store_pb2.ExecutionType(name=f"components.{node_id}")
        execution = metadata_store_pb2.Execution(
            type_id=self.store.put_execution_type(kind), last_known_state=state
        )
        _set(execution.custom_properties, properties or {})
        contexts = [
            self._context(names.PIPELINE_CONTEXT, PIPELINE),
            self._context(names.RUN_CONTEXT, self.facts.id),
            self._context(names.NODE_CONTEXT, f"{PIPELINE}.{node_id}"),
        ]
        given = [
            (self.outputs[node, output], _event(key, metadata_store_pb2.Event.INPUT))
            for key, node, output in inputs
        ]
        execution_id, _, _ = self.store.put_execution(execution, given, contexts)
        execution.id = execution_id
        made = []
        for key, (type_name, contents, said) in outputs.items():
            folder = self.runs.artifacts / node_id / key / str(execution_id)
            for name, content in contents.items():
                _write(folder / name, content, self.runs.folder)
            artifact = metadata_store_pb2.Artifact(
                type_id=self.store.put_artifact_type(
                    metadata_store_pb2.ArtifactType(name=type_name)
                ),
                uri=str(folder),
                state=metadata_store_pb2.Artifact.LIVE,
            )
            digest = fingerprints.take(folder)
            origin = {"content_fingerprint": digest, "made_in_run": self.facts.id}
            _set(artifact.custom_properties, {**said, **origin})
            made.append((artifact, _event(key, metadata_store_pb2.Event.OUTPUT)))
        _, ids, _ = self.store.put_execution(execution, made, contexts)
        for key, artifact_id in zip(outputs, ids, strict=True):
            [self.outputs[node_id, key]] = self.store.get_artifacts_by_id([artifact_id])
        self._add_node(node_id, "ran" if made else "failed")

    def cached(self, node_id: str, before: "MadeRun") -> None:
        """Takes the outputs of a node of another run."""
        kind = metadata_store_pb2.ExecutionType(name=f"components.{node_id}")
        execution = metadata_store_pb2.Execution(
            type_id=self.store.put_execution_type(kind),
            last_known_state=metadata_store_pb2.Execution.CACHED,
        )
        taken = {key: a for (node, key), a in before.outputs.items() if node == node_id}
        contexts = [
            self._context(names.RUN_CONTEXT, self.facts.id),
            self._context(names.NODE_CONTEXT, f"{PIPELINE}.{node_id}"),
        ]
        events = [(a, _event(key, metadata_store_pb2.Event.OUTPUT)) for key, a in taken.items()]
        self.store.put_execution(execution, events, contexts)
        self.outputs |= {(node_id, key): artifact for key, artifact in taken.items()}
        self._add_node(node_id, "cached")

    def end(self) -> Run:
        """The run ends; returns its record."""
        summary = {"status": self.status, "verdict": self.said, "nodes": self.nodes}
        self.told += Recorder().ended(self.facts, summary)
        return files.read(files.path_of(self.runs.artifacts, self.facts.id))

    def _add_node(self, node_id: str, state: str) -> None:
        self.nodes.append({"id": node_id, "state": state, "secs": 1.5, "why": "it is new"})

    def _context(self, kind: str, name: str) -> metadata_store_pb2.Context:
        found = self.store.get_context_by_type_and_name(kind, name)
        if found is None:
            type_id = self.store.put_context_type(metadata_store_pb2.ContextType(name=kind))
            context = metadata_store_pb2.Context(type_id=type_id, name=name)
            self.store.put_contexts([context])
            found = self.store.get_context_by_type_and_name(kind, name)
        return found


def _event(key: str, kind: int) -> metadata_store_pb2.Event:
    event = metadata_store_pb2.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event


def _set(values, properties: Mapping[str, Any]) -> None:
    for name, value in properties.items():
        if isinstance(value, str):
            values[name].string_value = value
        elif isinstance(value, int):
            values[name].int_value = value
        else:
            values[name].double_value = value


def _write(path: Path, content: Any, scratch: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.name == features.MANIFEST_FILE:
        dataset_manifest.write_manifest(str(path), _rows(content), str(scratch))
    elif path.name == predictions.FILE:
        predictions.write(str(path), content)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(line)}\n" for line in content))
    else:
        path.write_text(json.dumps(content))


def _rows(images: Sequence[Image]):
    labels = {name: i for i, name in enumerate(sorted({i.class_name for i in images}))}
    for position, image in enumerate(images):
        used = image.status == "used"
        yield {
            "sha256": image.sha256,
            "uri": image.uri,
            "label": labels[image.class_name],
            "class": image.class_name,
            "split": image.split,
            "status": image.status,
            "reason": image.reason,
            "shard": f"{image.split}-00000-of-00001" if used else None,
            "position": position if used else None,
        }


def _answers(images: Sequence[Image], mistakes: Mapping[str, str]):
    """Rows of `predictions.parquet`: 0.75 on the answer, 0.25 on another class."""
    classes = sorted({i.class_name for i in images})
    evaluated = [i for i in images if i.split == features.EVAL_SPLIT and i.status == "used"]
    for image in sorted(evaluated, key=lambda image: (image.sha256, image.uri)):
        said = mistakes.get(image.name, image.class_name)
        wrong = said != image.class_name
        other = image.class_name if wrong else next(c for c in [*classes, "none"] if c != said)
        yield [
            image.sha256, image.uri, image.split, image.class_name,
            said, 0.75, 0.25 if wrong else 0.75, not wrong, True, [said, other], [0.75, 0.25],
            *[None] * len(predictions.ANSWER),
        ]  # fmt: skip


def _counts(images: Sequence[Image]) -> dict[str, Any]:
    def of(chosen):
        chosen = list(chosen)
        statuses = {
            s: sum(i.status == s for i in chosen) for s in ("used", "quarantined", "dropped")
        }
        return {"seen": len(chosen), **statuses, "duplicates": 0}

    reasons: dict[str, int] = {}
    for image in images:
        if image.status == "quarantined":
            reasons[image.reason] = reasons.get(image.reason, 0) + 1
    splits = {split: of(i for i in images if i.split == split) for split in ("train", "eval")}
    return {**of(images), "reasons": reasons, "splits": splits}


def _classes(images: Sequence[Image]) -> list[dict[str, Any]]:
    used = [i for i in images if i.status == "used"]
    return [
        {
            "label": label,
            "name": name,
            "images": {
                split: sum(i.class_name == name and i.split == split for i in used)
                for split in ("train", "eval")
            },
            "weight": 1.0,
        }
        for label, name in enumerate(sorted({i.class_name for i in images}))
    ]


def _verdict(right: int, of: int, blessed: bool) -> verdict.Verdict:
    share = right / of
    interval = list(proportion(right, of, 0.95))
    text = f"top-1 {share:.4f} [{interval[0]:.4f}, {interval[1]:.4f}], minimum 0.5000"
    metrics = {
        "top_1": share, "top_1_interval": interval, "top_5": 1.0, "top_5_interval": [0.9, 1.0],
        "loss": 0.3, "expected_calibration_error": 0.1, "example_count": of, "unanswered": 0,
    }  # fmt: skip
    return verdict.Verdict(
        blessed, metrics, None, [verdict.Rule("top_1", blessed, text)], slices=[]
    )
