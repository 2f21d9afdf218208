"""The command line of the trainer."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainings import flags_of

from preprocessing.errors import InputError
from trainer_module import __main__, flags
from trainer_module.config import TrainConfig


@given(
    use_xla=st.booleans(),
    lr_init=st.floats(1e-8, 10),
    max_epochs=st.integers(1, 10**6),
    data_dir=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")),
)
def test_arguments_give_the_config_back(use_xla, lr_init, max_epochs, data_dir):
    config = TrainConfig(use_xla=use_xla, lr_init=lr_init, max_epochs=max_epochs, data_dir=data_dir)
    assert flags.parse(flags_of(config)) == config


def test_booleans_need_no_value():
    assert flags.parse(["--use_amp", "--seed", "3"]).use_amp
    assert not flags.parse(["--random_flip", "false"]).random_flip


@pytest.mark.parametrize(
    ("arguments", "warm_up"),
    [
        ([], 5.0),
        (["--max_epochs", "4"], 0.8),
        (["--max_epochs", "1"], 0.2),
        (["--max_epochs", "26"], 5.0),
        (["--max_epochs", "4", "--lr_warmup_epochs", "4"], 4.0),
        (["--max_epochs", "4", "--lr_warmup_epochs", "0"], 0.0),
    ],
)
def test_the_default_warm_up_is_at_most_a_fifth_of_the_epochs(arguments, warm_up):
    assert flags.parse(arguments).lr_warmup_epochs == pytest.approx(warm_up)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max_epoch", "3"], "did you mean --max_epochs"),
        (["--max_epochs", "many"], "max_epochs.*'many'"),
        (["--max_epochs", "0"], "max_epochs: must be 1 or more. Received: 0"),
        (["--lr_init", "[1"], "command line: --lr_init: is not valid YAML"),
        (["--seed", "9223372036854775808"], "seed: must be 9223372036854775807 or less"),
        (["--optimizer", "adagrad"], "'rmsprop', 'sgd', 'adam', 'adamw' or 'lamb'"),
        (["--train_batch_size", "10", "--grad_accum_steps", "3"], "must divide"),
        (["--max_epochs", "0"], r"^(?!.*and \d+ more)"),  # one mistake, told once
        (
            ["--max_epochs", "2", "--lr_warmup_epochs", "5"],
            "lr_warmup_epochs must not exceed max_epochs. Received: 5.0 and 2",
        ),
    ],
)
def test_refuses_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        flags.parse(arguments)
    assert "\n" not in str(caught.value)


def test_exit_status_of_bad_input(tmp_path, capsys):
    assert __main__.main(["--model_dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: --data_dir is required\n"
    arguments = ["--model_dir", str(tmp_path / "model"), "--data_dir", str(tmp_path)]
    command = [sys.executable, "-m", "trainer_module", *arguments]
    environment = {name: value for name, value in os.environ.items() if "TF_CPP" not in name}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "labels.txt" in line
    assert not (tmp_path / "model").exists()
