"""The schema and the default rows: they match the metadata, and set-up is idempotent."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pg8000.exceptions import DatabaseError
from pg8000.native import Connection
from sqlalchemy import create_engine, pool

import migrations.handler
from migrations.handler import PRICED, handler
from shared import database, tasks
from shared.auth import passwords
from shared.database.tables import metadata
from shared.database.url import PostgresUrl
from shared.errors import ServiceUnavailable, SettingsError
from shared.operations.catalog import CATALOG
from shared.settings import settings
from tests.integration.conftest import Server
from tests.support.charging import charge
from tests.support.old_schema import ALL_MIGRATIONS, migrate_to, name_of
from tests.support.users import Person, create_api_key

Sql = Callable[..., list[list[Any]]]

HEAD = sorted(path.name for path in migrations.handler.MIGRATIONS.glob("versions/0*.py"))[-1][:4]
ALTERING = f"""
from alembic import op

revision, down_revision = "9999", "{HEAD}"


def upgrade() -> None:
    op.execute("CREATE TABLE half_done ()")
    op.execute("ALTER TABLE records ADD COLUMN note text")
"""


def test_migrated_schema_matches_the_metadata(server: Server, database_url: str) -> None:
    import pg8000.dbapi

    engine = create_engine(
        "postgresql+pg8000://",
        creator=lambda: pg8000.dbapi.connect(
            "postgres",
            database=name_of(database_url),
            sock=PostgresUrl.parse(database_url).open_socket(5),
            ssl_context=False,
        ),
        poolclass=pool.NullPool,
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_constraints_and_indexes_have_the_names_of_the_metadata(sql: Sql) -> None:
    named = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints | table.indexes  # type: ignore[operator]
    }
    rows = sql(
        """SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
           UNION SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"""
    )
    assert {name for (name,) in rows} - {"alembic_version_pkc"} == named


def test_only_rate_limits_is_unlogged(sql: Sql) -> None:
    unlogged = {name for name, table in metadata.tables.items() if "UNLOGGED" in table._prefixes}
    rows = sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'")
    assert {name for (name,) in rows} == unlogged == {"rate_limits"}


def test_set_up_creates_six_prices_the_admin_and_the_client(sql: Sql) -> None:
    assert sql("SELECT type, cost FROM operations ORDER BY created_at") == [[name, 5] for name in PRICED]
    accounts = sql("SELECT email, role, balance, password_hash FROM users ORDER BY created_at")
    assert [account[:3] for account in accounts] == [
        ["defaultadmin@admin.as", "admin", 1000],
        ["defaultclient@client.as", "client", 20],
    ]
    for (*_, encoded), password in zip(accounts, ("adminpass", "Test1234!"), strict=True):
        assert passwords.verify(password, encoded)


@pytest.mark.usefixtures("database_url")
def test_audit_is_clean_after_set_up() -> None:
    assert database.run("audit", user_ids=None) == []


def contents(sql: Sql) -> list[list[Any]]:
    return [
        *sql("SELECT id, type, cost, deleted_at FROM operations ORDER BY id"),
        *sql("SELECT id, email, password_hash, balance, deleted_at FROM users ORDER BY id"),
        *sql("SELECT seq, amount FROM ledger ORDER BY seq"),
        *sql("SELECT * FROM alembic_version"),
    ]


def test_second_set_up_changes_nothing(sql: Sql) -> None:
    before = contents(sql)
    assert handler({}, None)["created"] == []
    assert contents(sql) == before


def test_second_set_up_does_not_restore_deleted_prices_and_accounts(sql: Sql) -> None:
    sql("UPDATE operations SET deleted_at = now() WHERE type = 'division'")
    sql("UPDATE operations SET cost = 9 WHERE type = 'addition'")
    sql("UPDATE users SET deleted_at = now() WHERE email = 'defaultclient@client.as'")
    before = contents(sql)
    assert handler({}, None)["created"] == []
    assert contents(sql) == before


def test_operation_added_to_the_code_has_no_price(sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOG, "modulo", CATALOG["division"])
    assert handler({}, None)["created"] == []
    assert sql("SELECT cost FROM operations WHERE type = 'modulo'") == []


@pytest.mark.parametrize("published", ["CLIENT_PASSWORD", "ADMIN_PASSWORD"])
def test_production_rejects_a_default_password_before_any_change(
    server: Server, empty_database_url: str, monkeypatch: pytest.MonkeyPatch, published: str
) -> None:
    monkeypatch.setenv("CONFIG_TYPE", "production")
    monkeypatch.setenv("CLIENT_PASSWORD", "Private1234!")
    monkeypatch.setenv("ADMIN_PASSWORD", "Private5678!")
    monkeypatch.delenv(published)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=published):
        handler({}, None)
    with server.connect(name_of(empty_database_url)) as connection:
        assert connection.run("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_production_set_up_uses_the_configured_passwords(
    server: Server, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIG_TYPE", "production")
    monkeypatch.setenv("CLIENT_PASSWORD", "Private1234!")
    monkeypatch.setenv("ADMIN_PASSWORD", "Private5678!")
    settings.cache_clear()
    assert len(handler({}, None)["created"]) == len(PRICED) + 2
    with server.connect(name_of(empty_database_url)) as connection:
        hashes = connection.run("SELECT password_hash FROM users ORDER BY created_at")
    kept = [encoded for (encoded,) in hashes]
    assert passwords.verify("Private5678!", kept[0])
    assert passwords.verify("Private1234!", kept[1])


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the migration of a next release, which alters a table."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.handler.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_altering.py").write_text(ALTERING)
    monkeypatch.setattr(migrations.handler, "MIGRATIONS", folder)


def test_migration_normalizes_stored_emails_unless_the_result_is_in_use(
    server: Server, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate_to(tmp_path, monkeypatch, "000[6-9]*", "00[1-9]*")
    stored = [
        ("e\u0301mile@example.com", False),
        ("stra\u00dfe@example.com", False),
        ("strasse@example.com", False),  # keeps its e-mail; the one above keeps its old spelling
        ("\u03c2a@example.com", True),
        ("\u03c3a@example.com", False),
        ("zo\u00eb@example.com", False),
    ]
    insert = """INSERT INTO users (id, email, password_hash, role, balance, deleted_at)
                VALUES (gen_random_uuid(), :email, '', 'client', 0, CASE WHEN :deleted THEN now() END)"""
    with server.connect(name_of(empty_database_url)) as connection:
        for email, deleted in stored:
            connection.run(insert, email=email, deleted=deleted)
        handler({}, None)
        found = connection.run("SELECT email FROM users WHERE role = 'client' ORDER BY created_at")
    assert [email for (email,) in found if "example.com" in email] == [
        "\u00e9mile@example.com",
        "stra\u00dfe@example.com",
        "strasse@example.com",
        "\u03c2a@example.com",
        "\u03c3a@example.com",
        "zo\u00eb@example.com",
    ]


def test_migrating_transaction_reads_no_large_table(
    server: Server, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indexes are built and replaced and constraints validated later. A failure of that fails no deploy."""
    invalid = "SELECT conname FROM pg_constraint WHERE NOT convalidated ORDER BY 1"
    index = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('tasks_without_results_idx')"
    migrate_to(tmp_path, monkeypatch, "0009*", "001*")
    with server.connect(name_of(empty_database_url)) as connection:
        with monkeypatch.context() as slow:
            slow.setattr(migrations.handler, "MIGRATIONS", tmp_path / "next")
            shutil.copytree(ALL_MIGRATIONS, tmp_path / "next")
            environment = tmp_path / "next" / "env.py"
            environment.write_text(environment.read_text("utf-8").replace('"30s"', '"broken"'), "utf-8")
            handler({}, None)
        assert connection.run(index) == []
        assert {"newest_idx", "newest_of_all_idx"} < set(indexes_of_records(connection))
        assert [name for (name,) in connection.run(invalid)] == [
            "api_keys_limit_check",
            "ledger_kind_check",
            "tasks_max_spend_check",
            "tasks_status_check",
            "users_low_balance_threshold_check",
            "users_status_check",
        ]
        handler({}, None)
        assert (connection.run(index), connection.run(invalid)) == ([[True]], [])
        connection.run(f"UPDATE pg_index SET indisvalid = false {index[index.index('WHERE') :]}")
        handler({}, None)
        assert connection.run(index) == [[True]]
        assert indexes_of_records(connection) == ["by_date_idx", "by_user_idx", "pkey", "task_row_key"]


def indexes_of_records(connection: Connection) -> list[str]:
    names = connection.run("SELECT indexname FROM pg_indexes WHERE tablename = 'records' ORDER BY 1")
    return [name.removeprefix("records_") for (name,) in names]


@pytest.mark.parametrize("ignored", ["cost = 0", "max_spend = 1", "api_key_id = (SELECT id FROM api_keys)"])
def test_version_1_1_charges_no_rows_of_a_task_whose_limits_it_ignores(
    client: Person, sql: Sql, ignored: str
) -> None:
    create_api_key(client.id, limit_amount=Decimal(1), limit_per="total")
    task_id, _ = tasks.create(client.caller, "a.csv", 9, "queued")
    charge = f"""INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
                 SELECT gen_random_uuid(), user_id, 'batch', -5, 20, 15,
                        jsonb_build_object('task_id', id, 'first_row', 1, 'last_row', 1)
                 FROM tasks WHERE id = '{task_id}'"""
    sql(charge)
    sql(f"UPDATE tasks SET {ignored}")
    with pytest.raises(DatabaseError, match="cannot process a dry run"):
        sql(charge)


ALL_SCOPES = ["read", "compute", "batch", "admin"]
OLD_CALLER = "SELECT id, role FROM caller(CAST(:session_id AS uuid), CAST(:api_key_hash AS bytea))"
OLD_CHARGE = "SELECT id, balance FROM caller(CAST(:session_id AS uuid), CAST(:api_key_hash AS bytea))"
"""How version 1.1 looks the caller up, in `caller.sql` and `charge.sql`."""


@pytest.mark.parametrize(
    ("key", "status", "is_found"),
    [
        ({}, "active", True),
        ({"expires_at": datetime.now(UTC) + timedelta(days=1)}, "active", True),
        ({}, "inactive", False),
        ({"expires_at": datetime.now(UTC) - timedelta(days=1)}, "active", False),
        ({"limit_amount": Decimal(9), "limit_per": "day"}, "active", False),
        *(
            ({"scopes": [kept for kept in ALL_SCOPES if kept != scope]}, "active", False)
            for scope in ALL_SCOPES
        ),
    ],
    ids=["all rights", "future expiry", "inactive", "expired", "limited", *(f"no {it}" for it in ALL_SCOPES)],
)
def test_version_1_1_finds_no_caller_for_a_key_whose_limits_it_ignores(
    admin: Person, sql: Sql, key: dict[str, Any], status: str, is_found: bool
) -> None:
    presented = create_api_key(admin.id, **{"scopes": ALL_SCOPES, **key}).credentials.parameters()
    sql("UPDATE users SET status = :status WHERE id = :id", status=status, id=admin.id)
    assert sql(OLD_CALLER, **presented) == ([[admin.id, "admin"]] if is_found else [])
    assert sql(OLD_CHARGE, **presented) == ([[admin.id, 20]] if is_found else [])


def test_version_1_1_finds_the_active_user_of_a_session(client: Person, sql: Sql) -> None:
    presented = client.credentials.parameters()
    assert sql(OLD_CALLER, **presented) == [[client.id, "client"]]
    sql("UPDATE users SET status = 'inactive' WHERE id = :id", id=client.id)
    assert sql(OLD_CALLER, **presented) == []


def test_version_1_1_finds_the_user_of_a_key_that_it_created(client: Person, sql: Sql) -> None:
    sql(
        """INSERT INTO api_keys (id, user_id, name, key_hash)
           VALUES (gen_random_uuid(), :user_id, 'old', sha256('old'))""",
        user_id=client.id,
    )
    presented = {"session_id": None, "api_key_hash": sha256(b"old").digest()}
    assert sql(OLD_CALLER, **presented) == [[client.id, "client"]]


def test_webhooks_from_before_due_times_get_their_events(
    server: Server, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate_to(tmp_path, monkeypatch, "001[1-9]*")
    with server.connect(name_of(empty_database_url)) as connection:
        connection.run(
            """INSERT INTO users (id, email, password_hash, role, balance)
               VALUES (gen_random_uuid(), 'a@example.com', '', 'client', 0)"""
        )
        connection.run(
            """INSERT INTO webhooks (id, user_id, url, events, secret, deleted_at)
               SELECT gen_random_uuid(), id, 'https://example.com', '{task.failed}', 'whsec_', deleted
               FROM users, (VALUES (NULL::timestamptz), (now())) AS one (deleted)"""
        )
        connection.run("SELECT emit_event(id, 'task.failed', '{}') FROM users")
        handler({}, None)
        claimed = database.run("claim_deliveries", row_limit=10, lease=240, lease_limit=3)
        assert [row["number"] for row in claimed] == [1]
        secrets = connection.run("SELECT secret FROM webhooks ORDER BY deleted_at NULLS LAST")
        assert secrets == [[""], ["whsec_"]]


def columns(sql: Sql) -> list[list[Any]]:
    return sql(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " ORDER BY 1, 2"
    )


def test_set_up_returns_the_revision_of_the_database(next_migration: None, sql: Sql) -> None:
    assert handler({}, None)["revision"] == "9999"
    assert ["records", "note"] in columns(sql)


def test_older_code_keeps_a_newer_schema_and_seeds(
    sql: Sql, client: Person, caplog: pytest.LogCaptureFixture
) -> None:
    sql("ALTER TABLE records ADD COLUMN note text")
    sql("UPDATE alembic_version SET version_num = 'a later one'")
    sql("DELETE FROM operations WHERE type = 'division'")
    before = columns(sql)
    assert handler({}, None) == {"revision": "a later one", "created": ["division"]}
    assert columns(sql) == before
    assert "the database is ahead of this code: not migrated" in caplog.messages
    assert charge(client).body


def test_migration_that_cannot_lock_a_table_fails_and_changes_nothing(
    next_migration: None, server: Server, database_url: str, sql: Sql
) -> None:
    before = [*columns(sql), *contents(sql)]
    with server.connect(name_of(database_url)) as batch:
        batch.run("BEGIN")
        batch.run("LOCK TABLE records IN ROW EXCLUSIVE MODE")  # as COPY does
        with pytest.raises(ServiceUnavailable, match="was in use"):
            handler({}, None)
        batch.run("ROLLBACK")
    assert [*columns(sql), *contents(sql)] == before
    assert handler({}, None)["revision"] == "9999"


def test_migrate_function_audits_without_changes(next_migration: None, client: Person, sql: Sql) -> None:
    passed = handler({"audit": True}, None)
    assert (passed["finished"], passed["findings"]) == (True, [])
    sql("UPDATE users SET balance = balance + 7 WHERE id = :id", id=client.id)
    before = [*columns(sql), *contents(sql)]
    (line,) = handler({"audit": True}, None)["findings"]
    assert client.email in line
    assert [*columns(sql), *contents(sql)] == before
