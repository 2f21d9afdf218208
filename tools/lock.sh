#!/usr/bin/env bash
# Resolves constraints/base.in, setup.py's ranges and the extras into constraints/base.txt.
# Versions that still fit stay as they are; `tools/lock.sh --upgrade` takes the newest instead.
# Arguments go to `uv pip compile`.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

LOCK=constraints/base.txt
UV=$(find_uv)
PARTIAL=$(mktemp constraints/.base.XXXXXX)
trap 'rm -f "$PARTIAL"' EXIT

# What an output file holds already is what uv prefers.
if [ -f "$LOCK" ]; then
  cp "$LOCK" "$PARTIAL"
fi
# The platform stands here, so that every machine that locks gets the same answer.
"$UV" pip compile constraints/base.in setup.py \
  --extra horovod --extra kubeflow --extra mlflow --extra test --extra dev \
  --python-version 3.10 --python-platform x86_64-manylinux_2_28 \
  --no-annotate --custom-compile-command "make lock" \
  --quiet --output-file "$PARTIAL" "$@" ||
  fail "constraints/base.in and setup.py do not fit together; the lines above say why"
chmod 644 "$PARTIAL"
mv "$PARTIAL" "$LOCK"
say "$(grep -c '==' "$LOCK") packages in $LOCK; make setup installs them"
