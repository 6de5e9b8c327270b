"""Settings: one declaration, three sources, all problems at once, no secret among them."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconcile.errors import SettingsError
from reconcile.settings.credentials import read_secrets, secret_texts
from reconcile.settings.settings import Replacement, Settings, parse_moment
from reconcile.settings.sources import clean_settings, load_settings
from reconcile.settings.template import commented_toml


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    path = Path("reconcile.toml")
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_set_gives_the_defaults() -> None:
    assert load_settings(environ={}) == Settings()


def test_the_file_is_read_from_the_working_directory() -> None:
    write('[commercelayer]\norganization = "my-shop"\n')

    assert load_settings(environ={}).organization == "my-shop"


def test_options_go_over_the_environment_and_the_environment_over_the_file() -> None:
    write('[run]\nout = "file"\nmemory_limit = "1GB"\n[orders]\ndecimal = ","\n')

    settings = load_settings(
        environ={"RECONCILE_OUT": "environment", "RECONCILE_MEMORY_LIMIT": "3GB"}, options={"out": "option"}
    )

    assert (settings.out, settings.memory_limit, settings.decimal) == ("option", "3GB", ",")


def test_an_option_that_is_not_given_says_nothing() -> None:
    write("[match]\ntolerance_cents = 3\n")

    assert load_settings(environ={}, options={"tolerance_cents": None, "fail_on": ()}).tolerance_cents == 3


def test_values_of_the_environment_have_the_types_of_the_settings() -> None:
    settings = load_settings(
        environ={
            "RECONCILE_RATE_SHARE": "0.5",
            "RECONCILE_FAIL_ON": "breaks>0, percent>1",
            "RECONCILE_TOLERANCES": '{"SEK": {"cents": 50}}',
            "RECONCILE_LAG_DAYS": "2",
        }
    )

    assert settings.rate_share == 0.5
    assert settings.fail_on == ("breaks>0", "percent>1")
    assert settings.tolerances["SEK"].cents == 50
    assert settings.lag_days == 2


def test_every_problem_of_a_file_is_told_at_once() -> None:
    write('[commercelayer]\nrate_shar = 1\nmode = "liv"\n[match]\ntolerance_cents = "a"\n[typo]\nx = 1\n')

    with pytest.raises(SettingsError) as caught:
        load_settings(environ={})

    assert caught.value.message == (
        "reconcile.toml: [commercelayer] rate_shar: there is no such setting "
        "(did you mean [commercelayer] rate_share?); "
        "[commercelayer] mode: invalid enum value 'liv'; [match] tolerance_cents: expected a whole number; "
        "typo: there is no such setting"
    )
    assert caught.value.exit_code == 2


def test_fractions_are_read_as_they_are_written() -> None:
    write(
        "[commercelayer]\nrate_share = 0.5\n[match]\ntolerance_percent = 0.1\ntolerances = { SEK = { percent = 0.30 } }"
    )
    settings = load_settings(environ={})

    assert settings.rate_share == 0.5
    assert settings.tolerance_percent == "0.1"
    assert settings.tolerances["SEK"].percent == "0.30"


@pytest.mark.parametrize("key", ["lag", "lag_days"])
def test_a_setting_may_be_written_as_its_option_is_called(key: str) -> None:
    write(f"[match]\n{key} = 2\n")

    assert load_settings(environ={}).lag_days == 2


def test_a_whole_percentage_needs_no_quotes() -> None:
    write("[match]\ntolerance_percent = 1\n")

    assert load_settings(environ={}).tolerance_percent == "1"


def test_a_file_that_is_named_must_be_there() -> None:
    with pytest.raises(SettingsError, match=r"^missing.toml: there is no such file$"):
        load_settings(Path("missing.toml"), environ={})


def test_a_file_that_is_not_toml_is_told_with_the_place() -> None:
    write("[run\n")

    with pytest.raises(SettingsError, match=r"reconcile.toml: is not TOML: .*line 1"):
        load_settings(environ={})


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^RECONCILE_RATE_SHARE: expected a number$"):
        load_settings(environ={"RECONCILE_RATE_SHARE": "much"})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rate_share": 0.0}, "rate_share must be above 0 and at most 1"),
        ({"rate_share": 1.5}, "rate_share must be above 0 and at most 1"),
        ({"decimal": ";"}, 'decimal must be "." or ","'),
        ({"thousands": "."}, "decimal and thousands must differ"),
        ({"max_rejects": -1}, "max_rejects must not be negative"),
        ({"organization": "caf\udce9"}, "organization: is not UTF-8"),
        ({"orders": ("a.csv", "b\udcff.csv")}, "orders: is not UTF-8"),
        ({"lag_days": -1}, "lag_days must not be negative"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "since must be before until"),
        ({"since": "yesterday"}, 'since: "yesterday" is not a date or time'),
    ],
)
def test_values_that_make_no_sense_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={}, options=options)

    assert caught.value.message == problem


def test_the_commented_file_names_every_setting_and_changes_nothing() -> None:
    text = commented_toml()
    write(text)

    assert load_settings(environ={}) == Settings()
    assert tomllib.loads(text).keys() == {"commercelayer", "pull", "orders", "match", "run", "reports"}


def test_the_commented_file_is_valid_when_the_comments_are_taken_off() -> None:
    write(
        "\n".join(line if line.startswith("# ") else line.removeprefix("#") for line in commented_toml().splitlines())
    )

    settings = load_settings(environ={})

    assert settings.organization == "my-shop"
    assert settings.tolerances["SEK"].cents == 50
    assert settings.clean_replace == (Replacement("^INV[0-9]{4}/"),)
    assert settings.reference_column == "Our reference"


def test_a_date_is_its_first_instant_in_utc() -> None:
    assert parse_moment("2026-11-01", "since") == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_time_with_an_offset_is_turned_into_utc() -> None:
    assert parse_moment("2026-11-01T02:00:00+02:00", "since") == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_time_without_an_offset_is_in_utc() -> None:
    assert parse_moment("2026-11-01T02:00", "since") == datetime(2026, 11, 1, 2, tzinfo=UTC)


def test_credentials_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")

    secrets = read_secrets({"RECONCILE_CLIENT_ID": "id", "RECONCILE_CLIENT_SECRET_FILE": str(tmp_path / "secret")})

    assert (secrets.client_id, secrets.client_secret) == ("id", "s3cret")


def test_credentials_are_not_shown() -> None:
    secrets = read_secrets({"RECONCILE_CLIENT_ID": "the-id", "RECONCILE_CLIENT_SECRET": "the-secret"})

    assert "the-secret" not in repr(secrets)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "no credentials: RECONCILE_CLIENT_ID is not set"),
        ({"RECONCILE_CLIENT_ID": "id"}, "no credentials: RECONCILE_CLIENT_SECRET is not set"),
        (
            {"RECONCILE_CLIENT_ID": "id", "RECONCILE_CLIENT_ID_FILE": "x"},
            "RECONCILE_CLIENT_ID and RECONCILE_CLIENT_ID_FILE are both set",
        ),
        (
            {"RECONCILE_CLIENT_ID_FILE": "missing"},
            "RECONCILE_CLIENT_ID_FILE: missing cannot be read: [Errno 2] No such file or directory: 'missing'",
        ),
    ],
)
def test_missing_credentials_are_named(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_secrets(environ)

    assert caught.value.message == problem


def test_clean_up_rules_come_from_the_file_from_the_environment_or_as_a_dictionary() -> None:
    write("[match.clean]\ncase = 'fold'\nstrip_prefix = ['PO-']\nreplace = [{ pattern = '\\d+$', with = 'x' }]\n")
    settings = load_settings(environ={"RECONCILE_CLEAN_STRIP_PREFIX": "A-,B-", "RECONCILE_CLEAN_PAD_ZEROS": "10"})

    assert settings.clean_replace == (Replacement(r"\d+$", "x"),)
    assert (settings.clean_case, settings.clean_strip_prefix, settings.clean_pad_zeros) == ("fold", ("A-", "B-"), 10)
    given = load_settings(environ={"RECONCILE_CLEAN_REPLACE": '[{"pattern": "a"}]'})
    assert given.clean_replace == (Replacement("a", ""),)
    assert clean_settings({"strip_zeros": True, "replace": [{"pattern": "a", "with": "b"}]}) == {
        "clean_strip_zeros": True,
        "clean_replace": (Replacement("a", "b"),),
    }


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"cases": "fold"}, "[match.clean] cases: there is no such setting (did you mean [match.clean] case?)"),
        ({"strip_zeros": "yes"}, "[match.clean] strip_zeros: expected `bool`"),
        ({"replace": [{"with": "a"}]}, "[match.clean] replace: lacks `pattern` (entry 1)"),
        ("fold", "[match] clean: there is no such setting"),
    ],
)
def test_a_dictionary_of_clean_up_rules_is_checked_like_the_file(rules: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        clean_settings(rules)

    assert problem in caught.value.message


def test_the_password_of_a_database_is_refused_in_a_file_and_shown_nowhere() -> None:
    url = "postgresql://reader:geheim@db.example.com:5432/books?sslmode=require"
    write(f'[orders]\ndatabase = "{url}"\n')

    with pytest.raises(SettingsError) as caught:
        load_settings(environ={})
    write('[orders]\nsql = "SELECT 1"\ndatabase = "postgresql://reader@db.example.com/books"\n')
    settings = load_settings(environ={"RECONCILE_ORDERS_DB": url})

    assert caught.value.message == (
        "reconcile.toml: [orders] database: holds a password: use RECONCILE_ORDERS_DB, PGPASSWORD or ~/.pgpass for it"
    )
    assert settings.orders_db == url
    assert settings.public()["orders_db"] == "postgresql://db.example.com:5432/books"
    assert settings.public()["orders_sql"] == "SELECT 1"


def test_no_log_line_holds_the_secret_or_the_password_of_a_database() -> None:
    url = "postgresql://reader:ge%20heim@db.example.com/books"

    assert secret_texts({"RECONCILE_CLIENT_SECRET": "s3cret", "RECONCILE_ORDERS_DB": url}) == [
        "s3cret",
        "ge%20heim",
        "ge heim",
    ]
    assert secret_texts({}) == []
