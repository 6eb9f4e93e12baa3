"""The harness that follows the pages of the docs notices a page that is wrong."""

from pathlib import Path

import pytest

from deploy.environment import ROOT
from tests.support.pages import aws_command
from tests.support.pages.output import difference
from tests.support.pages.page import Commands, Edit, PageError, apply, in_text
from tests.support.pages.runner import Reader
from tests.support.pages.terminal import CommandFailed, Terminal

PAGE = """
Say hello:

```sh
echo hello
```

It prints:

```text
hello
```

1. Create `a/new.py`:

   ```python
   x = 1
   ```

<!-- not run: needs Docker -->
```sh
docker ps
```
"""


def test_blocks_become_steps_in_their_order() -> None:
    commands, edit, marked = in_text(PAGE, "page.md")
    assert commands == Commands("page.md:4", "", "echo hello\n", output="hello\n")
    assert edit == Edit("page.md:16", "Create", "a/new.py", "x = 1\n")
    assert marked == Commands("page.md:21", "", "docker ps\n", "not run", "needs Docker")


@pytest.mark.parametrize("block", ["```text\nno commands\n```", "```sql\nSELECT 1\n```"])
def test_block_without_a_purpose_is_an_error(block: str) -> None:
    with pytest.raises(PageError):
        in_text(block, "page.md")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (
            '{"id" : "01a2280a-b816-7724-b35b-37c941e5a8a1"}',
            '{"id" : "01a2280a-bd6b-78db-b14f-0533a8e82a36"}',
        ),
        (f'"{"a1" * 16}"', f'"-{"aB" * 15}_"'),
        ("3 passed in 0.31s", "3 passed in 12.7s\n"),
        ("http://localhost:8080/docs", "http://localhost:40123/docs"),
        ('{…, "cost" : 5}', '{"type" : "power", "cost" : 5}'),
        ("first\n…\nlast", "first\n1\n2\nlast"),
        ("first\n…\nlast", "first\nlast"),
    ],
)
def test_output_that_varies_or_is_left_out_is_as_shown(shown: str, printed: str) -> None:
    assert difference(shown, printed) == ""


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("", "hello"),
        ("hello", ""),
        ("hello", "hello\nworld"),
        ('{…, "cost" : 5}', '{"type" : "power", "cost" : 50}'),
        ('{…, "cost" : 5}', '{"type" : "power",\n "cost" : 5}'),
        ("first\n…\nlast", "first\n1\nlast\n2"),
        ("3 passed in 0.31s", "2 passed in 0.31s"),
    ],
)
def test_other_output_is_a_difference(shown: str, printed: str) -> None:
    assert "+++ printed" in difference(shown, printed)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```sh\necho hello\n```", "page.md:1 prints something else"),
        ("```sh\nfalse\necho hello\n```", "page.md:1: a command failed"),
        ("```sh\nfalse | true\n```", "page.md:1: a command failed"),
        ("```sh\necho $UNSET_VARIABLE\n```", "UNSET_VARIABLE"),
        ("```python\nraise ValueError(1)\n```", "ValueError"),
        ("```sh\naws s3api list-buckets\n```", "mark it"),
        ("```sh\nmake remove\n```", "mark it"),
        ("```sh\nmake no-such-target\n```", "no-such-target"),
        ("```sh\nmake test NO_SUCH_VARIABLE=1\n```", "NO_SUCH_VARIABLE"),
        ("<!-- rehearsed: needs AWS -->\n```sh\naws rds list-everything\n```", "no command list-everything"),
        ("Change `Makefile`:\n\n```diff\n-no such line\n```", "0 times"),
        ("Create `Makefile`:\n\n```make\nall:\n```", "Makefile exists"),
        ("From `Makefile`:\n\n```make\nall: nothing\n```", "does not contain"),
    ],
)
def test_page_that_is_wrong_fails(page: str, message: str, reader: Reader) -> None:
    with pytest.raises(AssertionError, match=message):
        reader.follow(in_text(page, "page.md"))


def test_page_shares_its_shell_and_its_files_are_deleted(reader: Reader) -> None:
    reader.follow(
        in_text(
            "```sh\nNAME=x\necho 1 > file\n```\n\n```sh\necho $NAME; cat file\n```\n\n```\nx\n1\n```", "p"
        )
    )
    assert not (reader.repository / "file").exists()


def test_files_of_a_page_that_fails_are_deleted_too(reader: Reader) -> None:
    with pytest.raises(AssertionError):
        reader.follow(in_text("```sh\nmkdir folder; echo 1 > folder/file; touch file; false\n```", "p"))
    assert not {"folder", "file"} & {path.name for path in reader.repository.iterdir()}


def test_command_that_hangs_is_killed_and_says_so(tmp_path: Path) -> None:
    with (
        Terminal(tmp_path, {}, timeout=0.5) as terminal,
        pytest.raises(CommandFailed, match=r"The commands were killed after 0\.5 s\."),
    ):
        terminal.run("sleep 600")


def test_edits_change_the_file_that_the_page_names(tmp_path: Path) -> None:
    for action, path, text in (
        ("Create", "a/b.yml", "one: 1\nthree: 3\n"),
        ("Change", "a/b.yml", " one: 1\n+two: 2\n@@\n-three: 3\n+three: 33\n"),
        ("Append to", "a/b.yml", "four: 4\n"),
        ("From", "a/b.yml", "two: 2\nthree: 33\n"),
    ):
        apply(Edit("page.md:1", action, path, text), tmp_path)
    assert (tmp_path / "a/b.yml").read_text() == "one: 1\ntwo: 2\nthree: 33\nfour: 4\n"


@pytest.mark.parametrize(
    "command",
    [
        "rds wait db-instance-available --db-instance-identifier x",
        "rds modify-db-instance --db-instance-identifier x --no-publicly-accessible --output text",
        "cloudformation deploy --template-file t.yml --stack-name s --capabilities CAPABILITY_NAMED_IAM",
    ],
)
def test_aws_command_is_accepted(command: str) -> None:
    aws_command.check(*command.split())


@pytest.mark.parametrize(
    "command",
    [
        "no-such-service list",
        "rds frobnicate",
        "rds wait db-instance-frobnicated",
        "rds modify-db-instance --db-instance-identifier x --no-such-option",
        "rds modify-db-instance --apply-immediately",
        "cloudformation deploy --template-file t.yml",
    ],
)
def test_wrong_aws_command_is_rejected(command: str) -> None:
    with pytest.raises(aws_command.WrongCommand):
        aws_command.check(*command.split())


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A reader with a folder that has a Makefile, and no service."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "Makefile").write_text("test remove:\n\ttrue\n")
    (repository / ".env.example").write_text("")
    (repository / ".venv").symlink_to(ROOT / ".venv")
    return Reader(repository, {}, {})
