"""batch run and quote: files from the upload to their results."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from restcalc.cli.batch.file_run import Options
from restcalc.cli.batch.files_run import FilesRun
from restcalc.cli.batch.local_file import local_files
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.invocation import Invocation
from tests.support.command_line.runner import CommandLine, plain

HEADER = "operation,arguments\n"
GOOD = f'{HEADER}addition,"[1, 2]"\nmultiplication,"[2, 3]"\n'
BAD = 'division,"[1, 0]"\n'
MIXED = f'{GOOD}\n{BAD}subtraction,"[1, 2]"\naddition,"[3, 4]"\ncube,[1]\n'


def write(content: str, name: str = "operations.csv") -> Path:
    file = Path(name)
    file.write_text(content)
    return file


def spent(user: CommandLine) -> int:
    """Return the sum of all charges of files."""
    rows = user("ledger", "--json", "--where", "kind=batch").out.splitlines()
    return -sum(int(json.loads(row)["amount"]) for row in rows)


@contextmanager
def files_run(user: CommandLine) -> Iterator[FilesRun]:
    """Yield the files of another command of the user."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in user.variables().items():
            patch.setenv(name, value)
        yield FilesRun(Invocation(as_json=False, profile=None, url=None), Options(), [None])


def task_of(result_json: str) -> str:
    return str(json.loads(result_json)["task"]["id"])


def unfinished(user: CommandLine) -> list[Path]:
    return [file for file in (user.home / "files").iterdir() if file.stat().st_size]


def test_file_is_uploaded_followed_and_its_results_downloaded(cli: CommandLine, folder: Path) -> None:
    result = cli("batch", "run", write(GOOD))
    assert (result.code, result.out) == (ExitCode.DONE, "operations.csv.results.csv\n")
    started, ended = result.err.splitlines()
    assert started.startswith("operations.csv: task ")
    assert ended == "operations.csv: completed, 2 rows, 0 failed, 10 credits spent."
    assert (folder / "operations.csv.results.csv").read_text().splitlines()[1:] == [
        '1,addition,"[1, 2]",3,5,15,',
        '2,multiplication,"[2, 3]",6,5,10,',
    ]
    assert sorted(file.name for file in folder.iterdir()) == ["operations.csv", "operations.csv.results.csv"]
    assert unfinished(cli) == []


def test_failed_rows_have_their_own_exit_code(cli: CommandLine) -> None:
    result = cli("batch", "run", write(GOOD + BAD), "--json")
    assert result.code == ExitCode.ROWS_FAILED
    answer = json.loads(result.out)
    assert (answer["file"], answer["results"]) == ("operations.csv", "operations.csv.results.csv")
    assert (answer["task"]["rows_failed"], answer["task"]["spent"]) == (1, 10)


def test_several_files_go_to_a_folder_and_a_bad_one_stops_no_other(cli: CommandLine, folder: Path) -> None:
    (folder / "results").mkdir()
    files = [write(GOOD, "one.csv"), write("no CSV of ours", "two.csv"), write(GOOD, "three.csv")]
    result = cli("batch", "run", *files, "--results", "results")
    assert result.code == ExitCode.REFUSED
    assert result.out.splitlines() == [f"results/{name}.csv.results.csv" for name in ("one", "two", "three")]
    assert "The first line must be 'operation,arguments', not 'no CSV of ours'." in result.err
    assert len((folder / "results" / "three.csv.results.csv").read_text().splitlines()) == 3
    assert cli("balance").out == "0\n"


def test_results_that_cannot_be_written_stop_no_other_file(cli: CommandLine, folder: Path) -> None:
    (folder / "one.csv.results.csv").mkdir()
    result = cli("batch", "run", write(GOOD, "one.csv"), write(GOOD, "two.csv"))
    assert (result.code, result.out) == (ExitCode.REFUSED, "two.csv.results.csv\n")
    assert "one.csv: " in result.err
    assert "can't be used: Is a directory." in result.err


def test_pipe_is_processed_and_results_go_to_standard_output(cli: CommandLine) -> None:
    result = cli("batch", "run", "-", input=GOOD)
    assert (result.code, result.out.splitlines()[1]) == (ExitCode.DONE, '1,addition,"[1, 2]",3,5,15,')
    assert "standard input: completed, 2 rows" in result.err
    assert cli("batch", "run", write(GOOD), "-o", "-").out.splitlines()[2].startswith("2,multiplication")


def test_json_names_only_results_that_stay(new_user: Callable[..., CommandLine]) -> None:
    user = new_user(credit=100)
    piped = json.loads(user("batch", "run", "-", "--json", input=GOOD).out)
    assert len(Path(piped["results"]).read_text().splitlines()) == 3
    file = write(GOOD)
    assert json.loads(user("batch", "quote", file, "--json").out)["results"] is None
    Path("sub").mkdir()
    same = write(GOOD.replace("1, 2", "3, 4"), "sub/operations.csv")
    printed = user("batch", "run", file, same, "-o", "-").out.splitlines()
    assert [line.split(",")[-4] for line in printed] == ["result", "3", "6", "result", "7", "6"]


def test_file_that_runs_out_of_credit_continues_at_the_same_row(cli: CommandLine, root: CommandLine) -> None:
    file = write(HEADER + 'addition,"[1, 2]"\n' * 6)
    broke = cli("batch", "run", file)
    assert broke.code == ExitCode.NO_CREDIT
    assert "out of credit, 4 rows, 0 failed, 20 credits spent. The balance does not cover row 5" in broke.err
    assert "Continue it: restcalc batch resume " in broke.err
    assert len(Path(broke.out.strip()).read_text().splitlines()) == 5
    assert cli("batch", "run", file).code == ExitCode.NO_CREDIT
    assert root("credit", cli.email, 100, "--reason", "more").code == 0
    completed = cli("batch", "run", file)
    assert (completed.code, "completed, 6 rows, 0 failed, 30 credits" in completed.err) == (
        ExitCode.DONE,
        True,
    )
    assert spent(cli) == 30
    assert unfinished(cli) == []
    assert cli("batch", "run", file).code == ExitCode.DONE
    assert spent(cli) == 60, "a file that completed is processed anew"


def test_anew_does_not_continue_a_stopped_task(cli: CommandLine) -> None:
    file = write(GOOD)
    limited = cli("batch", "run", file, "--max-spend", "7.5")
    assert (limited.code, "max_spend of 7.5" in limited.err) == (ExitCode.NO_CREDIT, True)
    assert cli("batch", "run", file, "--anew").code == ExitCode.DONE
    assert spent(cli) == 15


def test_quote_prices_a_file_and_start_charges_it(cli: CommandLine) -> None:
    quoted = cli("batch", "quote", write(MIXED))
    assert quoted.code == ExitCode.ROWS_FAILED
    assert [line.split() for line in quoted.out.splitlines()[:5]] == [
        ["operation", "rows", "price", "credits"],
        ["addition", "2", "5", "10"],
        ["multiplication", "1", "5", "5"],
        ["substraction", "1", "5", "5"],
        ["total", "4", "20"],
    ]
    assert quoted.out.splitlines()[5:] == [
        "row 3, line 5: Division by zero.",
        "row 6, line 8: there is no operation 'cube'",
    ]
    assert cli("balance").out == "20\n"
    task = quoted.err.split()[-1]
    started = cli("batch", "start", task)
    assert started.code == ExitCode.ROWS_FAILED
    assert "operations.csv: completed, 6 rows, 2 failed, 20 credits spent." in started.err
    again = cli("batch", "start", task)
    assert (again.code, again.err) == (
        ExitCode.REFUSED,
        "The task is completed: only tasks that are quoted can be started."
        f" Download its results with `restcalc batch results {task}`.\n",
    )
    assert cli("batch", "results", task).out == "operations.csv.results.csv\n"
    assert len(Path("operations.csv.results.csv").read_text().splitlines()) == 7
    assert cli("batch", "results", task, "-o", "-").out == Path("operations.csv.results.csv").read_text()


def test_quote_shows_the_first_bad_rows(cli: CommandLine) -> None:
    *bad, more = cli("batch", "quote", write(GOOD + "cube,[1]\n" * 23)).out.splitlines()[4:]
    assert [line.partition(",")[0] for line in bad] == [f"row {number}" for number in range(3, 23)]
    assert more.startswith("and 3 more bad rows: restcalc batch results ")


def test_quote_keeps_the_csv_modules_limit_of_the_process(cli: CommandLine) -> None:
    limit = csv.field_size_limit()
    assert cli("batch", "quote", write(GOOD)).code == 0
    assert csv.field_size_limit() == limit


def test_terminal_shows_a_bar_and_the_end(cli: CommandLine) -> None:
    result = cli("batch", "run", write(GOOD), terminal=True, COLUMNS="120")
    assert result.out == "operations.csv.results.csv\n"
    *_, last, ended = plain(result.err).splitlines()
    shown = last.split()
    assert shown[:5] + shown[-2:] == ["operations.csv", "completed", "━" * 20, "2", "rows,", "10", "spent"]
    assert ended == "operations.csv: completed, 2 rows, 0 failed, 10 credits spent."


def test_two_runs_of_a_file_at_once_are_one(cli: CommandLine) -> None:
    file = write(GOOD)
    with local_files([str(file)]) as (found,), files_run(cli) as run:
        for _ in range(2):  # without an unfinished entry, and with one
            entry = run._entry(found)
            second = cli("batch", "run", file)
            entry.keep()
            assert (second.code, "Another `restcalc` is processing operations.csv." in second.err) == (
                ExitCode.REFUSED,
                True,
            )
    assert cli("batch", "run", file).code == ExitCode.DONE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.csv",), "none.csv does not exist."),
        (("sub",), "sub is not a file."),
        (("empty.csv",), "empty.csv is empty."),
        (("good.csv", "good.csv"), "A file is given twice."),
        (
            ("good.csv", "other.csv", "-o", "one.csv"),
            "other.csv would overwrite one.csv, which belongs to good",
        ),
        (("good.csv", "sub/good.csv", "-o", "sub"), "sub/good.csv would overwrite sub/good.csv.results.csv"),
        (("good.csv", "-o", "good.csv"), "would overwrite good.csv"),
        (("good.csv", "-o", "-", "--json"), "--json and --results - both use standard output."),
        (("good.csv", "--max-spend", "0"), "0 is not more than 0"),
        (("good.csv", "--max-spend", "nan"), "'nan' is not a number of credits"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_arguments_send_nothing(
    new_user: Callable[..., CommandLine], arguments: tuple[str, ...], message: str
) -> None:
    user = new_user()
    Path("sub").mkdir()
    for name, content in {"good.csv": GOOD, "sub/good.csv": GOOD, "other.csv": GOOD, "empty.csv": ""}.items():
        write(content, name)
    result = user("batch", "run", *arguments)
    assert (result.code, result.out, message in result.err) == (ExitCode.USAGE, "", True), result.err
    assert user("batch", "list").rows[1:] == []
