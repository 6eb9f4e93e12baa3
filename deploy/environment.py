"""The project's folder and its `.env` file, for code that runs on a developer's machine."""

from pathlib import Path

from dotenv import dotenv_values

from shared.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file, or an empty dict if the file does not exist.

    A `$` in a value is not expanded, since passwords may contain one.

    Raises:
        SettingsError: the file is not UTF-8.
    """
    try:
        # utf-8-sig skips the byte order mark that editors on Windows write.
        read = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} must be UTF-8 text: save it in that encoding.") from None
    return {name: value for name, value in read.items() if value is not None}
