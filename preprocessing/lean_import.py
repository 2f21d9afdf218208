"""Imports TensorFlow without what Keras loads for use in notebooks only.

`import tensorflow` imports Keras 3, and that imports matplotlib, IPython and scikit-learn wherever
they are installed: for a gallery of pictures, an editor of weight files and wrappers, all of which
do without. TFX's dependencies install all three, nothing here uses them through Keras, and they are
half of the processor time of the import, which each rank and command pays
(`benchmarks/tensorflow_import.py`). Programs call `install` before they import anything else.
"""

import importlib.abc
import sys

_NOT_NEEDED = frozenset({"IPython", "matplotlib", "sklearn"})


class _WithoutNotebooks(importlib.abc.MetaPathFinder):
    """Says that a module is not installed, while TensorFlow is being imported and only then."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in _NOT_NEEDED and _is_being_imported("tensorflow"):
            raise ModuleNotFoundError(f"{fullname} is kept from Keras", name=fullname)
        return None  # noqa: RET501 - what the protocol of finders says


def _is_being_imported(name: str) -> bool:
    # What Python's own import system knows a module by that is not complete yet.
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return getattr(spec, "_initializing", False)


def install() -> None:
    """Makes the first import of TensorFlow in this process a lean one."""
    if not any(isinstance(finder, _WithoutNotebooks) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutNotebooks())
