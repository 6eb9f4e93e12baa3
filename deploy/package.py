"""Makes the zip that every function runs from: `python -m deploy.package`.

The service's code, its pinned dependencies as wheels for Lambda, and byte code that Lambda's Python
takes as it is; without that everything starts three times as slowly. The same sources make the same
zip, byte for byte.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "build" / "lambda"
ZIP = ROOT / "build" / "restcalculator.zip"

BUDGET = 10_200_000
"""Bytes of the zip: at an update Lambda has to fetch and unpack it before the first request."""

PYTHON_VERSION = "3.13"
# Lambda's python3.13 is Amazon Linux 2023, with glibc 2.34; argon2's wheels want 2.26 or newer, which
# the older "manylinux2014" is not.
PLATFORM = os.environ.get("LAMBDA_PLATFORM", "aarch64-manylinux_2_28")
TARGET = ("--python-platform", PLATFORM, "--python-version", PYTHON_VERSION)
UNPACKED_AT = "/var/task"
UV = (sys.executable, "-m", "uv")

SERVICE = ("functions", "shared", "worker", "migrations", "docs/openapi.json", "docs/page.html")

LEFT_OUT = {
    # Lambda's Python brings these, 17 MB of zip. We call S3 and SQS in ways that have not changed
    # for years, so it does not matter which boto3 it is. What it brings besides and we import
    # ourselves (jmespath, dateutil, six) is small, and comes in the version that was tested.
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    # To build C bindings, which was done when the wheel was made.
    "pycparser",
}

# Patterns of what no function imports, Alembic included; tests/deploy/test_package.py starts what is left.
PRUNED = (
    "bin",
    "cffi",  # as pycparser; its compiled `_cffi_backend` is what argon2 needs
    "*/testing",
    "alembic/templates",
    *(
        f"aws_lambda_powertools/utilities/{unused}"
        for unused in (
            *("auth_alpha", "batch", "circuit_breaker", "data_masking", "feature_flags", "idempotency"),
            *("kafka", "parameters", "parser", "streaming", "validation"),
        )
    ),
    "pydantic/experimental",
    "pydantic/mypy.py",
    "pydantic/v1",
    "sqlalchemy/ext/[!_c]*",  # all but compiler.py
    "sqlalchemy/orm",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/dialects/sqlite",
)
KEPT = {".py", ".so", ".js", ".css", ".gz"}


def main() -> None:
    shutil.rmtree(STAGE, ignore_errors=True)
    stage(STAGE, TARGET)
    compile_to_byte_code(STAGE, lambda_python())
    write_zip(STAGE, ZIP)
    print(f"{ZIP.name}: {ZIP.stat().st_size / 1e6:.1f} MB")
    if ZIP.stat().st_size > BUDGET:
        sys.exit(f"The zip is over its budget of {BUDGET / 1e6:.1f} MB (deploy/package.py).")


def stage(folder: Path, target: Sequence[str]) -> None:
    """Lay out what the zip holds, but for the byte code; `target` is uv's options of the wheels' machine."""
    stage_dependencies(folder, target)
    prune(folder)
    stage_service(folder)


def stage_dependencies(folder: Path, target: Sequence[str]) -> None:
    """The wheels that requirements.txt names, and nothing that it does not."""
    pinned = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in pinned if "==" in line and line.split("==")[0] not in LEFT_OUT]
    install = [*UV, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy"]
    subprocess.run(
        [*install, *target, "--target", str(folder), "-r", "-"],
        input="\n".join(wanted),
        text=True,
        check=True,
    )


def prune(folder: Path) -> None:
    """What no import reaches, and what pip keeps for itself."""
    for pattern in PRUNED:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in files(folder):
        # pg8000 and scramp read their own version from METADATA.
        pip_s_own = path.relative_to(folder).parts[0].endswith(".dist-info")
        if path.name != "METADATA" and (pip_s_own or path.suffix not in KEPT):
            path.unlink()
        elif path.suffix == ".so":
            path.write_bytes(without_debug_information(path.read_bytes()))


def without_debug_information(library: bytes) -> bytes:
    """A shared library cut after its last loaded segment, as elfkickers' `sstrip` does.

    What follows are sections for linkers and debuggers (half of SQLAlchemy's libraries); the dynamic
    loader reads segments only. `strip` itself knows its own machine's kind of library alone.
    """
    if library[:6] != b"\x7fELF\x02\x01":  # 64 bits, little endian
        return library
    first, size, count = (int.from_bytes(library[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    headers = (library[at : at + size] for at in range(first, first + size * count, size))
    ends = [int.from_bytes(h[8:16], "little") + int.from_bytes(h[32:40], "little") for h in headers]
    # Where the sections' headers are, and how many: nowhere and none.
    return library[:40] + bytes(8) + library[48:60] + bytes(4) + library[64 : max(ends)]


def stage_service(folder: Path) -> None:
    for name in SERVICE:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.mako"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)


def compile_to_byte_code(folder: Path, python: str | None) -> None:
    """Byte code that is valid whatever the files' times are, so that unzipping can't spoil it."""
    if python is None:
        print(
            f"No Python {PYTHON_VERSION} was found, so the zip has no byte code and cold starts take three"
            " times as long. Install one, or name it with LAMBDA_PYTHON=.",
            file=sys.stderr,
        )
        return
    command = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    places = ["-s", str(folder), "-p", UNPACKED_AT, str(folder)]
    # The order in a set of constants follows the hashes, which are random otherwise.
    subprocess.run([*command, *places], env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)


def lambda_python() -> str | None:
    """A Python of Lambda's version: `LAMBDA_PYTHON`, or one that uv finds, pyenv's included."""
    if named := os.environ.get("LAMBDA_PYTHON"):
        return named
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    # pyenv's shims are on the PATH for every version, also for those that its settings turn off.
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder).name != "shims"]
    path += [str(folder) for folder in sorted(pyenv.glob(f"versions/{PYTHON_VERSION}*/bin"))]
    found = subprocess.run(
        [*UV, "python", "find", "--no-project", "--no-python-downloads", PYTHON_VERSION],
        env={**os.environ, "PATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or None


def write_zip(folder: Path, target: Path) -> None:
    """In the order of names, with one time and one mode for all."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


def files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


if __name__ == "__main__":
    main()
