"""Settings: one declaration, three sources, all problems at once, no secret among them."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from msgspec import to_builtins

from reconcile.errors import SettingsError
from reconcile.matching.keys.rules import Replacement
from reconcile.payments.request import parse_moment
from reconcile.settings.credentials import read_secrets, secret_texts
from reconcile.settings.declared import declared
from reconcile.settings.settings import Settings
from reconcile.settings.sources import clean_settings, load_settings, settings_in
from reconcile.settings.template import commented_toml, json_schema, markdown


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    path = Path("reconcile.toml")
    path.write_text(text, encoding="utf-8")
    return path


def uncommented() -> str:
    lines = commented_toml().splitlines()
    return "\n".join(line if line.startswith("# ") else line.removeprefix("#") for line in lines)


def test_nothing_set_gives_the_defaults() -> None:
    assert load_settings(environ={}) == Settings()


def test_the_file_is_read_from_the_working_directory() -> None:
    write('[commercelayer]\norganization = "my-shop"\n')

    assert load_settings(environ={}).commercelayer.organization == "my-shop"


def test_options_go_over_the_environment_and_the_environment_over_the_file() -> None:
    write('[run]\nout = "file"\nmemory_limit = "1GB"\n[orders]\ndecimal = ","\n')

    settings = load_settings(
        environ={"RECONCILE_OUT": "environment", "RECONCILE_MEMORY_LIMIT": "3GB"}, options={"out": "option"}
    )

    assert (settings.run.out, settings.run.memory_limit, settings.orders.format.decimal) == ("option", "3GB", ",")


def test_an_option_that_is_not_given_says_nothing() -> None:
    write("[match]\ntolerance_cents = 3\n")

    assert load_settings(environ={}, options={"tolerance_cents": None, "fail_on": ()}).match.tolerance_cents == 3


def test_values_of_the_environment_have_the_types_of_the_settings() -> None:
    settings = load_settings(
        environ={
            "RECONCILE_RATE_SHARE": "0.5",
            "RECONCILE_FAIL_ON": "breaks>0, percent>1",
            "RECONCILE_TOLERANCES": '{"SEK": {"cents": 50}}',
            "RECONCILE_LAG_DAYS": "2",
        }
    )

    assert settings.commercelayer.rate_share == 0.5
    assert settings.run.fail_on == ("breaks>0", "percent>1")
    assert settings.match.tolerances["SEK"].cents == 50
    assert settings.match.lag_days == 2


def test_every_problem_of_a_file_is_told_at_once() -> None:
    write('[commercelayer]\nrate_shar = 1\nmode = "liv"\n[match]\ntolerance_cents = "a"\n[typo]\nx = 1\n')

    with pytest.raises(SettingsError) as caught:
        load_settings(environ={})

    assert caught.value.message == (
        "reconcile.toml: [commercelayer] rate_shar: there is no such setting "
        "(did you mean [commercelayer] rate_share?); "
        '[commercelayer] mode: must be "live" or "test", not "liv"; '
        "[match] tolerance_cents: expected a whole number; "
        "typo: there is no such setting"
    )
    assert caught.value.exit_code == 2


def test_fractions_are_read_as_they_are_written() -> None:
    write(
        "[commercelayer]\nrate_share = 0.5\n[match]\ntolerance_percent = 0.1\ntolerances = { SEK = { percent = 0.30 } }"
    )
    settings = load_settings(environ={})

    assert settings.commercelayer.rate_share == 0.5
    assert settings.match.tolerance_percent == "0.1"
    assert settings.match.tolerances["SEK"].percent == "0.30"


@pytest.mark.parametrize("key", ["lag", "lag_days"])
def test_a_setting_may_be_written_as_its_option_is_called(key: str) -> None:
    write(f"[match]\n{key} = 2\n")

    assert load_settings(environ={}).match.lag_days == 2


def test_a_whole_percentage_needs_no_quotes() -> None:
    write("[match]\ntolerance_percent = 1\n")

    assert load_settings(environ={}).match.tolerance_percent == "1"


def test_a_file_that_is_named_must_be_there() -> None:
    with pytest.raises(SettingsError, match=r"^missing.toml: there is no such file\n"):
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
        ({"decimal": ";"}, 'decimal ";" is not a decimal separator'),
        ({"thousands": "."}, 'decimal and thousands are both "."'),
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
    assert tomllib.loads(text).keys() == {"commercelayer", "pull", "orders", "population", "match", "run", "reports"}


def test_the_commented_file_is_valid_when_the_comments_are_taken_off() -> None:
    write(uncommented())

    settings = load_settings(environ={})

    assert settings.commercelayer.organization == "my-shop"
    assert settings.match.tolerances["SEK"].cents == 50
    assert settings.match.clean.replace == (Replacement("^INV[0-9]{4}/"),)
    assert settings.orders.format.reference_column == "Our reference"


def test_the_schema_for_editors_fits_the_file_with_every_setting_and_no_other() -> None:
    schema = json_schema()
    text = "\n".join(
        line if line.startswith("# ") else line.removeprefix("#") for line in commented_toml().splitlines()
    )
    document = tomllib.loads(text)
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)

    assert list(check.iter_errors(document)) == []
    assert list(check.iter_errors({"match": {"tolerance_cent": 1}}))
    assert list(check.iter_errors({"commercelayer": {"rate_share": 1.5}}))
    assert list(check.iter_errors({"orders": {"accounting": ["brackets"]}}))
    assert list(check.iter_errors({"match": {"amount_basis": "subtotal"}}))
    tables = {setting.table for setting in declared(Settings)}
    below = {"orders.columns", "population.expect", "match.clean"}
    assert tables == {"commercelayer", "pull", "orders", "population", "match", "run", "reports"} | below


def test_every_setting_is_declared_with_one_name_one_place_and_a_meaning() -> None:
    settings = declared(Settings)

    assert len({setting.name for setting in settings}) == len(settings)
    assert len({(setting.table, setting.key) for setting in settings}) == len(settings)
    assert [setting.name for setting in settings if not setting.about] == []
    assert [setting.name for setting in settings if setting.default is None and not setting.meta.examples] == []


def test_the_page_of_the_docs_is_made_from_the_declarations() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"

    assert page.read_text(encoding="utf-8") == markdown(), "`make docs` writes it"


def test_settings_are_written_down_and_read_back_by_table_or_by_name_as_before() -> None:
    chosen = Settings.of(orders=("a.csv",), tolerance_percent="0.1", lag_days=2, clean_case="fold", rate_share=0.5)
    document = json.loads(json.dumps(chosen.public()))
    by_name = {setting.name: to_builtins(setting.value_in(chosen)) for setting in declared(Settings)}

    assert document["match"]["lag"] == 2
    assert document["match"]["clean"]["case"] == "fold"
    assert settings_in(document, "manifest.json") == chosen
    assert settings_in(json.loads(json.dumps(by_name)), "manifest.json") == chosen


def test_a_name_that_is_no_setting_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match=r"^there is no setting tolerance$"):
        Settings.of(tolerance=1)


def test_every_value_that_makes_no_sense_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of(rate_share=2, lag_days=-1, currency="EURO", on=("email",))

    assert caught.value.message == (
        "rate_share must be above 0 and at most 1; lag_days must not be negative; "
        'currency "EURO" is not an ISO 4217 currency code; '
        "match on ['email'] is not a choice of reference, order_reference, order_number, order_id, each at most once"
    )


@pytest.mark.parametrize(
    ("text", "time_zone", "moment"),
    [
        ("2026-11-01", "UTC", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", "Europe/Stockholm", datetime(2026, 10, 31, 23, tzinfo=UTC)),
        ("2026-11-01T02:00:00+02:00", "Europe/Stockholm", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T02:00", "UTC", datetime(2026, 11, 1, 2, tzinfo=UTC)),
        ("2026-11-01T02:00", "America/New_York", datetime(2026, 11, 1, 7, tzinfo=UTC)),  # winter has begun
    ],
)
def test_a_date_is_its_first_instant_and_a_time_is_local(text: str, time_zone: str, moment: datetime) -> None:
    assert parse_moment(text, "since", time_zone) == moment


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

    assert settings.match.clean.replace == (Replacement(r"\d+$", "x"),)
    clean = settings.match.clean
    assert (clean.case, clean.strip_prefix, clean.pad_zeros) == ("fold", ("A-", "B-"), 10)
    given = load_settings(environ={"RECONCILE_CLEAN_REPLACE": '[{"pattern": "a"}]'})
    assert given.match.clean.replace == (Replacement("a", ""),)
    assert clean_settings({"strip_zeros": True, "replace": [{"pattern": "a", "with": "b"}]}) == {
        "clean_strip_zeros": True,
        "clean_replace": (Replacement("a", "b"),),
    }


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"cases": "fold"}, "[match.clean] cases: there is no such setting (did you mean [match.clean] case?)"),
        ({"strip_zeros": "yes"}, "[match.clean] strip_zeros: expected true or false"),
        ({"replace": [{"with": "a"}]}, "[match.clean] replace: `pattern` is missing (entry 1)"),
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
        "reconcile.toml: [orders] database: contains a password: "
        "use RECONCILE_ORDERS_DB, PGPASSWORD or ~/.pgpass for it"
    )
    assert settings.orders.database == url
    assert settings.public()["orders"]["database"] == "postgresql://db.example.com:5432/books"
    assert settings.public()["orders"]["sql"] == "SELECT 1"


def test_no_log_line_holds_the_secret_or_the_password_of_a_database() -> None:
    url = "postgresql://reader:ge%20heim@db.example.com/books"

    assert secret_texts({"RECONCILE_CLIENT_SECRET": "s3cret", "RECONCILE_ORDERS_DB": url}) == [
        "s3cret",
        "ge%20heim",
        "ge heim",
    ]
    assert secret_texts({}) == []
