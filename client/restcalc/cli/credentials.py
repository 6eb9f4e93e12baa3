"""The API keys of the profiles: in the system's keyring, or in a file that only its owner can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restcalc.cli.failures import Failure
from restcalc.cli.home import PRIVATE_FILE, write_private
from restcalc.cli.locks import locked
from restcalc.cli.profiles import Profile

SERVICE = "restcalc"
KEYRING, FILE = "keyring", "file"


class Credentials:
    """Stores the secret of an API key by the key's id."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "credentials.json"

    def store(self, key_id: str, key: str) -> str:
        """Store a key, and return where: `keyring` if it is installed and has a backend, else `file`."""
        if _store_in_keyring(key_id, key):
            return KEYRING
        with self._changing() as keys:
            keys[key_id] = key
        return FILE

    def load(self, profile: Profile) -> str | None:
        """Return the key of a profile, or None. Raises: Failure if the keyring can't be read."""
        if profile.key_store != KEYRING:
            return self._read().get(profile.key_id)
        try:
            import keyring

            return keyring.get_password(SERVICE, profile.key_id)
        except Exception as error:  # backends raise errors of their own
            text = f"The API key of the profile {profile.name!r} can't be read from the keyring: {error}."
            raise Failure(f"{text} Unlock the keyring, or run `restcalc login` again.") from None

    def forget(self, profile: Profile) -> None:
        """Delete the key of a profile."""
        if profile.key_store == KEYRING:
            from contextlib import suppress

            with suppress(Exception):  # the keyring is not installed any more, or has no such key
                import keyring

                keyring.delete_password(SERVICE, profile.key_id)
            return
        if profile.key_id in self._read():
            with self._changing() as keys:
                keys.pop(profile.key_id, None)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """Lock the file, yield its present keys, and store them with the changes of the block."""
        with locked(self._file):
            keys = self._read()
            yield keys
            write_private(self._file, json.dumps(keys, indent=2) + "\n")

    def _read(self) -> dict[str, str]:
        try:
            if self._file.stat().st_mode & 0o077:
                self._file.chmod(PRIVATE_FILE)
            keys = json.loads(self._file.read_text("utf-8"))
            if not isinstance(keys, dict):
                raise ValueError("it is not a JSON object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise Failure(
                f"{self._file} can't be read: {error}. Delete it and run `restcalc login`."
            ) from None
        return keys


def _store_in_keyring(key_id: str, key: str) -> bool:
    try:
        import keyring
    except ImportError:
        return False
    try:
        keyring.set_password(SERVICE, key_id, key)
        return keyring.get_password(SERVICE, key_id) == key  # the null backend stores nothing
    except Exception:  # no backend, or a locked one, which raises errors of its own
        return False
