"""The one clock: business dates by time zone, an unfinished run's date, and whose runs are in a folder."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from nights import night_of, payments_file, said
from places import SAMPLE

from reconcile.errors import CommerceLayerError, SettingsError
from reconcile.operations import night, pull
from reconcile.runs.unfinished import KEPT_FOR, UNFINISHED_NAME, remembered, unfinished_date
from reconcile.sandbox.server import SandboxServer
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import business_date_of

ROW = "reference,order_number,order_date,total,currency\nA,1,2026-11-19,10.00,EUR\n"


@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_today_and_yesterday_are_days_of_the_time_zone(time_zone: str) -> None:
    before = datetime.now(ZoneInfo(time_zone)).date()
    today = business_date_of(Settings.of(time_zone=time_zone))
    yesterday = business_date_of(Settings.of(time_zone=time_zone, date="yesterday"))

    assert before <= today <= datetime.now(ZoneInfo(time_zone)).date()
    assert timedelta() <= today - yesterday <= timedelta(days=1)  # midnight may pass meanwhile
    assert business_date_of(Settings.of(date="2026-11-20")) == date(2026, 11, 20)


def test_a_date_that_is_none_is_told_with_what_to_write() -> None:
    with pytest.raises(SettingsError, match=r'date "20\.11\." is not a date') as caught:
        business_date_of(Settings.of(date="20.11."))

    assert caught.value.hint == "write it as 2026-11-22, or today, or yesterday"


def test_a_run_that_did_not_end_is_gone_on_with_on_its_own_date(workplace: Path) -> None:
    settings = Settings.of(out="runs", date="yesterday")
    own = business_date_of(settings)
    began = own - timedelta(days=1)
    with pytest.raises(RuntimeError, match="down"), remembered(settings.out, began):
        raise RuntimeError("down")

    assert business_date_of(settings) == began
    assert business_date_of(settings.replaced(date=own.isoformat())) == own
    with remembered(settings.out, began):
        pass
    assert business_date_of(settings) in (own, own + timedelta(days=1))


def test_a_run_that_did_not_end_is_given_up_before_the_next_night(workplace: Path) -> None:
    with pytest.raises(RuntimeError), remembered(workplace, date(2026, 11, 20)):
        raise RuntimeError
    now = datetime.now(UTC)

    assert unfinished_date(workplace, now) == date(2026, 11, 20)
    assert unfinished_date(workplace, now + KEPT_FOR) is None
    assert unfinished_date(workplace, now - timedelta(days=1)) is None
    (workplace / UNFINISHED_NAME).write_text("{}")
    assert unfinished_date(workplace, now) is None


def test_a_night_that_breaks_off_keeps_its_date_and_one_that_ends_does_not(
    sandbox: SandboxServer, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.of(
        orders=(str(SAMPLE / "orders.csv"),), api_url=sandbox.api_url, out="runs", html=False, xlsx=False
    )
    secrets = Secrets(sandbox.client_id, sandbox.client_secret)

    def down(*_: object, **__: object) -> None:
        raise CommerceLayerError("down")

    with monkeypatch.context() as patch:
        patch.setattr(pull, "pull", down)
        with pytest.raises(CommerceLayerError):
            night.run(settings, secrets, business_date=date(2026, 11, 20))
    assert business_date_of(settings) == date(2026, 11, 20)

    night.run(settings, secrets, business_date=date(2026, 11, 20))
    assert not (workplace / "runs" / UNFINISHED_NAME).exists()


def test_lags_ages_and_the_end_of_a_night_are_those_of_the_time_zone() -> None:
    """In Stockholm the 20th began at 23:00 UTC on the 19th, and ends at 23:00 on the 20th."""
    moments = [(19, 22, 59), (19, 23, 0), (20, 22, 59), (20, 23, 0)]
    payments = [
        {"reference": f"R{n}", "created_at": datetime(2026, 11, *moment, tzinfo=UTC)}
        for n, moment in enumerate(moments)
    ]
    folder = night_of(payments, ROW, time_zone="Europe/Stockholm", lag_days=1, covers="2026-11-19..")

    rows = pq.read_table(folder / "items.parquet", columns=["reference", "status", "data_age_days"]).to_pylist()
    found = {row["reference"]: (row["status"], row["data_age_days"]) for row in rows if row["reference"] != "A"}
    assert found == {
        "R0": ("missing_order", 1),
        "R1": ("awaiting_order", 0),
        "R2": ("awaiting_order", 0),
        "R3": ("out_of_period", -1),
    }


def test_since_is_the_first_instant_of_its_day_in_the_time_zone() -> None:
    request = Settings.of(since="2026-03-30", until="2026-04-01T06:00", time_zone="Europe/Stockholm").pull

    assert request.first == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert request.end == datetime(2026, 4, 1, 4, tzinfo=UTC)


def test_a_folder_holds_the_runs_of_one_organization_and_mode() -> None:
    night_of([{"reference": "A"}], ROW, day=19, out="runs")
    night_of([{"reference": "A"}], ROW, day=20, out="runs", organization="one")
    night_of([{"reference": "A"}], ROW, day=21, out="runs")  # does not say whose it is

    with pytest.raises(SettingsError, match="holds runs of organization one, live mode") as caught:
        night_of([{"reference": "A"}], ROW, day=22, out="runs", organization="two")
    assert caught.value.hint == "give each a folder of its own: --out two-live"
    with pytest.raises(SettingsError, match="this one is of organization one, test mode"):
        night_of([{"reference": "A", "mode": "test"}], ROW, day=22, out="runs", organization="one", mode="test")
    assert night_of([{"reference": "A"}], ROW, day=22, out="two-live", organization="two").is_dir()


def test_the_command_refuses_the_runs_of_another_with_exit_2() -> None:
    payments_file(Path("p.parquet"), [{"reference": "A"}])
    Path("orders.csv").write_text(ROW)
    words = ["match", "p.parquet", "orders.csv", "--date", "2026-11-20", "--no-html", "--no-xlsx", "--organization"]
    assert said(*words, "one").exit_code == 0
    refused = said(*words, "two")

    assert refused.exit_code == 2
    assert "give each a folder of its own" in refused.output
