"""Compares statistics with a schema, with limits, and with those of the corpus before."""

import dataclasses
import json
import logging
import os
import posixpath
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.example_validator.executor import (
    ARTIFACT_PROPERTY_BLESSED_KEY,
    DEFAULT_FILE_NAME,
)
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME as STATISTICS_FILE
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    ANOMALIES_KEY,
    EXAMPLES_KEY,
    SCHEMA_KEY,
    STATISTICS_KEY,
)
from tfx.utils import io_utils, writer_utils

from components.example_validator import kept
from components.example_validator.anomalies import Findings, find
from components.example_validator.anomaly import CorpusRefused
from components.example_validator.from_protos import Statistics
from components.example_validator.limits import Limits
from components.progress import report
from components.stored_names import CONTENT_FINGERPRINT
from preprocessing.errors import InputError
from preprocessing.files.new_file import new_file
from preprocessing.files.publish import scratch_folder
from preprocessing.ingest import ingest

PREVIOUS_KEY = "previous_statistics"
KEPT_KEY = "kept_statistics"
ON_ANOMALY_KEY = "on_anomaly"
WARN, FAIL = "warn", "fail"
# In the artifact: all anomalies, the worst first, and all classes and files that they are about.
JSON_FILE = "anomalies.json"
ITEMS_FILE = "anomaly_items.jsonl"
# Beside the artifacts: the anomalies of corpora that were refused. TFX removes the outputs of a
# node that fails, and this is what the person needs then.
REFUSED_FOLDER = "refused"


class Executor(base_executor.BaseExecutor):
    """See `components.example_validator.component.ExampleValidator`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the anomalies.

        Raises:
          CorpusRefused: there are some, and `on_anomaly` is `fail`.
        """
        statistics = artifact_utils.get_single_instance(input_dict[STATISTICS_KEY])
        output = artifact_utils.get_single_instance(output_dict[ANOMALIES_KEY])
        splits = artifact_utils.decode_split_names(statistics.split_names)
        schema = io_utils.SchemaReader().read(
            io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict[SCHEMA_KEY]))
        )
        previous = exec_properties.get(PREVIOUS_KEY) or ""
        with (
            scratch_folder(os.path.dirname(output.uri), "anomalies") as scratch,
            new_file(os.path.join(output.uri, ITEMS_FILE)) as items_file,
            open(items_file, "w", encoding="utf-8") as items,
        ):
            findings = find(
                {
                    split: stats_artifact_utils.load_statistics(statistics, split).proto()
                    for split in splits
                },
                schema,
                Limits(**{f.name: exec_properties[f.name] for f in dataclasses.fields(Limits)}),
                load_previous(previous, splits) if previous else None,
                index=ingest.index_files(artifact_utils.get_single_uri(input_dict[EXAMPLES_KEY])),
                scratch=str(scratch),
                items=items,
            )
        _write(findings, output, splits)
        output.span = statistics.span
        output.set_string_custom_property("compared_with", previous)
        for anomaly in findings.anomalies:
            logging.warning("%s", anomaly.line())
        report(f"{len(findings.anomalies)} anomalies", 1.0)
        if findings.anomalies and exec_properties[ON_ANOMALY_KEY] == FAIL:
            raise CorpusRefused(findings.anomalies, _keep_refused(findings, output.uri))
        if exec_properties.get(KEPT_KEY):
            kept.keep(exec_properties[KEPT_KEY], content_of(input_dict), statistics.uri)


def content_of(input_dict: Mapping[str, list[types.Artifact]]) -> str:
    """What a corpus is: the fingerprint of its examples, or their place where there is none.

    The statistics themselves will not do, since they may differ in the last digits.
    """
    examples = artifact_utils.get_single_instance(input_dict[EXAMPLES_KEY])
    return examples.get_string_custom_property(CONTENT_FINGERPRINT) or examples.uri


def load_previous(uri: str, splits: Sequence[str]) -> Statistics:
    """Reads the statistics of an earlier corpus; splits that it did not have are left out.

    Args:
      uri: the folder of a StatisticsGen's output.
      splits: names of the splits.

    Raises:
      InputError: none of the splits is there.
    """
    paths = {split: posixpath.join(uri, f"Split-{split}", STATISTICS_FILE) for split in splits}
    found = {split: path for split, path in paths.items() if fileio.exists(path)}
    if not found:
        raise InputError(
            "data.previous_statistics must be the folder of a StatisticsGen's output, with "
            f"Split-<name>/{STATISTICS_FILE}. Received: {uri!r}"
        )
    return {split: tfdv.load_stats_binary(path) for split, path in found.items()}


def _write(findings: Findings, output: types.Artifact, splits: Sequence[str]) -> None:
    output.split_names = artifact_utils.encode_split_names(list(splits))
    blessed = {}
    for split in splits:
        folder = artifact_utils.get_split_uri([output], split)
        path = posixpath.join(folder, DEFAULT_FILE_NAME)
        writer_utils.write_anomalies(path, findings.by_split[split])
        blessed[split] = int(not any(a.split in ("", split) for a in findings.anomalies))
    output.set_json_value_custom_property(ARTIFACT_PROPERTY_BLESSED_KEY, blessed)
    io_utils.write_string_file(posixpath.join(output.uri, JSON_FILE), _to_json(findings))


def _keep_refused(findings: Findings, output_uri: str) -> str:
    """Copies the two files to where TFX leaves them; returns the path of the first."""
    node_folder = posixpath.dirname(posixpath.dirname(output_uri))
    kept = posixpath.join(node_folder, REFUSED_FOLDER, posixpath.basename(output_uri))
    io_utils.write_string_file(f"{kept}.json", _to_json(findings))
    shutil.copyfile(posixpath.join(output_uri, ITEMS_FILE), f"{kept}.jsonl")
    return f"{kept}.json"


def _to_json(findings: Findings) -> str:
    values = [dataclasses.asdict(anomaly) for anomaly in findings.anomalies]
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
