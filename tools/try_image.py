"""Runs the steps of kubeflow/Dockerfile in a fresh Debian, where there is no Docker.

    sudo python3 tools/try_image.py FOLDER

FOLDER gets a root file system (debootstrap, 1 minute) as the base image would be, with this
machine's Python 3.10 as its Python. Each RUN, COPY, ARG, ENV, WORKDIR and USER of the Dockerfile is
carried out in it, both stages in the same root. Then the image's user starts the command line, the
entry point of steps, Horovod and sshd. It takes some minutes and 6 GB, and is no test of the
suite: run it after a change of the Dockerfile. This machine's kept wheel of Horovod is used.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "kubeflow" / "Dockerfile"
RELEASE = "bookworm"
# Variables that `docker build` passes on as well, and where packages come from.
_PASSED = ("_PROXY", "_INDEX", "_INDEX_URL", "_CERT", "_CERT_FILE")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Compiled wheels of Horovod, so that they are not compiled again.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "effnet-tfx")


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, with their arguments on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.strip().split(maxsplit=1) for line in whole.splitlines() if line.strip()]
    return [(name, rest) for name, rest in pairs]


class Root:
    """A root file system in which instructions are carried out."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.variables = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.directory, self.user = "/", "0:0"

    def run(self, command: str) -> None:
        """Runs a shell command in it, as the user of the moment."""
        print(f"+ {command}", flush=True)
        passed = {n: v for n, v in os.environ.items() if n.upper().endswith(_PASSED)}
        variables = [f"{name}={value}" for name, value in {**passed, **self.variables}.items()]
        # In a mount namespace of its own, with which they go away.
        mount = 'mount -t proc proc "$1/proc" && mkdir -p "$1/dev/shm" && '
        mount += 'mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm" && shift && exec "$@"'
        subprocess.run(
            [
                *("unshare", "--mount", "--fork", "sh", "-c", mount, "sh", str(self.folder)),
                *("chroot", f"--userspec={self.user}", str(self.folder), "/usr/bin/env", "-i"),
                *(*variables, "HOME=/tmp", "/bin/sh", "-ec"),
                f"cd {shlex.quote(self.directory)}\n{command}",
            ],
            check=True,
        )

    def carry_out(self, name: str, rest: str) -> None:
        """Carries one instruction out."""
        match name:
            case "ARG" | "ENV":
                key, _, value = rest.partition("=")
                self.variables[key] = value.replace("${PATH}", self.variables["PATH"])
            case "WORKDIR":
                self.directory = rest
                (self.folder / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                if not rest.startswith("--from"):  # both stages are in one root
                    self.copy_context()
            case "RUN":
                self.run(rest)
            case "USER":
                self.user = rest
            case "FROM" | "EXPOSE" | "CMD":
                pass
            case _:
                sys.exit(f"try_image: the Dockerfile has an instruction that is not known: {name}")

    def copy_context(self) -> None:
        """Copies what is in git, as .dockerignore leaves little else."""
        names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
        ignored = ("tests/", "benchmarks/", "kubeflow/manifests/secrets/")
        for name in names:
            target = self.folder / self.directory.lstrip("/") / name
            if not name.startswith(ignored) and (ROOT / name).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)


def make_base(folder: Path) -> None:
    """Makes what the base image is: Debian and a Python 3.10."""
    if not (folder / "usr").exists():
        subprocess.run(["debootstrap", "--variant=minbase", RELEASE, str(folder)], check=True)
    find = "import sys; print(sys.base_prefix)"
    python = ROOT / ".venv" / "bin" / "python"  # of `make setup`
    prefix = subprocess.check_output([python, "-c", find], text=True).strip()
    shutil.copytree(prefix, folder / prefix.lstrip("/"), symlinks=True)
    (folder / "usr/local/bin/python3.10").symlink_to(f"{prefix}/bin/python3.10")
    (folder / "usr/local/bin/python3").symlink_to(f"{prefix}/bin/python3.10")
    # Its folder is a home's, which other users may not enter.
    for parent in Path(prefix).parents:
        (folder / str(parent).lstrip("/")).chmod(0o755)
    certificates = folder / str(_CERTIFICATES).lstrip("/")
    certificates.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(_CERTIFICATES, certificates)
    if CACHE.is_dir():
        shutil.copytree(CACHE, folder / "tmp/cache/effnet-tfx", dirs_exist_ok=True)


def main() -> None:
    """Makes the root and tries what is in it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="is made")
    root = Root(parser.parse_args().folder.absolute())
    make_base(root.folder)
    for name, rest in instructions(DOCKERFILE.read_text()):
        root.carry_out(name, rest)
    root.run("test $(id -u) = 1000 && test ! -e /etc/ssh/ssh_host_ed25519_key")
    root.run("effnet --version && python -m kubeflow.entrypoint --help > /dev/null")
    root.run("effnet demo-data digits /tmp/digits")
    root.run("horovodrun --check-build")
    root.run("ssh-keygen -q -t ed25519 -N '' -f /tmp/key && /usr/sbin/sshd -t -p 2222 -h /tmp/key")
    print("try_image: all steps ran")


if __name__ == "__main__":
    main()
