"""The datasets in OpenLineage events: artifacts, sources of images, and served versions."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openlineage.client import event_v2 as ol
from openlineage.client import facet_v2 as facets

from lineage.record.parts import Artifact, Node
from lineage.record.run import Run

# Types of artifacts that are models; all others are files.
_MODELS = ("Model", "PushedModel")
_SOURCE_READER = "ImageExampleGen"
_URI = re.compile(r"([a-zA-Z][\w+.-]*://[^/]+)/*(.*)")


def of_node(run: Run, node: Node) -> tuple[list[ol.InputDataset], list[ol.OutputDataset]]:
    """What an execution read and made."""
    by_id = {artifact.id: artifact for artifact in run.artifacts}
    inputs = [_input(run, by_id[number]) for number in _numbers(node.inputs)]
    outputs = [_output(run, by_id[number]) for number in _numbers(node.outputs)]
    if node.id == _SOURCE_READER and run.source is not None:
        inputs.append(_source(run))
    made = set(_numbers(node.outputs))
    if any(by_id[number].type == "PushedModel" for number in made):
        destinations = {by_id[n].properties.get("pushed_destination") for n in made}
        outputs += _pushed(run, destinations)
    return inputs, outputs


def of_run(run: Run) -> tuple[list[ol.InputDataset], list[ol.OutputDataset]]:
    """What a run as a whole read and made: the images, the model, and what is served."""
    inputs = [_source(run)] if run.source is not None else []
    models = [a for a in run.artifacts if run.model is not None and a.id == run.model.artifact_id]
    outputs = [_output(run, artifact) for artifact in models]
    return inputs, outputs + _pushed(run, {push.destination for push in run.pushes})


def add_assertions(
    run: Run, inputs: Sequence[ol.InputDataset], rules: Iterable[Mapping[str, Any]]
) -> None:
    """Puts what the gate's rules said on the records that a model was evaluated on."""
    if run.dataset is None:
        return
    name = _named(run.dataset.uri)[1]
    assertion = facets.data_quality_assertions_dataset.Assertion
    told = [
        assertion(
            assertion=rule["metric"],
            success=rule["passed"],
            severity="error",
            name=rule["text"],
        )
        for rule in rules
    ]
    for dataset in inputs:
        if dataset.name == name:
            dataset.inputFacets = {
                **(dataset.inputFacets or {}),
                "dataQualityAssertions": (
                    facets.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(told)
                ),
            }


def _numbers(of_keys: Mapping[str, list[int]]) -> list[int]:
    return list(dict.fromkeys(number for numbers in of_keys.values() for number in numbers))


def _named(uri: str) -> tuple[str, str]:
    """Namespace and name of a place, as OpenLineage has them."""
    found = _URI.fullmatch(uri)
    if found is None:
        return "file", uri
    namespace, name = found.groups()
    return namespace, name or "/"


def _input(run: Run, artifact: Artifact) -> ol.InputDataset:
    return ol.InputDataset(*_named(artifact.uri), facets=_facets(run, artifact))


def _output(run: Run, artifact: Artifact) -> ol.OutputDataset:
    dataset = ol.OutputDataset(*_named(artifact.uri), facets=_facets(run, artifact))
    if run.dataset is not None and artifact.id == run.dataset.artifact_id:
        counted = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
        dataset.outputFacets = {"outputStatistics": counted(run.dataset.images.get("used"))}
    return dataset


def _facets(run: Run, artifact: Artifact) -> dict[str, Any]:
    digest = artifact.digest
    if run.model is not None and artifact.id == run.model.artifact_id:
        digest = run.model.digest
    kind = "MODEL" if artifact.type in _MODELS else "FILE"
    return _about(digest, kind, artifact.type)


def _about(version: str, kind: str, detail: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "datasetType": facets.dataset_type_dataset.DatasetTypeDatasetFacet(kind, detail)
    }
    if version:
        told["version"] = facets.dataset_version_dataset.DatasetVersionDatasetFacet(version)
    return told


def _source(run: Run) -> ol.InputDataset:
    """The images as they were found."""
    source = run.source
    counted = facets.input_statistics_input_dataset.InputStatisticsInputDatasetFacet
    return ol.InputDataset(
        *_named(source.path),
        facets=_about(source.fingerprint or source.digest, "FILE", source.format),
        inputFacets={"inputStatistics": counted(rowCount=source.images)},
    )


def _pushed(run: Run, destinations: Iterable[Any]) -> list[ol.OutputDataset]:
    """The served versions among the places, each of them the run's model."""
    digest = run.model.digest if run.model is not None else ""
    here = sorted(str(place) for place in destinations if place)
    return [
        ol.OutputDataset(*_named(place), facets=_about(digest, "MODEL", "served version"))
        for place in here
    ]
