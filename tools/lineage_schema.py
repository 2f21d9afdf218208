"""Writes the JSON schema of `lineage.json`; with --check, says whether it is up to date."""

import argparse
import json
import sys
from pathlib import Path

from lineage.record.run import VERSION, Run

FILE = Path(__file__).resolve().parents[1] / "lineage" / "schema" / f"lineage-{VERSION}.json"


def text() -> str:
    """The whole schema."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Run.model_json_schema()}
    return json.dumps(schema, indent=1) + "\n"


def main() -> int:
    """Writes or compares it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        FILE.write_text(text(), encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == text():
        return 0
    print(f"{FILE.name} is not what the classes say; `make docs` writes it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
