"""The commands of the README and of the tutorials work as written, and when repeated."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from localstack.stack_settings import ROOT
from tests.e2e.conftest import ADMIN_PASSWORD, DEPLOYED

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = ("make ", ".venv/bin/", "node_modules/", "curl -s http://localhost:8080")
"""How the lines of blocks begin that the test skips."""
PAGES = {
    "README.md": "Read the account statement",
    "docs/tutorial/first-session.md": "sort=-date",
    "docs/tutorial/first-file.md": "results.csv",
}
"""Each page with a text from its last command."""


def script(page: str, url: str) -> str:
    """Return the page's commands, for the tested service and with a hundredth of the rows."""
    blocks = BLOCK.findall((ROOT / page).read_text("utf-8"))
    sessions = [block for block in blocks if not _is_left_out(block)]
    text = "\n".join(sessions).replace("URL=http://localhost:8080", f"URL={url}").replace("200000", "2000")
    assert f"URL={url}" in text
    curl = "curl --fail-with-body" if DEPLOYED else "curl --fail-with-body --noproxy '*'"
    return text.replace("curl -s", f"{curl} -s")


def _is_left_out(block: str) -> bool:
    lines = block.replace("\\\n", " ").splitlines()
    return all(line.startswith(NOT_RUN) or "RESTCALCULATOR_" in line for line in lines)


@pytest.mark.parametrize("run", ["the first time", "again"])
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_work(page: str, run: str, url: str, tmp_path: Path) -> None:
    text = script(page, url)
    assert PAGES[page] in text
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=tmp_path,
        env={**os.environ, "ADMIN_PASSWORD": ADMIN_PASSWORD},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert '"/problems/' not in done.stdout
    assert "completed" in done.stdout
