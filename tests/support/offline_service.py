"""A small service for tests of the offline cloud, with handlers that report, fail, hang and crash."""

import textwrap
from pathlib import Path

from localstack.stack_settings import Settings

DECLARED = """
provider: { timeout: 40 }
functions:
  echo: { handler: functions/handlers.echo, events: [{ httpApi: "POST /echo" }, { httpApi: "GET /echo" }] }
  meet: { handler: functions/handlers.meet, events: [{ httpApi: "GET /meet/{name}" }] }
  alone: { handler: functions/handlers.alone, events: [{ httpApi: GET /alone }] }
  fail: { handler: functions/handlers.fail, events: [{ httpApi: GET /fail }] }
  hang: { handler: functions/handlers.hang, timeout: 1, events: [{ httpApi: GET /hang }] }
  tick: { handler: functions/handlers.tick, events: [{ schedule: rate(1 minute) }] }
  worker:
    handler: worker/handler.handler
    timeout: 5
    events: [{ sqs: { arn: !GetAtt WorkQueue.Arn, batchSize: 1 } }]
  migrate: { handler: migrations/handler.handler }
"""

HANDLERS = """
    import json, os, pathlib, time

    FOLDER = pathlib.Path(__file__).parent.parent / "received"
    BUSY = False

    def echo(event, context):
        return {"statusCode": 200, "headers": {"X-Pid": os.getpid()}, "body": event.get("body", "")}

    def meet(event, context):
        '''Respond once four processes handle this request at the same time.'''
        folder = FOLDER / event["pathParameters"]["name"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(os.getpid())).touch()
        deadline = time.monotonic() + 30
        while len(list(folder.iterdir())) < 4:
            if time.monotonic() > deadline:
                raise TimeoutError("fewer than four processes handle the request")
            time.sleep(0.01)
        return {"pid": os.getpid()}

    def alone(event, context):
        global BUSY
        assert not BUSY
        BUSY = True
        time.sleep(0.005)
        BUSY = False
        return "alone"

    def tick(event, context):
        FOLDER.mkdir(exist_ok=True)
        invocation = {"pid": os.getpid(), "event": event}
        (FOLDER / f"scheduled.{time.time_ns()}.json").write_text(json.dumps(invocation))

    def fail(event, context):
        raise RuntimeError("a secret")

    def hang(event, context):
        while True:
            time.sleep(60)
"""

WORKER = """
    import json, os, pathlib, signal, time

    FOLDER = pathlib.Path(__file__).parent.parent / "received"

    def handler(event, context):
        (record,) = event["Records"]
        FOLDER.mkdir(exist_ok=True)
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        body = record["body"]
        name = body if body.isidentifier() else record["messageId"]
        received = FOLDER / f"{name}.{attempt}.json"
        received.with_suffix(".part").write_text(json.dumps(event))
        received.with_suffix(".part").rename(received)  # so that no reader sees a partial file
        if body == "raises":
            raise ValueError("not today")
        if body == "reports":
            return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
        if body == "misreports":
            return {"batchItemFailures": [{"itemIdentifier": ""}]}
        if body == "crashes_once" and attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if body == "hangs_once" and attempt == 1:
            time.sleep(60)
        if body == "takes_long":
            time.sleep(2.5)
        return {"batchItemFailures": []}
"""

MIGRATION = """
    def handler(event, context):
        return {"revision": "none"}
"""


def write_service(folder: Path) -> Path:
    """Write the service into the folder. Return its serverless.yml."""
    for name, source in (("functions/handlers", HANDLERS), ("worker/handler", WORKER)):
        _write(folder, name, source)
    _write(folder, "migrations/handler", MIGRATION)
    (folder / "serverless.yml").write_text(DECLARED)
    return folder / "serverless.yml"


def settings_of(folder: Path, *, database: bool = False) -> Settings:
    """Return settings with free ports, data and service in `folder`, and immediate retries of messages."""
    return Settings(
        port=0,
        edge_port=0,
        data_dir=folder / "data",
        service_file=write_service(folder),
        database_url="" if database else "postgresql://nobody@localhost:1/none",
        batch_retry=0,
        batch_visibility=2,
    )


def _write(folder: Path, name: str, source: str) -> None:
    file = folder / f"{name}.py"
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    file.write_text(textwrap.dedent(source))
