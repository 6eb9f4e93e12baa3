"""A copy of the repository, as a developer checks it out."""

import shutil
from pathlib import Path

from deploy.environment import ROOT

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", "node_modules", ".data", ".env", "screenshots", "templates", "*.zip"),
    *(".package", ".serverless", ".*_cache", ".hypothesis", ".coverage*"),
)
LINKED = (".venv", "node_modules", "console/node_modules")


def check_out(folder: Path) -> Path:
    """Copy the repository, its byte code and the built console. Link the installed packages."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return folder
