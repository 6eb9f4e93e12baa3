"""`make up` builds an outdated console, and starts the service even if that fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import build_console

MISSING_NPM = "To build it, install Node"
FAILED = "The console was not built, and the service starts without it."


def install(folder: Path, name: str, script: str) -> None:
    """Write a command into a folder of the PATH."""
    command = folder / name
    command.write_text(f"#!{sys.executable}\nimport sys, time\n{script}\n")
    command.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, environment: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, with an npm."""
    environment.setenv("PATH", str(tmp_path))
    install(tmp_path, "npm", "")
    return tmp_path


def test_current_console_is_not_built(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(path, "make", "assert '--question' in sys.argv, 'built'")
    build_console.main()
    assert capfd.readouterr() == ("", "")


def test_outdated_console_is_built(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(path, "make", "sys.exit(1) if '--question' in sys.argv else print('built', sys.argv[-1])")
    build_console.main()
    assert capfd.readouterr().out == f"built {build_console.PAGE}\n"


def test_machine_without_npm_builds_nothing(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (path / "npm").unlink()
    install(path, "make", "print(sys.argv[2]); sys.exit(1)")
    build_console.main()
    output = capfd.readouterr().out
    assert MISSING_NPM in output
    assert "--silent" not in output


def test_failed_build_is_reported(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(path, "make", "sys.exit(2)")
    build_console.main()
    assert FAILED in capfd.readouterr().out


def test_build_that_exceeds_the_time_limit_is_ended(
    path: Path, environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    environment.setattr(build_console, "TIMEOUT_SECONDS", 0)
    started = list["subprocess.Popen[bytes]"]()
    make = build_console._make

    def remember(option: str) -> "subprocess.Popen[bytes]":
        started.append(make(option))
        return started[-1]

    environment.setattr(build_console, "_make", remember)
    install(path, "make", "sys.exit(1) if '--question' in sys.argv else time.sleep(600)")
    build_console.main()
    assert FAILED in capfd.readouterr().out
    assert started[-1].returncode is not None
