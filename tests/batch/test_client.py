"""The command-line client against the whole service."""

from pathlib import Path

import pytest

from tests.support.batch.harness import mixed_file
from tests.support.batch.service import RunningService, run_client
from tests.support.eventually import eventually

GOOD = b'operation,arguments\naddition,"[1, 2]"\nmultiplication,"[2, 3]"\n'


def write(folder: Path, content: bytes) -> Path:
    file = folder / "operations.csv"
    file.write_bytes(content)
    return file


def test_client_uploads_a_file_and_downloads_its_results(running: RunningService, tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    result = run_client(running, file, running.client(credit=0).email)
    assert (result.returncode, result.stderr.count("completed: 2 rows, 0 failed, 10 credits spent.")) == (
        0,
        1,
    )
    results = tmp_path / "operations.csv.results.csv"
    assert result.stdout.strip() == str(results)
    assert results.read_text().splitlines()[1:] == [
        '1,addition,"[1, 2]",3,5,15,',
        '2,multiplication,"[2, 3]",6,5,10,',
    ]
    assert sorted(tmp_path.iterdir()) == [file, results]


def test_client_exits_with_1_if_rows_failed(running: RunningService, tmp_path: Path) -> None:
    result = run_client(running, write(tmp_path, mixed_file(200, 1)), running.client().email)
    assert result.returncode == 1
    assert "completed: 200 rows" in result.stderr
    assert len((tmp_path / "operations.csv.results.csv").read_text().splitlines()) == 201


def test_client_exits_with_2_and_the_reason_if_the_task_does_not_complete(
    running: RunningService, tmp_path: Path
) -> None:
    account = running.client(credit=0)
    result = run_client(running, write(tmp_path, GOOD + GOOD.partition(b"\n")[2] * 9), account.email)
    assert result.returncode == 2
    assert "out of credit: 4 rows, 0 failed, 20 credits spent." in result.stderr
    assert "The balance does not cover row 5 (line 6)." in result.stderr
    result = run_client(running, write(tmp_path, b"no CSV of ours"), running.client().email)
    assert result.returncode == 2
    assert "The first line must be 'operation,arguments', not 'no CSV of ours'." in " ".join(
        result.stderr.split()
    )


QUOTED = (
    GOOD + b"\n" + b'division,"[1, 0]"\n' + b'subtraction,"[1, 2]"\n' + b'addition,"[3, 4]"\n' + b"cube,[1]\n"
)
PRICES = """\
operation       rows  price  credits
addition           2      5       10
multiplication     1      5        5
substraction       1      5        5
total              4              20
row 3, line 5: Division by zero.
row 6, line 8: there is no operation 'cube'
"""


def test_client_prints_a_quote_and_starts_its_task(running: RunningService, tmp_path: Path) -> None:
    file, account = write(tmp_path, QUOTED), running.client(credit=0)
    results = tmp_path / "operations.csv.results.csv"
    quoted = run_client(running, file, account.email, "--quote")
    assert quoted.returncode == 1
    assert "quoted: 6 rows, 2 failed, 0 credits spent." in quoted.stderr
    printed = "".join(f"{line.strip()}\n" for line in quoted.stdout.splitlines())
    assert printed == f"{PRICES}{results}\n"
    assert [line.partition(",")[0] for line in results.read_text().splitlines()] == ["row", "3", "6"]
    (_, _, option, task_id) = quoted.stderr.splitlines()[-1].rsplit(" ", 3)
    assert option == "--start"
    started = run_client(running, file, account.email, "--start", task_id)
    assert (started.returncode, started.stdout) == (1, f"{results}\n")
    assert "completed: 6 rows, 2 failed, 20 credits spent." in started.stderr
    assert len(results.read_text().splitlines()) == 7
    again = run_client(running, file, account.email, "--start", task_id)
    assert again.returncode == 2
    assert "only tasks that are quoted can be started. (409)" in again.stderr


def test_client_prints_the_first_bad_rows_of_a_quote(running: RunningService, tmp_path: Path) -> None:
    file = write(tmp_path, GOOD + b"cube,[1]\n" * 23)
    quoted = run_client(running, file, running.client().email, "--quote")
    *bad_rows, more, _ = quoted.stdout.splitlines()[4:]
    assert [line.partition(",")[0] for line in bad_rows] == [f"row {n}" for n in range(3, 23)]
    assert more == "and 3 more bad rows"


def test_client_stops_a_task_at_max_spend_and_has_results_of_the_rows_before(
    running: RunningService, tmp_path: Path
) -> None:
    file, email = write(tmp_path, GOOD), running.client().email
    limited = run_client(running, file, email, "--max-spend", "7.5")
    assert limited.returncode == 2
    assert "out of credit: 1 rows, 0 failed, 5 credits spent. The task's max_spend of 7.5" in limited.stderr
    results = Path(limited.stdout.strip())
    assert results.read_text().splitlines()[1].startswith('1,addition,"[1, 2]",3,5,')
    assert len(results.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--max-spend", "0"),
        ("--max-spend", "nan"),
        ("--start", "x", "--quote"),
        ("--start", "x", "--max-spend", "1"),
    ],
    ids=" ".join,
)
def test_client_rejects_invalid_options(
    running: RunningService, tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = run_client(running, write(tmp_path, GOOD), "unused", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--max-spend" in result.stderr or "--start" in result.stderr
    assert "Traceback" not in result.stderr


def test_client_errors_have_no_traceback_and_no_password(running: RunningService, tmp_path: Path) -> None:
    file, email = write(tmp_path, GOOD), running.client().email
    wrong = run_client(running, file, email, RESTCALCULATOR_PASSWORD="wrong-password-1!")
    unreachable = run_client(running, file, email, RESTCALCULATOR_URL="http://127.0.0.1:9")
    no_password = run_client(running, file, email, RESTCALCULATOR_PASSWORD="")
    missing = run_client(running, tmp_path / "none.csv", email)
    empty = run_client(running, write(tmp_path, b""), email)
    messages = [
        " ".join(result.stderr.split()) for result in (wrong, unreachable, no_password, missing, empty)
    ]
    assert all(result.returncode == 2 for result in (wrong, unreachable, no_password, missing, empty))
    assert "(401)" in messages[0]
    assert "can't be reached" in messages[1]
    assert "RESTCALCULATOR_PASSWORD" in messages[2]
    assert "is not a file" in messages[3]
    assert "is empty" in messages[4]
    assert all("Traceback" not in text and "password-1!" not in text for text in messages)


def test_client_refreshes_an_expired_session(running: RunningService) -> None:
    account = running.client()
    account._http.cookies.delete("access_token_cookie")
    assert account.call("GET", "/api/v1/users/me").json()["email"] == account.email
    task_id = account.begin(GOOD)
    assert eventually(lambda: account.ended(task_id), 30)["status"] == "completed"
