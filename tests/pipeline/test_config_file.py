from pathlib import Path

import pytest

from pipeline import config_file
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
        ("trainer.max_epochs=three", "trainer.max_epochs: Input should be a valid integer"),
        ("trainer.max_epochs=0", "trainer.max_epochs: Input should be greater than or equal to 1"),
        ("evaluation.min_top_1=97", "evaluation.min_top_1: Input should be less than or equal"),
        ("evaluation.min_top_1=null", "a gate needs at least one rule"),
        ("trainer.data_dir=x", "trainer.data_dir is set by the pipeline"),
        ("pipeline.metadata_uri=oracle://x", "metadata_uri must start with one of sqlite://"),
        ("pipeline.name=My Pipeline", "pipeline.name"),
        ("data.on_anomaly=stop", "data.on_anomaly: Input should be 'warn' or 'fail'"),
        ("data.max_aspect_ratio=0.5", "data.max_aspect_ratio: Input should be greater than or"),
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
    assert config_file.masked(uri) == shown


def test_the_published_recipe_is_the_default_of_the_trainer():
    shipped = config_file.load(
        Path(__file__).parents[2] / "configs" / "imagenet_8gpu.yaml"
    ).trainer.model_dump()
    ours = TrainConfig().model_dump()
    # What stands in the recipe because of its hardware, its schedule and its files.
    own = {"num_processes", "use_amp", "use_xla", "train_batch_size", "eval_batch_size"}
    own |= {"n_stages", "raug_magnitude", "save_checkpoint_freq", "eval_freq"}
    assert {name for name in shipped if shipped[name] != ours[name]} == own
