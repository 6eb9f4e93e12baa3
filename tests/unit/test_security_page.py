"""SECURITY.md names the proof of each defence: all of them exist."""

import re

from deploy.environment import ROOT


def test_every_proof_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(?:tests|docs)/[\w./]+`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path.strip("`")).exists()]
