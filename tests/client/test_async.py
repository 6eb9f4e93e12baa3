"""The asynchronous client, from which the synchronous one is generated."""

import asyncio
from io import BytesIO
from pathlib import Path

import pytest

from client.make_sync import PACKAGE, WRITTEN_BY_HAND, generate
from restcalc import AsyncClient, InvalidInput, Unreachable
from restcalc.calls import SessionTokens
from restcalc.models import Task
from tests.client.conftest import Service
from tests.client.test_session import expired
from tests.support.http_client import PASSWORD, new_email

FILE = b'operation,arguments\naddition,"[1, 2]"\n'


def test_synchronous_client_is_generated_from_the_asynchronous_one(tmp_path: Path) -> None:
    generate(tmp_path)
    generated = {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}
    committed = {file.name: file.read_text("utf-8") for file in (PACKAGE / "_sync").glob("*.py")}
    for name in WRITTEN_BY_HAND:
        del committed[name]
    assert generated == committed, "run `python -m client.make_sync`"


def test_calls_and_lists(service: Service) -> None:
    async def journey() -> None:
        async with AsyncClient(service.unreliable_url, api_key="") as client:
            await client.login(new_email(), PASSWORD)
            tokens = client._session
            assert tokens
            client._session = SessionTokens(expired(tokens.access), tokens.refresh)
            charged = await asyncio.gather(*(client.compute("addition", n, 1) for n in range(4)))
            assert [one.result for one in charged] == [1, 2, 3, 4]
            assert [session.current async for session in client.list_sessions()] == [True]
            records = client.list_records(page_size=1)
            assert {one.record_id for one in charged} == {record.id async for record in records}
            assert (await records.page()).total == 4
            with pytest.raises(InvalidInput, match="takes 2 to 100"):
                await client.compute("addition")
            await client.logout()

    asyncio.run(journey())


def test_files(service: Service, tmp_path: Path) -> None:
    async def journey() -> None:
        async with AsyncClient(service.unreliable_url, api_key="") as client:
            await client.login(new_email(), PASSWORD)
            seen = list[Task]()
            task = await client.wait((await client.upload(BytesIO(FILE))).id, on_change=seen.append)
            assert (task.status, seen[-1]) == ("completed", task)
            file = await client.download_results(task.id, tmp_path / "results.csv")
            assert "addition" in file.read_text("utf-8")
            export = await client.wait_export((await client.create_export("records")).id)
            assert "addition" in (await client.download_export(export.id, tmp_path / "r.csv")).read_text(
                "utf-8"
            )

    asyncio.run(journey())


def test_lost_response_is_charged_once(service: Service) -> None:
    async def journey() -> None:
        async with AsyncClient(service.unreliable_url, api_key="") as client:
            await client.login(new_email(), PASSWORD)
            with service.gateway.breaking("responses", 0):
                charged = await client.compute("addition", 1, 2)
            assert (charged.user_balance, charged.replayed) == (15, True)
            with service.gateway.breaking("responses", 0), pytest.raises(Unreachable, match="Check before"):
                await client.create_api_key("a program")
            assert (await client.list_api_keys().page()).total == 1

    asyncio.run(journey())
