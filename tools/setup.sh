#!/usr/bin/env bash
# Builds .venv from a lock file: uv, a Python 3.10, every pinned package, Horovod from source.
# Runs again only when something that it depends on has changed; else it ends at once.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
LOCK=constraints/base.txt
UV_VERSION=0.13.9
STAMP=$VENV/.setup-stamp
# Build switches of Horovod. Set them before `make setup` to build for GPUs (docs/operations.md).
export HOROVOD_WITH_TENSORFLOW=${HOROVOD_WITH_TENSORFLOW:-1}
export HOROVOD_WITHOUT_PYTORCH=${HOROVOD_WITHOUT_PYTORCH:-1}
export HOROVOD_WITHOUT_MXNET=${HOROVOD_WITHOUT_MXNET:-1}
export HOROVOD_WITH_GLOO=${HOROVOD_WITH_GLOO:-1}
if [ -z "${HOROVOD_WITH_MPI:-}" ]; then
  export HOROVOD_WITHOUT_MPI=${HOROVOD_WITHOUT_MPI:-1}
fi

fail() { echo "setup: $1" >&2; exit 2; }
say() { echo "setup: $1"; }

fingerprint() {
  { cat setup.py "$LOCK" tools/setup.sh; env | grep '^HOROVOD_' | sort; pwd; } | sha256sum | cut -d' ' -f1
}

if [ -x "$VENV/bin/python" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ]; then
  exit 0
fi

# What Horovod is compiled with. Told before anything is downloaded.
command -v g++ >/dev/null || fail "no C++ compiler found (g++); install it: apt-get install g++"
command -v cmake >/dev/null || fail "cmake not found; install it: apt-get install cmake"
command -v make >/dev/null || fail "make not found; install it: apt-get install make"
command -v python3 >/dev/null || fail "python3 not found; install it: apt-get install python3 python3-venv"

find_uv() {
  if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    command -v uv
    return
  fi
  if [ ! -x .tools/uv/bin/uv ]; then
    rm -rf .tools/uv
    if python3 -c 'import ensurepip' 2>/dev/null; then
      python3 -m venv .tools/uv >&2
      .tools/uv/bin/python -m pip install --quiet "uv==$UV_VERSION" >&2
    elif python3 -m pip --version >/dev/null 2>&1; then
      python3 -m pip install --quiet --target .tools/uv "uv==$UV_VERSION" >&2
    else
      fail "python3 has neither venv nor pip, which bring uv; install one: apt-get install python3-venv"
    fi
  fi
  echo "$PWD/.tools/uv/bin/uv"
}

# A Python 3.10 that starts and has its headers. pyenv's shim is on PATH even where it does not run.
find_python() {
  local candidate
  for candidate in "$(command -v python3.10 || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python3.10; do
    if [ -n "$candidate" ] && "$candidate" -c '
import os, sys, sysconfig
sys.exit(sys.version_info[:2] != (3, 10) or not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  echo 3.10 # uv downloads one
}

started=$SECONDS
UV=$(find_uv)
PYTHON=$(find_python)
say "uv $("$UV" --version | cut -d' ' -f2), Python $PYTHON"
# Built under another name and renamed when complete would break the venv's scripts,
# which hold absolute paths: the stamp, written last, is what says that it is complete.
rm -rf "$VENV"
"$UV" venv --quiet --seed --python "$PYTHON" "$VENV" ||
  fail "no Python 3.10 here and none could be downloaded; install one: apt-get install python3.10 python3.10-dev, or pyenv install 3.10"
export VIRTUAL_ENV=$PWD/$VENV

say "installing $(grep -c '==' "$LOCK") locked packages"
grep -v '^horovod==' "$LOCK" >"$VENV/packages.txt"
"$UV" pip install --quiet --no-deps -r "$VENV/packages.txt"

say "building Horovod from source (3 minutes on 2 cores, once)"
horovod=$(grep '^horovod==' "$LOCK")
if ! PATH="$PWD/$VENV/bin:$PATH" "$UV" pip install --quiet --no-deps --no-build-isolation --no-binary horovod "$horovod" >"$VENV/horovod.log" 2>&1; then
  tail -n 15 "$VENV/horovod.log" >&2
  fail "Horovod did not build; the whole log is $VENV/horovod.log"
fi
"$UV" pip install --quiet --no-deps --no-build-isolation -e .
fingerprint >"$STAMP"
say "ready in $((SECONDS - started)) s: $VENV"
