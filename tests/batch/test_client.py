"""The client, run as a user runs it, against the whole service."""

from pathlib import Path

from tests.support.batch.harness import mixed_file
from tests.support.batch.service import Running, run_client
from tests.support.eventually import eventually

GOOD = b'operation,arguments\naddition,"[1, 2]"\nmultiplication,"[2, 3]"\n'


def write(folder: Path, content: bytes) -> Path:
    file = folder / "operations.csv"
    file.write_bytes(content)
    return file


def test_a_file_goes_up_is_followed_and_its_results_come_down(running: Running, tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    ran = run_client(running, file, running.client(credit=0).email)
    assert (ran.returncode, ran.stderr.count("completed: 2 rows, 0 failed, 10 credits spent.")) == (0, 1)
    results = tmp_path / "operations.csv.results.csv"
    assert ran.stdout.strip() == str(results)
    assert results.read_text().splitlines()[1:] == [
        '1,addition,"[1, 2]",3,5,15,',
        '2,multiplication,"[2, 3]",6,5,10,',
    ]
    assert sorted(tmp_path.iterdir()) == [file, results]


def test_it_ends_with_1_when_rows_failed(running: Running, tmp_path: Path) -> None:
    ran = run_client(running, write(tmp_path, mixed_file(200, 1)), running.client().email)
    assert ran.returncode == 1
    assert "completed: 200 rows" in ran.stderr
    assert len((tmp_path / "operations.csv.results.csv").read_text().splitlines()) == 201


def test_it_ends_with_2_and_the_reason_when_the_task_does_not_complete(
    running: Running, tmp_path: Path
) -> None:
    account = running.client(credit=0)
    ran = run_client(running, write(tmp_path, GOOD + GOOD.partition(b"\n")[2] * 9), account.email)
    assert ran.returncode == 2
    assert "out of credit: 4 rows, 0 failed, 20 credits spent." in ran.stderr
    assert "The balance does not cover row 5 (line 6)." in ran.stderr
    ran = run_client(running, write(tmp_path, b"no CSV of ours"), running.client().email)
    assert ran.returncode == 2
    assert "The first line must be 'operation,arguments', not 'no CSV of ours'." in " ".join(
        ran.stderr.split()
    )


def test_its_errors_are_plain_and_never_show_the_password(running: Running, tmp_path: Path) -> None:
    file, email = write(tmp_path, GOOD), running.client().email
    wrong = run_client(running, file, email, RESTCALCULATOR_PASSWORD="wrong-password-1!")
    nowhere = run_client(running, file, email, RESTCALCULATOR_URL="http://127.0.0.1:9")
    nobody = run_client(running, file, email, RESTCALCULATOR_PASSWORD="")
    missing = run_client(running, tmp_path / "none.csv", email)
    empty = run_client(running, write(tmp_path, b""), email)
    said = [" ".join(ran.stderr.split()) for ran in (wrong, nowhere, nobody, missing, empty)]
    assert all(ran.returncode == 2 for ran in (wrong, nowhere, nobody, missing, empty))
    assert "(401)" in said[0]
    assert "can't be reached" in said[1]
    assert "RESTCALCULATOR_PASSWORD" in said[2]
    assert "is not a file" in said[3]
    assert "is empty" in said[4]
    assert all("Traceback" not in text and "password-1!" not in text for text in said)


def test_a_session_that_ends_meanwhile_is_refreshed(running: Running) -> None:
    account = running.client()
    account._http.cookies.delete("access_token_cookie")
    assert account.call("GET", "/api/v1/users/me").json()["email"] == account.email
    task_id = account.begin(GOOD)
    assert eventually(lambda: account.ended(task_id), 30)["status"] == "completed"
