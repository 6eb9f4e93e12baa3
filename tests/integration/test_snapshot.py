"""Two environments restored from one snapshot (SnapStart) share all state that the imports created.

Two forks of a process that imported every function stand for them. Values that must be unique must differ,
and importing must not open a connection.
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
        values = [uuid4(), uuid7().int & (1 << 62) - 1, auth.new_api_key()[0], random_string.next_string(),
                pair.csrf, pair.refresh_id, row["pid"]]
        os.write(1, json.dumps([str(one) for one in values]).encode() + b"\\n")
        os._exit(0)
for _ in range(2):
    os.wait()
"""


def test_environments_restored_from_one_snapshot_create_different_values(database_url: str) -> None:
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
