"""Build the zip that all functions share: `python -m deploy.package`.

The zip contains the service's code, the built console, the pinned dependencies as wheels for Lambda, and byte
code for Lambda's Python. Without byte code a cold start takes three times as long. The build is reproducible:
the same sources produce the same bytes.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGING_FOLDER = ROOT / "build" / "lambda"
ZIP = ROOT / "build" / "restcalculator.zip"

BUDGET = 11_000_000
"""Size limit of the zip in bytes. Lambda downloads and unpacks it before the first request of a version.

1.2 MB of it are for the web pages, whose files it contains compressed in two ways. Most of it is Swagger UI.
"""

COMPRESSION = 9
"""The level of zlib, 1 to 9."""

PYTHON_VERSION = "3.13"
# Lambda's python3.13 runs on Amazon Linux 2023 with glibc 2.34. argon2's wheels need 2.26 or newer, and
# "manylinux2014" means 2.17.
PLATFORM = os.environ.get("LAMBDA_PLATFORM", "aarch64-manylinux_2_28")
TARGET = ("--python-platform", PLATFORM, "--python-version", PYTHON_VERSION)
UNPACKED_AT = "/var/task"
UV = (sys.executable, "-m", "uv")

# `make package` builds the console first.
SERVICE = (
    *("functions", "shared", "webhooks", "worker", "migrations"),
    *("build/console", "docs/openapi.json"),
)

EXCLUDED = {
    # Lambda's Python includes these, and they would add 17 MB to the zip. The service's calls of S3 and SQS
    # work with any recent boto3. The small dependencies of boto3 that the service imports too (jmespath,
    # dateutil, six) stay in the zip, in the tested version.
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    # Only builds C bindings; the wheels are built already.
    "pycparser",
}

# Patterns of files that neither the functions nor the migrations import. tests/deploy/test_package.py starts
# every function without them.
PRUNED = (
    "bin",
    "cffi",  # only builds C bindings; argon2 needs the compiled `_cffi_backend`, which is elsewhere
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
KEPT_SUFFIXES = {".py", ".so", ".gz"}


def main() -> None:
    shutil.rmtree(STAGING_FOLDER, ignore_errors=True)
    stage(STAGING_FOLDER, TARGET)
    compile_to_byte_code(STAGING_FOLDER, lambda_python())
    write_zip(STAGING_FOLDER, ZIP)
    print(f"{ZIP.name}: {ZIP.stat().st_size / 1e6:.1f} MB")
    if ZIP.stat().st_size > BUDGET:
        sys.exit(f"The zip exceeds its size limit of {BUDGET / 1e6:.1f} MB (BUDGET in deploy/package.py).")


def stage(folder: Path, target: Sequence[str]) -> None:
    """Write the zip's files, without byte code, to `folder`.

    Args:
        target: uv's options that choose the platform of the wheels.
    """
    stage_dependencies(folder, target)
    prune(folder)
    stage_service(folder)


def stage_dependencies(folder: Path, target: Sequence[str]) -> None:
    """Install the wheels that requirements.txt pins, except EXCLUDED."""
    pinned = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in pinned if "==" in line and line.split("==")[0] not in EXCLUDED]
    install = [*UV, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy"]
    subprocess.run(
        [*install, *target, "--target", str(folder), "-r", "-"],
        input="\n".join(wanted),
        text=True,
        check=True,
    )


def prune(folder: Path) -> None:
    """Delete files that no function imports, and pip's metadata."""
    for pattern in PRUNED:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in files(folder):
        # pg8000 and scramp read their own version from METADATA.
        pip_metadata = path.relative_to(folder).parts[0].endswith(".dist-info")
        if path.name != "METADATA" and (pip_metadata or path.suffix not in KEPT_SUFFIXES):
            path.unlink()
        elif path.suffix == ".so":
            path.write_bytes(without_debug_information(path.read_bytes()))


def without_debug_information(library: bytes) -> bytes:
    """Return a shared library cut after its last loaded segment, as elfkickers' `sstrip` does.

    The dynamic loader reads only segments. The sections after them serve linkers and debuggers, and make up
    half of SQLAlchemy's libraries. `strip` can't process libraries of another architecture.
    """
    if library[:6] != b"\x7fELF\x02\x01":  # 64 bits, little endian
        return library
    first, size, count = (int.from_bytes(library[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    headers = (library[at : at + size] for at in range(first, first + size * count, size))
    ends = [int.from_bytes(h[8:16], "little") + int.from_bytes(h[32:40], "little") for h in headers]
    # Set the offset and the number of the section headers to 0.
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
    """Compile all modules to byte code that stays valid when the sources' modification times change.

    Unzipping changes those times, and Python would then ignore ordinary byte code.
    """
    if python is None:
        print(
            f"Python {PYTHON_VERSION} was not found, so the zip has no byte code and cold starts take three"
            " times as long. Install it, or set LAMBDA_PYTHON to its path.",
            file=sys.stderr,
        )
        return
    command = [python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(folder), "-p", UNPACKED_AT, str(folder)]
    # A fixed hash seed: the order of a set of constants depends on the hashes.
    subprocess.run([*command, *paths], env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)


def lambda_python() -> str | None:
    """Return the path of a Python of Lambda's version, or None.

    The path is `LAMBDA_PYTHON`, or that of an interpreter that uv finds, including pyenv's.
    """
    if configured := os.environ.get("LAMBDA_PYTHON"):
        return configured
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    # pyenv puts shims of every version on the PATH, even of versions that its settings disable.
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
    """Zip the folder reproducibly: sorted by name, with the same time and mode for all files."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=COMPRESSION)


def files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


if __name__ == "__main__":
    main()
