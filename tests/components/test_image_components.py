"""ImageExampleGen and ImagePreprocessor as TFX runs them, with the stock nodes between them."""

import json
import os
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_transform as tft
from PIL import Image
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.image_example_gen.component import ImageExampleGen
from components.image_preprocessor.component import ImagePreprocessor
from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import records

CLASSES = ["ant", "bee", "çiçek"]


def write_corpus(folder):
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            image = Image.new("RGB", (20 + number, 16), (number * 20, label * 80, 7))
            image.save(folder / name / f"picture {number}.png")
    (folder / "ant" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "ant" / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    return folder


def run(corpus, root, max_bad_fraction=0.1):
    examples = ImageExampleGen(path=str(corpus), eval_fraction=0.1, seed=1)
    statistics = StatisticsGen(examples=examples.outputs["examples"])
    schema = SchemaGen(statistics=statistics.outputs["statistics"], infer_feature_shape=True)
    anomalies = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    preprocessor = ImagePreprocessor(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        max_side_px=16,
        max_bad_fraction=max_bad_fraction,
    )
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="data",
            pipeline_root=str(root / "artifacts"),
            components=[examples, statistics, schema, anomalies, preprocessor],
            metadata_connection_config=connection,
            enable_cache=True,
            beam_pipeline_args=["--direct_running_mode=in_memory", "--direct_num_workers=1"],
        )
    )
    return connection


def executions(connection):
    """(node, state) of every execution so far, and the artifacts by type."""
    states = metadata.metadata_store_pb2.Execution.State
    with metadata.Metadata(connection) as handle:
        store = handle.store
        types = {kind.id: kind.name for kind in store.get_execution_types()}
        found = [
            (types[item.type_id].rpartition(".")[2], states.Name(item.last_known_state))
            for item in store.get_executions()
        ]
        kinds = {kind.id: kind.name for kind in store.get_artifact_types()}
        artifacts = [(kinds[item.type_id], item) for item in store.get_artifacts()]
    return found, artifacts


def uri(artifacts, kind, producer=""):
    (found,) = (a.uri for name, a in artifacts if name == kind and producer in a.uri)
    return Path(found)


@pytest.fixture(scope="module")
def data_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("data_run")
    corpus = write_corpus(root / "corpus")
    return corpus, root, run(corpus, root)


def test_outputs_are_what_the_next_nodes_read(data_run):
    _, artifacts = executions(data_run[2])
    dataset = uri(artifacts, "Examples", "ImagePreprocessor")
    assert (dataset / features.CLASS_NAMES_FILE).read_text(encoding="utf-8").split() == CLASSES
    counts = json.loads((dataset / "counts.json").read_text())
    assert (counts["seen"], counts["used"], counts["quarantined"]) == (38, 36, 2)
    assert [path.name for path in (dataset / "Split-eval").iterdir()] == ["eval-00000-of-00001"]
    reasons = {
        Path(entry["uri"]).name: entry["reason"]
        for entry in map(
            json.loads,
            (uri(artifacts, "Quarantine") / "quarantine.jsonl").read_text().splitlines(),
        )
    }
    assert reasons == {"broken.jpg": "damaged or truncated", "gone.jpg": "unreadable file"}


def test_statistics_stand_with_records_and_graph(data_run):
    _, artifacts = executions(data_run[2])
    dataset = uri(artifacts, "Examples", "ImagePreprocessor")
    graph = uri(artifacts, "TransformGraph")
    for name in (features.STATISTICS_FILE, features.CLASS_FREQUENCIES_FILE):
        assert (graph / name).read_bytes() == (dataset / name).read_bytes()
    statistics = json.loads((graph / features.STATISTICS_FILE).read_text(encoding="utf-8"))
    assert [entry["name"] for entry in statistics["classes"]] == CLASSES
    used = [sum(entry["images"].values()) for entry in statistics["classes"]]
    assert used == [12, 12, 12]


def test_stock_nodes_accept_a_shard_without_records(data_run):
    _, artifacts = executions(data_run[2])
    source = uri(artifacts, "Examples", "ImageExampleGen/examples/")
    sizes = [path.stat().st_size for path in (source / "Split-eval").iterdir()]
    assert 0 in sizes
    assert sum(sizes) > 0
    folder = uri(artifacts, "ExampleStatistics") / "Split-eval"
    statistics = tfdv.load_stats_binary(str(next(folder.iterdir())))
    dataset = uri(artifacts, "Examples", "ImagePreprocessor")
    counts = json.loads((dataset / "counts.json").read_text())
    assert statistics.datasets[0].num_examples == counts["splits"]["eval"]["seen"]


def test_facts_say_what_the_source_records_hold(data_run):
    _, artifacts = executions(data_run[2])
    source = uri(artifacts, "Examples", "ImageExampleGen/examples/")
    facts = uri(artifacts, "Examples", "ImageExampleGen/image_facts/")
    shards = sorted(path.relative_to(source) for path in source.glob("Split-*/*"))
    assert sorted(path.relative_to(facts) for path in facts.glob("Split-*/*")) == shards
    for shard in shards:
        pairs = zip(
            records.read_records(str(source / shard)),
            records.read_records(str(facts / shard)),
            strict=True,
        )
        for record, fact in ((records.parse_record(a), records.parse_record(b)) for a, b in pairs):
            assert fact[features.NUM_BYTES] == len(record[features.ENCODED])
            assert fact[features.CLASS_TEXT] == record[features.CLASS_TEXT]
            assert features.ENCODED not in fact
            if features.WIDTH in record:
                aspect = record[features.WIDTH] / record[features.HEIGHT]
                assert fact[features.ASPECT_RATIO] == pytest.approx(aspect)
                assert fact[features.FORMAT] == b"png"
            else:
                assert features.ASPECT_RATIO not in fact


def test_transform_graph_gives_the_labels_of_the_records(data_run):
    _, artifacts = executions(data_run[2])
    graph = tft.TFTransformOutput(str(uri(artifacts, "TransformGraph")))
    assert [
        name.decode() for name in graph.vocabulary_by_name(features.CLASS_VOCABULARY)
    ] == CLASSES
    shards = sorted(map(str, uri(artifacts, "Examples", "ImagePreprocessor").glob("Split-*/*")))
    keys = {
        features.CLASS_TEXT: tf.io.FixedLenFeature([], tf.string),
        features.LABEL: tf.io.FixedLenFeature([], tf.int64),
    }
    batch = next(iter(tf.data.TFRecordDataset(shards).batch(100)))
    parsed = tf.io.parse_example(batch, keys)
    labels = graph.transform_raw_features({features.CLASS_TEXT: parsed[features.CLASS_TEXT]})
    assert labels[features.LABEL].dtype == tf.int64
    assert labels[features.LABEL].numpy().tolist() == parsed[features.LABEL].numpy().tolist()
    assert set(labels[features.LABEL].numpy()) == {0, 1, 2}
    unknown = graph.transform_raw_features({features.CLASS_TEXT: tf.constant(["wasp"])})
    assert unknown[features.LABEL].numpy().tolist() == [-1]


def test_cache_sees_changed_images_only(data_run):
    corpus, root, connection = data_run
    run(corpus, root)
    found, _ = executions(connection)
    assert found.count(("ImageExampleGen", "CACHED")) == 1
    assert found.count(("ImagePreprocessor", "CACHED")) == 1
    picture = corpus / "bee" / "picture 3.png"
    Image.new("RGB", (30, 30), "red").save(picture)
    os.utime(picture, ns=(1, 1))
    run(corpus, root)
    found, _ = executions(connection)
    assert found.count(("ImageExampleGen", "COMPLETE")) == 2
    assert found.count(("ImagePreprocessor", "COMPLETE")) == 2


def test_too_many_bad_images_stop_the_run_and_leave_the_quarantine(tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    with pytest.raises(InputError, match=r"max_bad_fraction.*2 of 38.*broken\.jpg") as caught:
        run(corpus, tmp_path, max_bad_fraction=0.01)
    assert "\n" not in str(caught.value)
    path = Path(str(caught.value).rpartition("all of them: ")[2])
    assert len(path.read_text().splitlines()) == 2
    assert not list((tmp_path / "artifacts").glob("ImagePreprocessor/transformed_examples/*/*"))


def test_an_unusable_folder_is_refused_before_anything_runs(tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    for name in CLASSES[1:]:
        (corpus / name).rename(tmp_path / name)
    with pytest.raises(InputError, match=r"at least two sub-folders.*'ant'"):
        run(corpus, tmp_path)
    assert not list((tmp_path / "artifacts").glob("ImageExampleGen/examples/*/*"))
