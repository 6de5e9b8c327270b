"""URLs of databases and texts of queries: what they mean, what is shown of them, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.errors import SettingsError
from reconcile.orders.databases.url import OrdersQuery, orders_query, passwords, shown_url


def query(database: str, sql: str = "SELECT 1") -> OrdersQuery:
    found = orders_query(sql, database)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("url", "name", "target"),
    [
        ("sqlite:books.db", "sqlite:books.db", "books.db"),
        ("SQLite:books.db", "sqlite:books.db", "books.db"),
        ("sqlite:///data/books.db", "sqlite:/data/books.db", "/data/books.db"),
        ("sqlite:////data/books.db", "sqlite:/data/books.db", "/data/books.db"),
        ("sqlite:/data/books.db", "sqlite:/data/books.db", "/data/books.db"),
        ("sqlite://localhost/data/books.db", "sqlite:/data/books.db", "/data/books.db"),
        ("duckdb:my%20books.duckdb", "duckdb:my books.duckdb", "my books.duckdb"),
        ("sqlite:what%3F.db", "sqlite:what?.db", "what?.db"),
    ],
)
def test_a_file_is_named_in_the_ways_people_write_it(url: str, name: str, target: str) -> None:
    assert (query(url).name, query(url).target) == (name, target)


def test_a_tilde_is_the_home_directory() -> None:
    assert query("duckdb:~/books.duckdb").target == str(Path("~/books.duckdb").expanduser())


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://db.example.com/books", "postgresql://db.example.com/books"),
        ("postgres://db.example.com/books", "postgresql://db.example.com/books"),
        ("postgresql://reader@db:5432/books?sslmode=require", "postgresql://db:5432/books"),
        ("postgresql://reader:geheim@db:5432/books", "postgresql://db:5432/books"),
        ("postgresql://reader:ge:h@im@db/books", "postgresql://db/books"),
        ("postgresql://a:1,[::1]:2/books", "postgresql://a:1,[::1]:2/books"),
        ("postgresql:///books?host=/run/postgresql&password=geheim", "postgresql:///books"),
        ("postgresql://db/books?user=a@b", "postgresql://db/books"),
    ],
)
def test_a_server_is_named_without_credentials_and_parameters(url: str, name: str) -> None:
    assert query(url).name == shown_url(url).replace("postgres://", "postgresql://") == name
    assert "geheim" not in repr(query(url))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://reader@db/books", []),
        ("postgresql://reader:p%40ss@db/books", ["p%40ss", "p@ss"]),
        ("postgresql:///books?user=x&password=geheim+x", ["geheim+x", "geheim x"]),
        ("sqlite:books.db", []),
    ],
)
def test_passwords_are_found_as_written_and_as_meant(url: str, found: list[str]) -> None:
    assert sorted(passwords(url)) == sorted(found)


def test_what_a_driver_repeats_of_a_password_is_left_out() -> None:
    asked = query("postgresql://reader:p%40ss@db/books")

    assert asked.told('bad "p%40ss", or p@ss') == 'bad "…", or …'


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("books.db", '--orders-db: "books.db" names no database that can be read'),
        ("mysql://root:geheim@db/books", '--orders-db: "mysql://db/books" names no database that can be read'),
        ("sqlite:", '--orders-db: "sqlite:" names no database that can be read'),
        ("sqlite:///", '--orders-db: "sqlite:///" names no database that can be read'),
        ("postgresql:books", '--orders-db: "postgresql:books" names no database that can be read'),
        ("sqlite://db/books.db", '"sqlite://db/books.db" names a host, but this database is a local file'),
        ("sqlite:books.db?mode=rwc", '"sqlite:books.db" has parameters, which are not known here'),
        ("postgresql://reader:geh/eim@db/books", '--orders-db: "postgresql:…" is not a URL'),
        ("postgresql://reader:geh?eim@db/books", '--orders-db: "postgresql:…" is not a URL'),
        ("postgresql://reader:1/geheim@db/books", '--orders-db: "postgresql:…" is not a URL'),
        ("postgresql://[::1/books", '--orders-db: "postgresql:…" is not a URL'),
    ],
)
def test_what_names_no_database_is_refused_without_its_password(url: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        query(url)

    assert message in caught.value.message
    assert "eim" not in caught.value.explained()


def test_query_and_database_belong_together() -> None:
    assert orders_query(None, None) is None
    with pytest.raises(SettingsError, match="--orders-sql is given without --orders-db"):
        orders_query("SELECT 1", None)
    with pytest.raises(SettingsError, match="--orders-db is given without --orders-sql"):
        orders_query("", "sqlite:books.db")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT 1 ;\n", "SELECT 1"),
        ("SELECT 1; -- of the night\n-- all of it\n;", "SELECT 1"),
        ("SELECT 'a--b'", "SELECT 'a--b'"),
        ("SELECT '\n-- x'", "SELECT '\n-- x'"),
        ("SELECT 1 /* one -- two */", "SELECT 1 /* one -- two */"),
        ("SELECT 1 -- that's all", "SELECT 1 -- that's all"),
    ],
)
def test_what_ends_a_query_is_no_part_of_it(written: str, sent: str) -> None:
    assert query("sqlite:books.db", written).sql == sent


def test_a_query_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.sql"
    path.write_text("\ufeffSELECT 'é'\nORDER BY 1;\n", encoding="utf-8")

    assert query("sqlite:books.db", f"@{path}").sql == "SELECT 'é'\nORDER BY 1"


@pytest.mark.parametrize(
    "content", [b"", b" ;\n", b"-- nothing\n", b"-- SELECT * FROM orders;\n", None, b"SELECT '\xe9'"]
)
def test_a_file_without_a_readable_query_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "orders.sql"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=r"there is no query|cannot be read: (No such file|it is not UTF-8)"):
        query("sqlite:books.db", f"@{path}")


def test_an_order_is_asked_for_or_not() -> None:
    assert query("sqlite:books.db", "SELECT 1 Order\nBy 1").is_ordered
    assert not query("sqlite:books.db", "SELECT border, bye").is_ordered
