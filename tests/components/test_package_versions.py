"""Versions of what is really installed here."""

import importlib.metadata

from components.package_versions import imported_versions, versions


def test_imports_become_packages_with_their_versions():
    found = imported_versions({"numpy", "numpy.random", "PIL.Image", "os.path", "google.protobuf"})
    assert found == {
        name: importlib.metadata.version(name) for name in ("numpy", "pillow", "protobuf")
    }
    assert list(found) == sorted(found)


def test_what_is_not_installed_counts_as_that():
    assert imported_versions({"absent_package.module"}) == {"absent_package": "none"}
    assert versions(["tfx", "absent-package"]) == {
        "absent-package": "none",
        "tfx": importlib.metadata.version("tfx"),
    }
