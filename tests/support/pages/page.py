"""Read a page's fenced blocks as the steps of which it consists.

CONTRIBUTING.md, "Pages are tested", describes what a block means.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from deploy.environment import ROOT

MARKER = re.compile(r"<!-- (not run|rehearsed): (.+?) -->")
EDIT = re.compile(r"\b(Create|Append to|Change|From) `([\w./-]+)`[^`.]*:$")
INTERPRETERS = {"sh": "", "python": ".venv/bin/python"}
"""The languages of commands, each with the program that runs them. The page's shell itself runs `sh`."""
OUTPUT = {"", "text", "json", "csv"}
DIAGRAM = "mermaid"


class PageError(Exception):
    """The page has a block whose purpose is unknown."""


@dataclass(frozen=True)
class Block:
    """One fenced block. `intro` is the text before it, `marker` the comment directly above it."""

    place: str
    language: str
    text: str
    intro: str
    marker: re.Match[str] | None


@dataclass
class Commands:
    """Commands with the output that the page shows. `kind` is "run", "rehearsed" or "not run"."""

    place: str
    interpreter: str
    text: str
    kind: str = "run"
    reason: str = ""
    output: str | None = None


@dataclass(frozen=True)
class Edit:
    """A file that the page creates, extends or changes, or (`From`) of which it shows a part."""

    place: str
    action: str
    path: str
    text: str


Step = Commands | Edit


def pages() -> list[str]:
    """Return the READMEs, the tutorials and the how-tos, relative to the repository."""
    folders = (ROOT / "docs" / "tutorial", ROOT / "docs" / "how-to")
    found = sorted(page for folder in folders for page in folder.glob("*.md"))
    return ["README.md", "client/README.md", *(page.relative_to(ROOT).as_posix() for page in found)]


def steps(page: str) -> list[Step]:
    """Return the page's steps in their order. Raises: PageError."""
    return in_text((ROOT / page).read_text("utf-8"), page)


def in_text(text: str, page: str) -> list[Step]:
    found: list[Step] = []
    for block in _blocks(text, page):
        if edit := EDIT.search(block.intro):
            found.append(Edit(block.place, edit[1], edit[2], block.text))
        elif block.language in INTERPRETERS or block.marker:
            kind, reason = block.marker.groups() if block.marker else ("run", "")
            interpreter = INTERPRETERS.get(block.language, "")
            found.append(Commands(block.place, interpreter, block.text, kind, reason))
        elif block.language in OUTPUT:
            last = found[-1] if found else None
            if not isinstance(last, Commands) or last.output is not None:
                raise PageError(f"{block.place}: output without commands before it")
            last.output = block.text
        elif block.language != DIAGRAM:
            raise PageError(f"{block.place}: nothing runs {block.language}; name the file that it belongs to")
    return found


def _blocks(text: str, page: str) -> Iterator[Block]:
    intro, marker = "", None
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence":
            assert token.map
            place, language = f"{page}:{token.map[0] + 1}", token.info.split(" ")[0]
            yield Block(place, language, token.content, intro, marker)
            intro, marker = "", None
        elif token.type == "html_block":
            marker = MARKER.fullmatch(token.content.strip())
        elif token.type == "inline":
            intro, marker = token.content.replace("\n", " "), None


def apply(edit: Edit, repository: Path) -> None:
    """Apply the edit. Raises: AssertionError if the file is not as the page assumes."""
    file = repository / edit.path
    if edit.action == "Create":
        assert not file.exists(), f"{edit.place}: {edit.path} exists already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(edit.text, "utf-8")
        return
    assert file.exists(), f"{edit.place}: there is no {edit.path}"
    before = file.read_text("utf-8")
    if edit.action == "Append to":
        space = "\n\n" if file.suffix == ".py" else ""
        file.write_text(before + space + edit.text, "utf-8")
    elif edit.action == "Change":
        after = before
        for hunk in edit.text.split("@@\n"):
            old, new = (_side(hunk, sign) for sign in "-+")
            found = after.count(old)
            assert found == 1, f"{edit.place}: {edit.path} has these lines {found} times"
            after = after.replace(old, new)
        file.write_text(after, "utf-8")
    else:
        assert edit.text in before, f"{edit.place}: {edit.path} does not contain these lines"


def _side(hunk: str, sign: str) -> str:
    """Return the lines of a hunk before (`-`) or after (`+`) the change."""
    lines = hunk.splitlines(keepends=True)
    return "".join(line[1:] for line in lines if line[0] in (" ", sign))
