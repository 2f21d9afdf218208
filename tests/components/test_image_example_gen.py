"""ImageExampleGen as TFX runs it: spans, the cache, and without a driver."""

import os

import pytest
from PIL import Image
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import standard_artifacts

from components.image_example_gen import executor
from components.image_example_gen.component import ImageExampleGen
from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import records
from preprocessing.ingest import ingest


def write_corpus(folder, count, names=("ant", "bee")):
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB", (8, 8), (number * 5, label * 80, 7))
            image.save(folder / name / f"{number}.png")
    return folder


def run(root, path, **options):
    examples = ImageExampleGen(path=str(path), eval_fraction=0.3, seed=1, **options)
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="data",
            pipeline_root=str(root / "artifacts"),
            components=[examples],
            metadata_connection_config=connection,
            enable_cache=True,
            beam_pipeline_args=["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        )
    )
    with metadata.Metadata(connection) as handle:
        execution = max(handle.store.get_executions(), key=lambda item: item.id)
        events = handle.store.get_events_by_execution_ids([execution.id])
        artifacts = handle.store.get_artifacts_by_id([event.artifact_id for event in events])
    return metadata.metadata_store_pb2.Execution.State.Name(execution.last_known_state), artifacts


def test_the_cache_sees_new_spans_and_versions(tmp_path):
    write_corpus(tmp_path / "span-1" / "v1", 10)
    pattern = tmp_path / "span-{SPAN}" / "v{VERSION}"

    def span_and_version(state, artifacts):
        assert len(artifacts) == 2  # examples and image_facts
        (found,) = {
            (a.custom_properties["span"].int_value, a.custom_properties["version"].int_value)
            for a in artifacts
        }
        return state, found

    assert span_and_version(*run(tmp_path, pattern)) == ("COMPLETE", (1, 1))
    assert span_and_version(*run(tmp_path, pattern)) == ("CACHED", (1, 1))
    write_corpus(tmp_path / "span-1" / "v2", 11)
    assert span_and_version(*run(tmp_path, pattern)) == ("COMPLETE", (1, 2))
    write_corpus(tmp_path / "span-2" / "v1", 12)
    assert span_and_version(*run(tmp_path, pattern)) == ("COMPLETE", (2, 1))
    assert span_and_version(*run(tmp_path, pattern, span=1)) == ("CACHED", (1, 2))
    assert span_and_version(*run(tmp_path, pattern)) == ("CACHED", (2, 1))


def test_the_cache_sees_settings_and_class_names(tmp_path):
    lines = ["path,label"]
    write_corpus(tmp_path / "pictures", 10, names=("0", "1"))
    for name in "01":
        lines += [f"pictures/{name}/{number}.png,{name}" for number in range(10)]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    names = tmp_path / "names.txt"
    names.write_text("ant\nbee\n")

    def classes(**options):
        state, artifacts = run(tmp_path, tmp_path / "list.csv", **options)
        (uri,) = {a.uri for a in artifacts if "/examples/" in a.uri}
        return state, {e["class"] for f in ingest.index_files(uri) for e in ingest.read_index(f)}

    assert classes() == ("COMPLETE", {"0", "1"})
    given = {"format": "manifest", "class_names_file": str(names)}
    assert classes(**given) == ("COMPLETE", {"ant", "bee"})
    assert classes(**given) == ("CACHED", {"ant", "bee"})
    names.write_text("bee\nant\n")
    assert classes(**given)[0] == "COMPLETE"
    os.utime(tmp_path / "pictures" / "0" / "3.png", ns=(5, 5))
    assert classes(**given)[0] == "COMPLETE"


def test_wrong_corpora_are_refused(tmp_path):
    write_corpus(tmp_path / "1", 10)
    for path, options in [
        (tmp_path / "{SPAN}", {"span": 2}),
        (tmp_path / "1", {"span": 2}),
        (tmp_path / "1", {"format": "webdataset"}),
        (tmp_path / "nothing", {}),
    ]:
        with pytest.raises(InputError) as caught:
            run(tmp_path, path, **options)
        assert "\n" not in str(caught.value)


def test_without_a_driver_the_executor_finds_the_span(tmp_path, artifact):
    write_corpus(tmp_path / "3", 10)
    write_corpus(tmp_path / "20", 12)
    outputs = {
        key: [artifact(standard_artifacts.Examples, tmp_path / key)]
        for key in ("examples", "image_facts")
    }
    properties = {
        "path": str(tmp_path / "{SPAN}"),
        "format": "auto",
        "label_offset": 0,
        "class_names_file": "",
        "eval_fraction": 0.3,
        "seed": 1,
    }
    executor.Executor().Do({}, outputs, properties)
    for (made,) in outputs.values():
        assert made.get_int_custom_property("span") == 20
        assert not made.has_custom_property("version")
        assert made.split_names == '["train", "eval"]'
    shards = (tmp_path / "examples").glob("Split-*/*")
    found = [records.parse_record(r) for shard in shards for r in records.read_records(str(shard))]
    assert len(found) == 24
    assert all(f"{tmp_path}/20/" in values[features.FILENAME].decode() for values in found)
