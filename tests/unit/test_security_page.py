"""Every file that SECURITY.md names as the proof of a defence exists."""

import re

from deploy.environment import ROOT


def test_every_file_named_in_security_md_exists() -> None:
    named = re.findall(r"`(?:tests|docs)/[\w./]+`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path.strip("`")).exists()]
