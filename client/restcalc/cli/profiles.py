"""Profiles: one for each deployment that the user signs in to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from restcalc.cli.failures import Failure
from restcalc.cli.home import write_private
from restcalc.cli.locks import locked

DEFAULT_NAME = "default"


@dataclass(frozen=True)
class Profile:
    """A deployment, and the API key of this machine there. Without a sign-in it has only a name."""

    name: str
    url: str = ""
    email: str = ""
    key_id: str = ""
    key_store: str = ""
    """Where the key is: `keyring` or `file`."""


class Profiles:
    """The profiles in config.json."""

    current: str
    """The name of the profile that commands use by default."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "config.json"
        self._read()

    def __iter__(self) -> Iterator[Profile]:
        return iter(sorted(self._profiles.values(), key=lambda profile: profile.name))

    def find(self, name: str) -> Profile | None:
        return self._profiles.get(name)

    def get(self, name: str) -> Profile:
        """Return a profile. Raises: Failure if there is none with this name."""
        if name not in self._profiles:
            raise Failure(f"There is no profile {name!r}. Create it with `restcalc login --profile {name}`.")
        return self._profiles[name]

    def put(self, profile: Profile) -> Profile | None:
        """Store a profile, make it the current one, and return the one that it replaces."""
        with self._changing():
            previous = self._profiles.get(profile.name)
            self._profiles[profile.name] = profile
            self.current = profile.name
        return previous

    def use(self, name: str) -> None:
        """Make a profile the current one. Raises: Failure if there is none with this name."""
        with self._changing():
            self.current = self.get(name).name

    def remove(self, profile: Profile) -> None:
        """Delete a profile, unless another command has replaced or deleted it."""
        with self._changing():
            if self._profiles.get(profile.name) != profile:
                return
            del self._profiles[profile.name]
            if self.current == profile.name:
                self.current = DEFAULT_NAME

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Lock the file, read what other commands have stored, and store it with the changes of the block."""
        with locked(self._file):
            self._read()
            yield
            self._write()

    def _read(self) -> None:
        try:
            content = json.loads(self._file.read_text("utf-8"))
            self.current = content.get("current", DEFAULT_NAME)
            self._profiles = {name: Profile(name, **members) for name, members in content["profiles"].items()}
        except FileNotFoundError:
            self.current, self._profiles = DEFAULT_NAME, {}
        except (OSError, ValueError) as error:
            raise Failure(f"{self._file} can't be read: {error}. Correct or delete it.") from None
        except (AttributeError, KeyError, TypeError):
            text = f"{self._file} does not contain the profiles of `restcalc`."
            raise Failure(f"{text} Delete it and run `restcalc login`.") from None

    def _write(self) -> None:
        profiles = {profile.name: asdict(profile) for profile in self}
        for members in profiles.values():
            del members["name"]
        content = {"current": self.current, "profiles": profiles}
        write_private(self._file, json.dumps(content, indent=2) + "\n")
