"""TensorFlow without what Keras loads for notebooks."""

import json
import os
import subprocess
import sys

from preprocessing import lean_import
from trainer_module.job.python_command import run_module

HEAVY = ["IPython", "matplotlib", "sklearn"]
PROGRAM = f"""
import json, sys
import tensorflow as tf
from trainer_module import loop
found = [name for name in {HEAVY} if name in sys.modules]
import IPython, matplotlib, sklearn  # what was kept from Keras is there for everybody else
answers = tf.keras.Sequential([tf.keras.layers.Dense(2)])(tf.ones([1, 3]))
print(json.dumps([found, answers.shape.as_list()]))
"""


def test_processes_of_a_training_do_not_load_what_keras_has_for_notebooks(tmp_path):
    (tmp_path / "a_rank.py").write_text(PROGRAM)
    done = subprocess.run(
        run_module("a_rank"),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert json.loads(done.stdout) == [[], [1, 2]]


def test_it_is_installed_once():
    lean_import.install()
    installed = list(sys.meta_path)
    lean_import.install()
    assert sys.meta_path == installed
