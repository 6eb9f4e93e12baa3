"""Profiles: one for each deployment that the user signs in to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from restcalc.cli.failures import Failure
from restcalc.cli.home import write_private

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

    def __init__(self, folder: Path) -> None:
        self._file = folder / "config.json"
        content = self._read()
        self.current: str = content.get("current", DEFAULT_NAME)
        """The name of the profile that commands use by default."""
        self._profiles = {name: Profile(name, **members) for name, members in content["profiles"].items()}

    def __iter__(self) -> Any:
        return iter(sorted(self._profiles.values(), key=lambda profile: profile.name))

    def find(self, name: str) -> Profile | None:
        return self._profiles.get(name)

    def get(self, name: str) -> Profile:
        """Return a profile. Raises: Failure if there is none with this name."""
        if name not in self._profiles:
            raise Failure(f"There is no profile {name!r}. Create it with `restcalc login --profile {name}`.")
        return self._profiles[name]

    def put(self, profile: Profile) -> None:
        """Store a profile, and make it the current one."""
        self._profiles[profile.name] = profile
        self.use(profile.name)

    def use(self, name: str) -> None:
        self.current = self.get(name).name
        self._write()

    def remove(self, name: str) -> None:
        del self._profiles[name]
        if self.current == name:
            self.current = DEFAULT_NAME
        self._write()

    def _read(self) -> Any:
        try:
            return json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {"profiles": {}}
        except (OSError, ValueError) as error:
            raise Failure(f"{self._file} can't be read: {error}. Correct or delete it.") from None

    def _write(self) -> None:
        profiles = {profile.name: asdict(profile) for profile in self}
        for members in profiles.values():
            del members["name"]
        content = {"current": self.current, "profiles": profiles}
        write_private(self._file, json.dumps(content, indent=2) + "\n")
