"""Where the results of files go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from restcalc.cli.batch.local_file import LocalFile
from restcalc.cli.downloads import STANDARD_OUTPUT
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure


def result_files(
    files: Sequence[LocalFile], results: Path | None, folder: Path, *, as_json: bool
) -> list[Path]:
    """Return the file for the results of each file.

    Args:
        results: the file or folder that the user wants, or `-`.
        folder: a temporary folder for the results that are printed to standard output.
        as_json: whether standard output is for JSON.

    Raises: Failure if two results, or the results and a file, have the same path.
    """
    if as_json and results == STANDARD_OUTPUT:
        text = "--json and --results - both use standard output. Give --results a file or a folder."
        raise Failure(text, ExitCode.USAGE)
    targets: list[Path] = []
    used = {file.path.resolve(): file.name for file in files}
    for number, file in enumerate(files):
        target = _target(file, results, as_json=as_json) or folder / str(number)
        if other := used.get(target.resolve()):
            raise Failure(
                f"The results of {file.name} would overwrite {target}, which belongs to {other}."
                " Give --results an existing folder, and files with the same name to separate commands.",
                ExitCode.USAGE,
            )
        used[target.resolve()] = file.name
        targets.append(target)
    return targets


def _target(file: LocalFile, results: Path | None, *, as_json: bool) -> Path | None:
    """Return the file for the results of one file, or None for standard output."""
    name = f"{file.filename}.results.csv"
    if results is not None:
        return None if results == STANDARD_OUTPUT else results / name if results.is_dir() else results
    if file.is_standard_input:
        return Path(name) if as_json else None
    return file.path.with_name(name)
