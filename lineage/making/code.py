"""The own code that runs: digests of its files, and the git commit."""

import hashlib
import os
import subprocess
from pathlib import Path

from lineage.record.parts import Code
from preprocessing.files.code_digest import OWN_PACKAGES, ROOT
from preprocessing.files.digest import sha256_of

# Every checkout has it.
_OWN_FILE = "pipeline/cli.py"
_MAX_CHANGED = 50
_GIT_TIMEOUT_SECS = 20


def read(root: Path = ROOT) -> Code:
    """Looks at the code below a folder as it is now.

    Args:
      root: the folder that holds the own packages.
    """
    files = digests(root)
    lines = "".join(f"{digest} {name}\n" for name, digest in files.items())
    digest = hashlib.sha256(lines.encode()).hexdigest()
    try:
        commit, changed = _git_state(root)
    except _NoCommit as reason:
        return Code(digest=digest, why_no_commit=str(reason), files=files)
    return Code(
        digest=digest,
        commit=commit,
        dirty=bool(changed),
        changed=changed[:_MAX_CHANGED],
        files=files,
    )


def digests(root: Path) -> dict[str, str]:
    """The digest of each own source file by its path below `root`, in order."""
    found = {}
    for package in sorted(OWN_PACKAGES):
        for path in sorted((root / package).rglob("*.py")):
            with path.open("rb") as file:
                found[path.relative_to(root).as_posix()] = sha256_of(file)
    return found


class _NoCommit(Exception):
    """The code is of no commit that can be told."""


def _git_state(root: Path) -> tuple[str, list[str]]:
    """The commit, and the files that differ from it.

    Files that git does not know count where they are own code: they may be imported.
    """
    # The checkout of another project may lie around an installed copy of this one.
    if not _git(root, "ls-files", "--", _OWN_FILE).strip():
        raise _NoCommit("the code does not lie in a git checkout of its own")
    commit = _git(root, "rev-parse", "HEAD").strip()
    tracked = _git(root, "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
    new = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *_packages(root))
    changed = [entry[3:] for entry in tracked.split("\0") if entry]
    return commit, sorted({*changed, *(name for name in new.split("\0") if name)})


def _packages(root: Path) -> list[str]:
    return [name for name in sorted(OWN_PACKAGES) if (root / name).is_dir()]


def _git(root: Path, *arguments: str) -> str:
    # Asking must not write: a lock on the index would be in the way of whoever works there.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            timeout=_GIT_TIMEOUT_SECS,
            env=environment,
        )
    except FileNotFoundError:
        raise _NoCommit("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise _NoCommit(f"git did not answer within {_GIT_TIMEOUT_SECS} s") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _NoCommit(f"git says: {lines[0] if lines else f'exit status {done.returncode}'}")
    return done.stdout.decode("utf-8", "surrogateescape")
