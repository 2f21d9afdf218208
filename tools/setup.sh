#!/usr/bin/env bash
# Builds .venv from a lock file: uv, a Python 3.10, every pinned package, Horovod from source.
# Runs again only when something that it depends on has changed; else it ends at once.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

VENV=.venv
LOCK=constraints/${STACK:-base}.txt
STAMP=$VENV/.setup-stamp
# Build switches of Horovod. Set them before `make setup` to build for GPUs (docs/operations.md).
export HOROVOD_WITH_TENSORFLOW=${HOROVOD_WITH_TENSORFLOW:-1}
export HOROVOD_WITHOUT_PYTORCH=${HOROVOD_WITHOUT_PYTORCH:-1}
export HOROVOD_WITHOUT_MXNET=${HOROVOD_WITHOUT_MXNET:-1}
export HOROVOD_WITH_GLOO=${HOROVOD_WITH_GLOO:-1}
if [ -z "${HOROVOD_WITH_MPI:-}" ]; then
  export HOROVOD_WITHOUT_MPI=${HOROVOD_WITHOUT_MPI:-1}
fi

# Of Horovod's variables only those of its build: the others, such as HOROVOD_LOG_LEVEL, may change.
horovod_switches() {
  env | grep -E '^HOROVOD_(WITH|WITHOUT|ALLOW|BUILD|CPU|CUDA|GPU|NCCL|ROCM)' | sort
}
fingerprint() {
  # The editable install knows the packages that were there when it was made.
  { cat setup.py "$LOCK" tools/setup.sh tools/common.sh; ls -- */__init__.py; horovod_switches; pwd; } |
    sha256sum | cut -d' ' -f1
}

if [ -x "$VENV/bin/python" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ]; then
  exit 0
fi

[ -f "$LOCK" ] || fail "STACK must be one that has a lock file in constraints/. Received: $STACK"
# What Horovod is compiled with. Told before anything is downloaded.
command -v g++ >/dev/null || fail "no C++ compiler found (g++); install it: apt-get install g++"
command -v cmake >/dev/null || fail "cmake not found; install it: apt-get install cmake"
command -v make >/dev/null || fail "make not found; install it: apt-get install make"
need_python3

started=$SECONDS
UV=$(find_uv)
PYTHON=$(find_python)
say "uv $("$UV" --version | cut -d' ' -f2), Python $PYTHON"
# Built under another name and renamed when complete would break the venv's scripts,
# which hold absolute paths: the stamp, written last, is what says that it is complete.
rm -rf "$VENV"
"$UV" venv --quiet --seed --python "$PYTHON" "$VENV" ||
  fail "no Python 3.10 here and none could be downloaded; install one with its headers: pyenv install 3.10 (or on Ubuntu 22.04: apt-get install python3.10-dev)"
export VIRTUAL_ENV=$PWD/$VENV

say "installing $(grep -c '==' "$LOCK") locked packages"
grep -v '^horovod==' "$LOCK" >"$VENV/packages.txt"
"$UV" pip install --quiet --no-deps -r "$VENV/packages.txt" ||
  fail "the packages of $LOCK could not be installed; the lines above say why"

horovod=$(grep '^horovod==' "$LOCK")
# The wheel depends on what it was compiled with and for. It is kept outside the checkout, so that
# neither a changed lock file nor another clone compiles it again.
built_for=$({ echo "$horovod"; grep '^tensorflow==' "$LOCK"; horovod_switches; "$VENV/bin/python" -VV; g++ --version; } |
  sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/effnet-tfx
if ! { mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ]; }; then
  cache=$PWD/.tools
  mkdir -p "$cache"
fi
wheels=$cache/horovod-$built_for
if ! ls "$wheels"/horovod-*.whl >/dev/null 2>&1; then
  say "building Horovod from source (3 minutes on 2 cores, once)"
  unfinished=$wheels.building.$$
  if ! PATH="$PWD/$VENV/bin:$PATH" "$VENV/bin/python" -m pip wheel --no-deps --no-build-isolation \
    --no-binary horovod --no-cache-dir --wheel-dir "$unfinished" "$horovod" >"$VENV/horovod.log" 2>&1; then
    rm -rf "$unfinished"
    tail -n 15 "$VENV/horovod.log" >&2
    fail "Horovod did not build; the whole log is $VENV/horovod.log"
  fi
  # Where another set-up was faster, its wheel is as good.
  mv -T "$unfinished" "$wheels" 2>/dev/null || rm -rf "$unfinished"
fi
"$UV" pip install --quiet --no-deps "$wheels"/horovod-*.whl
"$UV" pip install --quiet --no-deps --no-build-isolation -e .
fingerprint >"$STAMP"
say "ready in $((SECONDS - started)) s: $VENV"
