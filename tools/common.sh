# What the scripts in this folder share; sourced, with the project's root as the current folder.
# shellcheck shell=bash

UV_VERSION=0.13.9

say() { echo "$(basename "$0" .sh): $1"; }
fail() { say "$1" >&2; exit 2; }

need_python3() {
  command -v python3 >/dev/null || fail "python3 not found; install it: apt-get install python3 python3-venv"
}

# Prints the path of uv: the one on PATH if it runs, else one that is installed into .tools.
find_uv() {
  if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    command -v uv
    return
  fi
  if [ ! -x .tools/uv/bin/uv ]; then
    need_python3
    rm -rf .tools/uv
    if python3 -c 'import ensurepip' 2>/dev/null; then
      python3 -m venv .tools/uv >&2
      .tools/uv/bin/python -m pip install --quiet "uv==$UV_VERSION" >&2 ||
        fail "uv $UV_VERSION could not be installed; the lines above say why"
    elif python3 -m pip --version >/dev/null 2>&1; then
      python3 -m pip install --quiet --target .tools/uv "uv==$UV_VERSION" >&2 ||
        fail "uv $UV_VERSION could not be installed; the lines above say why"
    else
      fail "python3 has neither venv nor pip, which bring uv; install one: apt-get install python3-venv"
    fi
  fi
  echo "$PWD/.tools/uv/bin/uv"
}

# Prints the path of a Python 3.10 that starts and has its headers (Horovod needs them), or 3.10,
# which uv then downloads. pyenv's shim is on PATH even where it does not run.
find_python() {
  local candidate
  for candidate in "$(command -v python3.10 || true)" "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.10*/bin/python3.10; do
    if [ -n "$candidate" ] && "$candidate" -c '
import os, sys, sysconfig
sys.exit(sys.version_info[:2] != (3, 10) or not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  echo 3.10
}
