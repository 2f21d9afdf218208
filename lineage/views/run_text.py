"""A run as text: where its model came from, and where it went."""

import datetime
from collections.abc import Iterator
from typing import Any

from components.evaluator.verdict import Verdict
from lineage.record.parts import Dataset, Node, Override, Quarantine
from lineage.record.run import Run
from lineage.views import words
from pipeline.config import PipelineConfig

_LABEL_CHARS = 11
_SHOWN_VERSIONS = {
    "python": "Python",
    "tensorflow": "TensorFlow",
    "tfx": "TFX",
    "apache-beam": "Beam",
    "horovod": "Horovod",
}
_MAX_CHANGED = 5
_MAX_QUARANTINED = 3
_GIB = 1 << 30
# Without these there is no config; a person has set them in any case.
_REQUIRED = {"data": {"path": "-"}, "evaluation": {"min_top_1": 0.0}}


def text(run: Run) -> str:
    """The lineage of a run, a block for each question."""
    lines = []
    for label, found in blocks(run).items():
        for number, line in enumerate(found):
            lines.append(f"{'' if number else label:<{_LABEL_CHARS}}{line}".rstrip())
    return "\n".join(lines)


def blocks(run: Run) -> dict[str, Iterator[str]]:
    """The lines of each question, by a word for it."""
    return {
        "run": _run(run),
        "data": _data(run),
        "quarantine": _quarantine(run.dataset.quarantine if run.dataset else None),
        "code": _code(run),
        "settings": _settings(run),
        "versions": _versions(run),
        "machine": _machine(run),
        "model": _model(run),
        "baseline": _baseline(run),
        "evaluation": _evaluation(run),
        "pushed": _pushed(run),
        "pruned": _pruned(run),
        "nodes": _nodes(run),
    }


def _run(run: Run) -> Iterator[str]:
    info = run.run
    took = f", {words.duration(info.secs)}" if info.secs is not None else ""
    on = f" on {info.host}" if info.host else ""
    yield f"{info.id}: {words.state(info.state)}, {words.when(info.started)}{took}{on}"
    if info.said:
        yield info.said
    if info.output_dir:
        yield info.output_dir


def _data(run: Run) -> Iterator[str]:
    source, dataset = run.source, run.dataset
    if source is None:
        yield "none was read"
        return
    span = f", span {source.span}" if source.span is not None else ""
    version = f", version {source.version}" if source.version is not None else ""
    yield f"{source.format or 'images'} {source.path}{span}{version}"
    for split, count in source.left_out.items():
        yield f"left out: {words.counted(count, 'image')} of the source's split {split!r}"
    if dataset is None:
        yield "no dataset was made of it"
        return
    yield from _dataset(dataset)


def _dataset(dataset: Dataset) -> Iterator[str]:
    counts = dataset.images
    if counts:
        splits = ", ".join(f"{of['used']:,} {split}" for split, of in dataset.splits.items())
        yield (
            f"{words.counted(counts['seen'], 'file')} seen: {counts['used']:,} used ({splits}), "
            f"{counts['quarantined']:,} in quarantine, {counts['dropped']:,} dropped duplicates; "
            f"{words.counted(len(dataset.classes), 'class', 'classes')}"
        )
    yield f"dataset {dataset.digest or 'of unknown digest'}, artifact {dataset.artifact_id}"


def _quarantine(quarantine: Quarantine | None) -> Iterator[str]:
    if quarantine is None or not quarantine.images:
        return
    yield ", ".join(f"{count:,} {reason}" for reason, count in quarantine.reasons.items())
    for row in quarantine.first[:_MAX_QUARANTINED]:
        yield f"{row.uri}: {row.reason}{f' ({row.detail})' if row.detail else ''}"
    more = quarantine.images - min(len(quarantine.first), _MAX_QUARANTINED)
    if more:
        yield f"and {more:,} more: {quarantine.file}"


def _code(run: Run) -> Iterator[str]:
    code = run.code
    if code is None:
        yield "not recorded"
        return
    if code.commit is None:
        yield f"no commit: {code.why_no_commit}"
    else:
        yield f"commit {code.commit}{', dirty' if code.dirty else ''}"
    if code.changed:
        more = len(code.changed) - _MAX_CHANGED
        named = ", ".join(code.changed[:_MAX_CHANGED])
        yield f"changed: {named}{f' and {more} more' if more > 0 else ''}"
    yield f"digest {code.digest}, {words.counted(len(code.files), 'file')}"


def _settings(run: Run) -> Iterator[str]:
    if not run.settings:
        yield "not recorded"
        return
    changed = list(not_default(run.settings))
    yield f"{words.counted(len(changed), 'value')} other than the default:"
    for key, value in changed:
        yield f"  {key}: {value}"


def not_default(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values other than the defaults of today, by their keys.

    Args:
      settings: a resolved config, by section.
    """
    defaults = PipelineConfig.model_validate(_REQUIRED).model_dump(mode="json")
    for section, values in settings.items():
        of_section = defaults.get(section, {})
        for key, value in values.items():
            is_default = key in of_section and value == of_section[key]
            if value is not None and (not is_default or key in _REQUIRED.get(section, {})):
                yield f"{section}.{key}", value


def _versions(run: Run) -> Iterator[str]:
    if not run.versions:
        yield "not recorded"
        return
    known = {name: run.versions.get(key, "none") for key, name in _SHOWN_VERSIONS.items()}
    yield ", ".join(f"{name} {version}" for name, version in known.items())


def _machine(run: Run) -> Iterator[str]:
    machine = run.machine
    if machine is None:
        yield "not recorded"
        return
    memory = f"{machine.memory_bytes / _GIB:.0f} GiB"
    cores = words.counted(machine.cores, "core")
    yield f"{machine.host}: {machine.processor}, {cores}, {memory}, {machine.system}"
    yield "; ".join(machine.gpus) or "no GPU"


def _model(run: Run) -> Iterator[str]:
    model = run.model
    if model is None:
        yield "none was trained"
        return
    yield f"{words.short(model.digest)}, artifact {model.artifact_id}, {model.uri}"
    training = model.training
    if training.get("steps") is not None:
        yield (
            f"trained for {words.counted(training['steps'], 'step')}, "
            f"{training.get('epochs'):g} epochs, in {words.duration(training.get('secs'))}"
        )
    if model.made_in_run and model.made_in_run != run.run.id:
        yield f"trained in run {model.made_in_run}, and taken from the cache"
    if model.init_weights:
        yield f"started from {model.init_weights} ({words.short(model.init_weights_sha256)})"


def _baseline(run: Run) -> Iterator[str]:
    if run.baseline is not None:
        yield f"version {run.baseline.version}, {run.baseline.served_from}"
    elif run.evaluation is not None:
        yield run.evaluation.verdict.get("no_baseline") or "none"


def _evaluation(run: Run) -> Iterator[str]:
    if run.evaluation is None:
        yield "none"
        return
    said = run.evaluation.verdict
    if "rules" not in said:  # only what ML Metadata has
        yield said.get("reason", "")
        return
    yield from Verdict.from_values(said).lines()
    check = run.evaluation.serving_check
    if check is not None:
        yield f"serving check: {'passed' if check['blessed'] else 'failed'}, {check['reason']}"


def _pushed(run: Run) -> Iterator[str]:
    if not run.pushes:
        yield "no"
    for push in run.pushes:
        yield f"version {push.version}, {words.when(push.time)}, {push.destination}"
        if push.served_by:
            yield f"served by {push.served_by}, at {push.served_at}"
        if push.override is not None:
            yield override(push.override)


def _pruned(run: Run) -> Iterator[str]:
    by_time: dict[datetime.datetime, list[str]] = {}
    for artifact in run.artifacts:
        if artifact.pruned is not None:
            name = "/".join(artifact.uri.rstrip("/").split("/")[-3:])
            by_time.setdefault(artifact.pruned, []).append(name)
    for time, named in sorted(by_time.items()):
        yield f"{words.when(time)}, what is recorded stays: {', '.join(sorted(named))}"


def override(decision: Override) -> str:
    """Who overrode the gate, when and why."""
    return f"against the gate, by {decision.user}, {words.when(decision.time)}: {decision.reason}"


def _nodes(run: Run) -> Iterator[str]:
    rows = [(n.id, n.state, words.duration(n.secs), _why(run, n)) for n in run.nodes]
    if rows:
        yield from words.table(("NODE", "STATE", "TIME", "WHY"), rows, (2,)).splitlines()


def _why(run: Run, node: Node) -> str:
    origin = node.made_in_run
    if not origin or origin == run.run.id or origin in node.why:
        return node.why
    return f"{node.why}; made in run {origin}" if node.why else f"made in run {origin}"
