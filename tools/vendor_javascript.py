"""Fetches the JavaScript libraries that are embedded in pages, from the npm registry.

  python tools/vendor_javascript.py            writes pipeline/report/vendor/
  python tools/vendor_javascript.py --check    are its files those of libraries.json? (no network)

`libraries.json` says which package, version and file, and the SHA-256 of each. For another version:
change it there, run this, and put in the checksums that it names once you trust them. Needs `npm`.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "pipeline" / "report" / "vendor"
LIST = "libraries.json"


def main() -> int:
    """Returns the exit status: 1 if a file is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    libraries = json.loads((FOLDER / LIST).read_text(encoding="utf-8"))
    if not args.check:
        for library in libraries:
            _fetch(library)
    wrong = list(problems(FOLDER, libraries))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def problems(folder: Path, libraries: list[dict]) -> Iterator[str]:
    """A line for each file that is missing, or has another checksum."""
    for library in libraries:
        for file in library["files"]:
            path = folder / file["name"]
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"
            if found != file["sha256"]:
                yield f"{path} must have the SHA-256 {file['sha256']}. Received: {found}"


def _fetch(library: dict) -> None:
    """Takes a library's files out of its package."""
    name = f"{library['package']}@{library['version']}"
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            for file in library["files"]:
                member = package.extractfile(f"package/{file['path']}")
                if member is None:
                    raise SystemExit(f"{name} has no file {file['path']}")
                (FOLDER / file["name"]).write_bytes(member.read())


if __name__ == "__main__":
    sys.exit(main())
