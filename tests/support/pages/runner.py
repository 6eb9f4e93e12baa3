"""Follow a page: apply its edits and run its commands in their order."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.pages import aws_command
from tests.support.pages.output import difference
from tests.support.pages.page import Commands, Step, apply
from tests.support.pages.terminal import CommandFailed, Terminal


@dataclass(frozen=True)
class Reader:
    """A reader with a checkout of the repository.

    `environment` is added to this process's variables. `urls` replace the service's URLs in the pages.
    """

    repository: Path
    environment: Mapping[str, str]
    urls: Mapping[str, str]

    def terminal(self) -> Terminal:
        return Terminal(self.repository, self.environment)

    def make_up(self) -> None:
        """Start the service, again if a source has changed."""
        with self.terminal() as terminal:
            terminal.run("make up")

    def stop_service(self) -> None:
        command = [".venv/bin/python", "-m", "localstack.run", "down"]
        environment = {**os.environ, **self.environment}
        subprocess.run(command, cwd=self.repository, env=environment, check=True, capture_output=True)

    def follow(self, steps: list[Step]) -> None:
        """Do what a page says. Raises: AssertionError at the first step with another outcome than shown.

        The files that its commands create in the repository's folder are deleted afterwards.
        """
        before = set(os.listdir(self.repository))
        try:
            with self.terminal() as terminal:
                for step in steps:
                    if not isinstance(step, Commands):
                        apply(step, self.repository)
                    elif step.kind == "run":
                        self._run(step, terminal)
                    elif step.kind == "rehearsed":
                        self._rehearse(step, terminal)
        finally:
            for name in set(os.listdir(self.repository)) - before:
                created = self.repository / name
                shutil.rmtree(created) if created.is_dir() else created.unlink()

    def _run(self, step: Commands, terminal: Terminal) -> None:
        printed = self._print(step, terminal, OUTPUT_IS_SHOWN="yes" if step.output else "")
        diff = difference(step.output or "", printed)
        assert not diff, f"{step.place} prints something else:\n{diff}"

    def _rehearse(self, step: Commands, terminal: Terminal) -> None:
        """Run the commands without AWS, and check those of the AWS CLI."""
        noted = self.repository.parent / "aws-commands"
        noted.write_text("", "utf-8")
        self._print(step, terminal, REHEARSED=str(noted))
        for line in noted.read_text("utf-8").splitlines():
            aws_command.check(*line.split("\t")[:-1])

    def _print(self, step: Commands, terminal: Terminal, **variables: str) -> str:
        """Run the commands and return what they print."""
        try:
            text = step.text
            for shown, url in self.urls.items():
                text = text.replace(shown, url)
            return terminal.run(
                text, step.interpreter, **{"OUTPUT_IS_SHOWN": "", "REHEARSED": "", **variables}
            )
        except CommandFailed as error:
            raise AssertionError(f"{step.place}: a command failed:\n{error}") from None
