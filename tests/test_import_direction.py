"""Holds the import direction between folders, and that no imports go in a circle.

Imports inside functions and for type hints count like all others.
"""

import graphlib

import own_code
import pytest

# `folder` means the files in it and `folder.*` those below as well; `folder.module` one file.
CONTRACT = ("preprocessing.features", "preprocessing.errors", "preprocessing.text")
SETTINGS = (
    "preprocessing.settings",
    "preprocessing.yaml_values",
    "preprocessing.field_text",
    "preprocessing.command_line",
)
SHARED = (
    *CONTRACT,
    *SETTINGS,
    "preprocessing.problems",
    "preprocessing.failures",
    "preprocessing.files",
    "preprocessing.lean_import",
)
# What others may use of the trainer where they do not run it.
TRAINER_FILES = (
    "trainer_module.serving.export_files",
    "trainer_module.serving.signatures",
    "trainer_module.top_k",
)
ALLOWED = {
    "preprocessing.files": ("preprocessing.errors", "preprocessing.text"),
    "preprocessing.images": CONTRACT,
    "preprocessing.sources": SHARED,
    "preprocessing.ingest": (*SHARED, "preprocessing.images", "preprocessing.sources"),
    "preprocessing.stage": (*SHARED, "preprocessing.images", "preprocessing.ingest"),
    "preprocessing": ("preprocessing.*",),
    "trainer_module.network": SHARED,
    "trainer_module.decoding": CONTRACT,
    "trainer_module.data": (
        *SHARED,
        "trainer_module.decoding",
        "trainer_module.config",
        "trainer_module.seeds",
        "trainer_module.stages",
        "trainer_module.distributed",
    ),
    "trainer_module.serving": (
        *SHARED,
        "trainer_module.network",
        "trainer_module.decoding",
        "trainer_module.data",
        "trainer_module.config",
        "trainer_module.top_k",
    ),
    "trainer_module.job": (
        *SHARED,
        "trainer_module.config",
        "trainer_module.flags",
        "trainer_module.run_files",
        "trainer_module.stages",
    ),
    "trainer_module": (*SHARED, "trainer_module.*"),
    "components": (*SHARED, *TRAINER_FILES),
    "components.evaluator": ("components", *SHARED, *TRAINER_FILES),
    # It names files, which the index of the ingestion has.
    "components.example_validator": ("components", *SHARED, "preprocessing.ingest"),
    "components.horovod_trainer": ("components", *SHARED, "trainer_module.*"),
    "components.image_example_gen": (
        "components",
        *SHARED,
        "preprocessing.ingest",
        "preprocessing.sources",
    ),
    "components.image_preprocessor": ("components", "preprocessing.*"),
    "components.import_schema_gen": ("components", *SHARED),
    "components.latest_blessed_model": ("components", *SHARED),
    "components.pusher": ("components", *SHARED),
    "components.serving_validator": ("components", *SHARED, *TRAINER_FILES),
    "components.statistics_gen": ("components", *SHARED),
    "pipeline.mlmd": ("components", *SHARED, "pipeline"),
    "pipeline.cache": ("components", *SHARED, "pipeline", "pipeline.mlmd"),
    "pipeline.report": ("components.*", "preprocessing.*", "pipeline", "pipeline.report.sections"),
    "pipeline.report.sections": (
        "components.*",
        "preprocessing.*",
        "pipeline",
        "pipeline.report",
    ),
    "pipeline.inference": ("components", "preprocessing.*", "pipeline", *TRAINER_FILES),
    "pipeline.runner": (
        "components",
        "preprocessing.*",
        "pipeline",
        "pipeline.cache",
        "pipeline.mlmd",
        "pipeline.report",
    ),
    "pipeline": (
        "components.*",
        "preprocessing.*",
        "trainer_module.config",
        "trainer_module.flags",
        "trainer_module.job.host_name",
        *TRAINER_FILES,
        "pipeline.mlmd",
    ),
    # Edges: what a person starts.
    "pipeline.cli": (
        "preprocessing.*",
        "trainer_module.flags",
        "pipeline.*",
        "lineage.*",
        "kubeflow.*",
    ),
    "pipeline.commands": (
        "components.*",
        "preprocessing.*",
        "trainer_module.*",
        "pipeline.*",
        "lineage.*",
        "kubeflow.*",
    ),
    "lineage": tuple(f"{package}.*" for package in own_code.PACKAGES),
    "kubeflow": tuple(f"{package}.*" for package in own_code.PACKAGES),
}
# A folder whose programs run without some libraries, whatever they import of ours.
WITHOUT = {
    "preprocessing": {"tfx"},
    "trainer_module": {"tfx", "apache_beam"},
    "trainer_module.job": {"tensorflow", "tf_keras", "keras", "horovod", "tfx", "apache_beam"},
}
ONLY_IMPORTER = {"horovod": "trainer_module.distributed"}


def rule_of(module: str) -> tuple[str, ...] | None:
    """The entry of `ALLOWED` for a module: its own, its folder's, or for edges their package's."""
    folder = own_code.folder(module)
    top = module.partition(".")[0]
    edge = ALLOWED[top] if top in ("lineage", "kubeflow") else None
    return ALLOWED.get(module) or ALLOWED.get(folder) or edge


def allows(rule: tuple[str, ...], module: str) -> bool:
    """Whether an entry has the module, its folder, or with an asterisk one above."""
    if module in rule or own_code.folder(module) in rule:
        return True
    above = [entry.removesuffix("*") for entry in rule if entry.endswith(".*")]
    return any(f"{module}.".startswith(prefix) for prefix in above)


def wrong_imports(module: str, names: set[str]) -> list[str]:
    """Those of the names that a module imports and must not."""
    rule = rule_of(module)
    assert rule is not None, f"ALLOWED needs an entry for the folder {own_code.folder(module)}"
    wrong = []
    for name in sorted(names):
        target = own_code.module_of(name)
        if target is None:
            is_allowed = ONLY_IMPORTER.get(name.partition(".")[0], module) == module
        else:
            is_allowed = own_code.folder(target) == own_code.folder(module) or allows(rule, target)
        if not is_allowed:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("module", own_code.modules())
def test_direction(module):
    assert wrong_imports(module, own_code.imports_of(module)) == []


def test_no_circle():
    graph = {module: own_code.own_imports_of(module) for module in own_code.modules()}
    assert len(graph) > 100
    graphlib.TopologicalSorter(graph).prepare()  # a CycleError names the modules


@pytest.mark.parametrize("folder", WITHOUT)
def test_libraries_that_a_folder_does_without(folder):
    starts = [name for name in own_code.modules() if f"{name}.".startswith(f"{folder}.")]
    assert starts
    assert list(own_code.importers_of(WITHOUT[folder], starts)) == []


def test_the_contract_imports_nothing():
    assert own_code.imports_of("preprocessing.features") == set()
    assert own_code.own_imports_of("preprocessing.errors") == {"preprocessing.text"}
    assert own_code.own_imports_of("preprocessing.text") == set()


def test_packages_import_nothing():
    # It would run before every module below, and no entry above would see it.
    packages = [name for name, path in own_code.modules().items() if path.name == "__init__.py"]
    assert len(packages) > 20
    assert [name for name in packages if own_code.imports_of(name)] == []


def test_every_entry_is_of_something_that_is_there():
    known = set(own_code.modules()) | set(own_code.PACKAGES)
    assert set(ALLOWED) <= known
    for rule in ALLOWED.values():
        assert {entry.removesuffix(".*") for entry in rule} <= known
    assert set(ONLY_IMPORTER.values()) <= known


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("preprocessing.transform", "import trainer_module.network.model"),
        ("preprocessing.files.digest", "from preprocessing import features"),
        ("trainer_module.loop", "from preprocessing.images import image_ops"),
        ("trainer_module.loop", "from preprocessing.stage.beam_stage import preprocess"),
        ("trainer_module.loop", "import horovod.tensorflow as hvd"),
        ("trainer_module.job.watchdog", "from ..network import model"),
        ("trainer_module.data.eval_image", "def f():\n    from trainer_module import loop"),
        ("components.pusher.executor", "from pipeline.config import PipelineConfig"),
        ("components.pusher.executor", "from ...pipeline import config"),
        ("components.pusher.executor", "from components.evaluator import gate"),
        ("components.evaluator.gate", "from trainer_module.training import Training"),
        (
            "pipeline.report.page",
            "if TYPE_CHECKING:\n    from pipeline.runner.session import Session",
        ),
        ("pipeline.pipeline", "from pipeline.commands import run"),
    ],
)
def test_wrong_imports_are_seen(module, source):
    names = own_code.imported_names(source, own_code.folder(module))
    assert wrong_imports(module, names) != []


def test_a_library_that_comes_through_others_is_seen():
    found = list(own_code.importers_of({"pydantic"}, ["trainer_module.job.supervisor"]))
    chains = [line.partition(":")[0].split(" <- ") for line in found]
    # Which way the search goes first does not matter.
    assert "trainer_module.config" in {chain[0] for chain in chains}
    assert {chain[-1] for chain in chains} == {"trainer_module.job.supervisor"}
