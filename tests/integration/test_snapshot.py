"""Two environments restored from one snapshot (SnapStart) share what was there after the imports.

Here they are two forks of a process that has imported every function: nothing may be the same in
both that must differ, and no connection may be there yet.
"""

import json
import subprocess
import sys

from deploy.environment import ROOT
from deploy.serverless_file import Service

RESTORED_TWICE = """
import importlib, json, os, sys

opened = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        opened.append(arguments)
sys.addaudithook(watch)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
assert not opened, opened

from uuid import UUID, uuid4
from shared import database
from shared.auth import caller as auth
from shared.operations import random_string
from shared.auth import tokens
from shared.ids import uuid7
from shared import database

for _ in range(2):
    if os.fork() == 0:
        database.run("health")
        (row,) = database.query("SELECT pg_backend_pid() AS pid", {})
        pair = tokens.issue(UUID(int=1), UUID(int=2), "client")
        made = [uuid4(), uuid7().int & (1 << 62) - 1, auth.new_api_key()[0], random_string.next_string(),
                pair.csrf, pair.refresh_id, row["pid"]]
        os.write(1, json.dumps([str(one) for one in made]).encode() + b"\\n")
        os._exit(0)
for _ in range(2):
    os.wait()
"""


def test_what_two_restored_environments_make_differs_in_everything(database_url: str) -> None:
    service = Service.load(ROOT / "serverless.yml", {})
    modules = sorted({f.handler.rpartition(".")[0].replace("/", ".") for f in service.functions.values()})
    done = subprocess.run(
        [sys.executable, "-c", RESTORED_TWICE, json.dumps(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    one, other = (json.loads(line) for line in done.stdout.splitlines())
    assert [a for a, b in zip(one, other, strict=True) if a == b] == []
