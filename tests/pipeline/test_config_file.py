import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config_file, store_uri
from pipeline.config import PipelineConfig
from preprocessing.errors import InputError
from trainer_module.config import TrainConfig

MINIMAL = "data: {path: pictures}\nevaluation: {min_top_1: 0.9}\n"


@pytest.fixture
def minimal(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_epoch=3", "unknown key 'max_epoch' in section 'trainer' (value 3); "
         "did you mean 'max_epochs'?"),
        ("trainers.max_epochs=3", "did you mean 'trainer'?"),
        ("serving.parity_images=3", "unknown key 'parity_images'"),
        ("trainer.max_epochs=three", "trainer.max_epochs: must be a whole number. Received: 'th"),
        ("trainer.max_epochs=0", "trainer.max_epochs: must be 1 or more. Received: 0"),
        ("evaluation.min_top_1=97", "evaluation.min_top_1: must be 1 or less. Received: 97"),
        ("evaluation.min_top_1=null", "a gate needs at least one rule"),
        ("trainer.data_dir=x", "trainer.data_dir is set by the pipeline"),
        ("pipeline.metadata_uri=oracle://x", "metadata_uri: must start with one of sqlite://"),
        ("pipeline.name=My Pipeline", "pipeline.name: must be lower-case letters, digits and hyp"),
        ("pipeline.name=[a, b]", "pipeline.name: must be text; put a number"),
        ("pipeline.enable_cache=3", "pipeline.enable_cache: must be true or false. Received: 3"),
        ("pipeline.no_cache=Trainer", "pipeline.no_cache: must be a list, as in [a, b]"),
        ("data.span=now", "data.span: must be a whole number. Received: 'now'"),
        ("data.class_names_file=2024-01-31", "must be text; put a number, a date, yes or no in "
         "quotes. Received: 2024-01-31"),
        ("data.eval_fraction=null", "data.eval_fraction: must be a number. Received: null"),
        ("data.max_aspect_ratio=.inf", "data.max_aspect_ratio: must be a finite number. Received: "
         ".inf"),
        ("trainer.stall_timeout_secs=.inf", "must be a finite number. Received: .inf"),
        ("trainer.lr_init=nan", "must be a finite number"),
        ("trainer.seed=9223372036854775808", "trainer.seed: must be 9223372036854775807 or less"),
        ("data.seed=9223372036854775808", "data.seed: must be 9223372036854775807 or less"),
        ("trainer.max_epochs=99999999999999999999", "trainer.max_epochs: must be 92233"),
        ("trainer=3", "trainer: must be a section with keys of its own. Received: 3"),
        ("trainer={seed: 1, seed: 2}", "a key must stand once in its section. Received: 'seed'"),
        ("trainer={on: 1}", "a key must be text. Received: true; put it in quotes"),
        ("preprocessing.background=3", "preprocessing.background: a colour must be a CSS name"),
        ("preprocessing.background=[1, 2]", "preprocessing.background: a colour must be"),
        ("trainer.mode=train", "trainer.mode is set by the pipeline, so remove it from the config: "
         "a run always trains and evaluates"),
        ("trainer.num_classes=3", "data.class_names_file can name them. Received: 3"),
        ("trainer.label_offset=1", "data.label_offset is that of the source. Received: 1"),
        ("trainer.seed=2024-02-30", "is not valid YAML: day is out of range for month"),
        ("data.on_anomaly=stop", "data.on_anomaly: must be 'warn' or 'fail'. Received: 'stop'"),
        ("data.max_aspect_ratio=0.5", "data.max_aspect_ratio: must be 1 or more"),
        ("data.min_side_px=30000", "must not be above data.max_side_px. Received: 30000 and 20000"),
        ("pipeline.no_cache=[Trainer]", "'Trainer' is none, did you mean 'HorovodTrainer'?"),
        ("trainer.max_epochs", "--set takes key=value"),
        ("data.path.x=3", "'path' is a value, not a section"),
        ("trainer.seed=[1", "is not valid YAML"),
    ],
)  # fmt: skip
def test_bad_overrides_are_refused_in_one_line(minimal, override, message):
    with pytest.raises(InputError) as error:
        config_file.load(minimal, [override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "trainer: {seed: 1}\ndata: {path: x}\ntrainer:\n  max_epochs: 4\n",
            "line 3: a key must stand once in its section. Received: 'trainer', which is in line 1 "
            "already; keep one of them",
        ),
        (
            "data:\n  path: x\n  seed: 1\n  'path': y\n",
            "line 4: a key must stand once in its section. Received: 'path', which is in line 2",
        ),
        ("beam:\n  args:\n  - {a: 1, a: 2}\n", "line 3: a key must stand once in its section"),
        ("data:\n  path: x\n  yes: 3\n", "line 3: a key must be text. Received: true"),
        ("data:\n  path: x\n  ? [a]\n  : b\n", "line 3: a key must be text. Received: [a]"),
        ("data:\n  path: [x\n", "line 3: is not valid YAML: while parsing a flow sequence"),
        ("data:\n\tpath: x\n", "line 2: is not valid YAML"),
        ("data: {path: x}\n---\ndata: {path: y}\n", "is not valid YAML: expected a single docum"),
        ("data: " + "[" * 10_000, "is not valid YAML: it is nested too deeply"),
        ("- a\n- b\n", "must consist of sections (data, preprocessing, trainer"),
        ("data: {path: x}\nbeam:\n", "evaluation: must be set; it has no default"),
        ("data: {path: x}\nevaluation:\n", "a gate needs at least one rule"),
    ],
)
def test_bad_files_are_refused_in_one_line_with_the_line(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        config_file.load(path)
    assert str(error.value).startswith(f"config {path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_what_yaml_offers_to_say_a_thing_once_is_no_duplicate(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "data: &data {path: x, seed: 1}\nevaluation: {min_top_1: 0.5}\n"
        "trainer: {<<: {seed: 3, max_epochs: 9}, max_epochs: 7}\nbeam:\n"
    )
    loaded = config_file.load(path)
    assert (loaded.trainer.seed, loaded.trainer.max_epochs) == (3, 7)


@given(st.text(max_size=60))
def test_any_text_is_a_config_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError) as error:
        config_file.load(path)
    assert len(str(error.value).splitlines()) == 1


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
_KEYS = [
    f"{section}.{key}"
    for section, field in PipelineConfig.model_fields.items()
    for key in field.annotation.model_fields
]


@given(key=st.sampled_from(_KEYS), value=st.recursive(_SCALARS, st.lists, max_leaves=3))
def test_any_value_is_taken_or_refused_in_the_words_of_the_config(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "minimal.yaml"
    path.write_text(MINIMAL)
    override = f"{key}={yaml.safe_dump(value, default_flow_style=True, width=float('inf'))}"
    said = ""
    try:
        loaded = config_file.load(path, [override])
    except InputError as error:
        said = str(error)
    else:  # what is taken, is JSON as well: so it comes to the trainer
        assert PipelineConfig.model_validate_json(loaded.model_dump_json()) == loaded
    assert len(said.splitlines()) <= 1
    assert not re.search(r"integer|string|\bstr\b|\bdict|NoneType|instance|Input should", said)


def test_overrides_are_read_as_yaml_and_the_last_wins(minimal):
    loaded = config_file.load(
        minimal, ["trainer.lr_init=2e-3", "trainer.max_epochs=9", "trainer.max_epochs=7"]
    )
    assert (loaded.trainer.lr_init, loaded.trainer.max_epochs) == (2e-3, 7)


def test_what_is_dumped_loads_as_the_same(minimal, tmp_path):
    loaded = config_file.load(minimal, ["beam.args=[--a=b]", "evaluation.max_top_1_drop=0.1"])
    path = tmp_path / "dumped.yaml"
    path.write_text(config_file.dump(loaded))
    assert config_file.load(path) == loaded


@pytest.mark.parametrize("content", [b"- a\n- b\n", b"", b"\xff\xfe", b"a: [", b"data: 3\n"])
def test_files_that_are_no_config(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        config_file.load(path)


def test_shipped_configs_are_valid():
    shipped = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
    assert shipped
    for path in shipped:
        config_file.load(path)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:s%40cret@host:5432/meta", "postgresql://me:***@host:5432/meta"),
        ("mysql://me@host/meta", "mysql://me@host/meta"),
        ("sqlite:///a/b.sqlite", "sqlite:///a/b.sqlite"),
        ("", ""),
    ],
)
def test_passwords_are_not_shown(uri, shown):
    assert store_uri.masked(uri) == shown


def test_the_published_recipe_is_the_default_of_the_trainer():
    shipped = config_file.load(
        Path(__file__).parents[2] / "configs" / "imagenet_8gpu.yaml"
    ).trainer.model_dump()
    ours = TrainConfig().model_dump()
    # What stands in the recipe because of its hardware, its schedule and its files.
    own = {"num_processes", "use_amp", "use_xla", "train_batch_size", "eval_batch_size"}
    own |= {"n_stages", "stage_schedule", "crop_min_area", "raug_magnitude"}
    own |= {"save_checkpoint_freq", "eval_freq"}
    assert {name for name in shipped if shipped[name] != ours[name]} == own
