"""Every relative link of every Markdown page points to an existing file and heading."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from deploy.environment import ROOT

WITHOUT = {"node_modules", "build"}


def pages() -> Iterator[Path]:
    """Yield the repository's pages, without a walk through the installed packages' 100,000 files."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in WITHOUT and not name.startswith(".")]
        yield from (Path(folder, name).relative_to(ROOT) for name in names if name.endswith(".md"))


PAGES = sorted(pages())
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@cache
def text(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub generates for a page's headings."""
    found, counts = set[str](), Counter[str]()
    for heading in HEADING.findall(text(page)):
        words = LINK.sub("]", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{anchor}-{counts[anchor]}" if counts[anchor] else anchor)
        counts[anchor] += 1
    return found


def broken(page: Path) -> list[str]:
    links = LINK.findall(CODE.sub("", text(page)))
    return [link for link in links if "://" not in link and not _resolves(page, link)]


def _resolves(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_of_the_page_resolves(page: Path) -> None:
    assert not broken(ROOT / page)


def test_broken_finds_broken_links_and_anchors(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# The [one](x) heading, `code`\n[a](page.md#the-one-heading-code) [b](gone.md) [c](#gone)"
        " [d](https://example.com/gone) `[e](code.md)`\n```\n[f](fenced.md)\n```\n",
        "utf-8",
    )
    assert broken(page) == ["x", "gone.md", "#gone"]


def test_docs_readme_links_every_page() -> None:
    map_ = ROOT / "docs" / "README.md"
    named = {(map_.parent / link.partition("#")[0]).resolve() for link in LINK.findall(text(map_))}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path != map_}
    assert not pages - named, "add it to docs/README.md"
