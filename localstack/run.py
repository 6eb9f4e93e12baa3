"""The offline cloud's command line:
`python -m localstack.run [up | down | logs | reset-db | audit | demo | exec COMMAND…]`.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from deploy.environment import ROOT
from localstack import lifeline
from localstack.data_folder import DataFolder
from localstack.stack_settings import CannotStart, Settings

_SCREEN = """
  restcalculator is ready, after {seconds:.1f} s

  console    {url}/
  API        {url}
  docs       {url}/docs
  health     {url}/health
  client     defaultclient@client.as / {client}
  admin      defaultadmin@admin.as / {admin}
  Postgres   {database}
  S3, SQS    {endpoint}
  log        {log}

  Try it:

    curl -i {url}/login -H 'Content-Type: application/json' \\
      -d '{{"email": "defaultclient@client.as", "password": "{password}"}}'

  Stop it with Ctrl-C, or `make down` in another terminal. `make build-local-db` deletes the data.
"""


def up(settings: Settings) -> int:
    """Run all parts until Ctrl-C, SIGTERM, or the unexpected end of a part (exit code 1)."""
    from localstack.stack import Stack

    # `make deploy` reads the same .env, so without this check a laptop could serve production's database.
    if settings.variables.get("CONFIG_TYPE") == "production":
        raise CannotStart("CONFIG_TYPE=production is for `make deploy`. Set it to local, or remove it.")
    began = time.monotonic()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lifeline.end_once)
    log = DataFolder(settings.data_dir).log
    try:
        with Stack(settings, on_start=lambda part: _print(f"starting {part} …"), on_line=_print) as stack:
            _print(_screen(stack.url, stack.environment, settings, began))
            ended_part = stack.wait()
    except KeyboardInterrupt:
        _print("stopped")
        return 0
    raise CannotStart(
        f"{ended_part} ended unexpectedly, so `make up` stopped the service. The log has the cause: {log}"
    )


def down(settings: Settings) -> int:
    """Stop the service that `up` started in another terminal, and wait until it has ended."""
    folder = DataFolder(settings.data_dir)
    owner = folder.owner()
    if owner is None:
        _stop_leftover_postgres(folder)
        _print(f"Nothing is running in {folder.folder}.")
        return 0
    os.kill(owner, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while folder.owner() is not None:
        if time.monotonic() > deadline:
            raise CannotStart(f"Process {owner} has not ended within 30 s.")
        time.sleep(0.05)
    _print("stopped")
    return 0


def logs(settings: Settings) -> int:
    """Follow the log with `tail -F` until Ctrl-C."""
    log = DataFolder(settings.data_dir).log
    os.execvp("tail", ["tail", "-n", "100", "-F", str(log)])  # noqa: S606, S607


def reset_db(settings: Settings) -> int:
    """Recreate the database, bucket and queues, whether the service is running or not."""
    from localstack.cloud import Cloud
    from localstack.postgres import recreate
    from localstack.stack import Stack

    folder = DataFolder(settings.data_dir)
    if environment := folder.published():
        Cloud.connect(environment).empty()
        recreate(environment["AWS_PGSQL_PATH"])
        code = _run([sys.executable, "-m", "localstack.runtime", "migrate"], settings, environment)
        if code:
            return code
    else:
        with folder.locked():
            _stop_leftover_postgres(folder)
            shutil.rmtree(folder.postgres, ignore_errors=True)
            shutil.rmtree(folder.emulator, ignore_errors=True)
            if settings.database_url:
                recreate(settings.database_url)
        with Stack(replace(settings, port=0, edge_port=0)) as stack:
            Cloud.connect(stack.environment).empty()
    _print("Recreated the database with the default users and operations, and emptied the bucket and queues.")
    return 0


def audit(settings: Settings) -> int:
    """Audit the service's database without migrating it, whether the service is running or not.

    Return the exit status of shared.billing.audit.
    """
    from localstack.postgres import Postgres

    command, folder = [sys.executable, "-m", "shared.billing.audit"], DataFolder(settings.data_dir)
    if environment := folder.published():
        return _run(command, settings, environment)
    if settings.database_url:
        return _run(command, settings, {"AWS_PGSQL_PATH": settings.database_url})
    if not folder.postgres.exists():
        print(f"There is no database in {folder.folder} yet. `make up` creates it.", file=sys.stderr)
        return 2
    with folder.locked():
        postgres = Postgres(folder.postgres)
        postgres.start()
        try:
            return _run(command, settings, {"AWS_PGSQL_PATH": postgres.url})
        finally:
            postgres.stop()


def demo(settings: Settings) -> int:
    """Fill the running service with a month of use."""
    from localstack.demo import PASSWORD, fill

    environment = DataFolder(settings.data_dir).published()
    if environment is None:
        raise CannotStart("The service is not running. Start it with `make up` in another terminal.")
    url = environment["RESTCALCULATOR_URL"]
    fill(url, environment["AWS_PGSQL_PATH"], settings.variables.get("ADMIN_PASSWORD") or "adminpass")
    _print(
        f"\n  The demo is ready: {url}\n  Sign in as ada@example.com / {PASSWORD}, or as the default admin.\n"
    )
    return 0


def execute(settings: Settings, command: list[str]) -> int:
    """Run a command with the functions' variables. If the service is not running, run it for the command."""
    from localstack.stack import Stack

    if environment := DataFolder(settings.data_dir).published():
        return _run(command, settings, environment)
    with Stack(replace(settings, port=0, edge_port=0)) as stack:
        return _run(command, settings, stack.environment)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m localstack.run", description=__doc__)
    parsers = parser.add_subparsers(dest="action")
    for name in ("up", "down", "logs", "reset-db", "audit", "demo"):
        parsers.add_parser(name)
    parsers.add_parser("exec").add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environment()
        if arguments.action == "exec":
            return execute(settings, arguments.command)
        actions = {"down": down, "logs": logs, "reset-db": reset_db, "audit": audit, "demo": demo}
        return actions.get(arguments.action, up)(settings)
    except CannotStart as reason:
        print(f"\n{reason}", file=sys.stderr)
        return 1
    except OSError as error:  # for example a full disk, or a folder without write permission
        print(f"\nThe command failed: {error}", file=sys.stderr)
        return 1


def _run(command: list[str], settings: Settings, environment: dict[str, str]) -> int:
    variables = {**os.environ, **settings.variables, **environment}
    return subprocess.run(command, env=variables, cwd=ROOT, check=False).returncode


def _stop_leftover_postgres(folder: DataFolder) -> None:
    """Stop the Postgres of a killed `make up`, which survives as a daemon."""
    if (folder.postgres / "postmaster.pid").exists():
        from localstack.postgres import Postgres

        server = Postgres(folder.postgres)
        server.start()
        server.stop()


def _screen(url: str, environment: Mapping[str, str], settings: Settings, began: float) -> str:
    client, admin = settings.variables.get("CLIENT_PASSWORD"), settings.variables.get("ADMIN_PASSWORD")
    return _SCREEN.format(
        seconds=time.monotonic() - began,
        url=url,
        database=_without_password(environment["AWS_PGSQL_PATH"]),
        endpoint=environment["AWS_ENDPOINT_URL"],
        log=os.path.relpath(DataFolder(settings.data_dir).log),
        client="the value of CLIENT_PASSWORD" if client else "Test1234!",
        admin="the value of ADMIN_PASSWORD" if admin else "adminpass",
        password="$CLIENT_PASSWORD" if client else "Test1234!",
    )


def _without_password(url: str) -> str:
    """Return the database's URL for `psql`, without the password."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return parts._replace(netloc=user + parts.netloc.rpartition("@")[2]).geturl()


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
