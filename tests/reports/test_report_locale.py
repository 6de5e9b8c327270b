"""A run for people of a locale: the page, what it is rendered from again, and what stays as it is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from markupsafe import escape

from reconcile.cli.main import main
from reconcile.errors import SettingsError
from reconcile.figures.summary import read_summary
from reconcile.operations.night import match
from reconcile.reports.display import PLAIN, Display, display_of
from reconcile.reports.page.html import render_html
from reconcile.reports.terminal import summary_table
from reconcile.settings.settings import Settings
from reconcile.settings.sources import load_settings

SAMPLE = Path(__file__).parents[2] / "sample_data"
LOCALES = ("de-DE", "sv-SE", "hi-IN", "ar-EG")


def night(out: Path, day: int, **settings: Any) -> Path:
    chosen = Settings.of(
        orders=(str(SAMPLE / "orders.csv"),), mode="live", tolerance_cents=2, lag_days=1, out=str(out), **settings
    )
    return match(chosen, SAMPLE / "payments.csv", business_date=date(2026, 11, day)).folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second of two runs without a locale."""
    out = tmp_path_factory.mktemp("plain")
    night(out, 20)
    return night(out, 21)


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second of two runs with the locale de-DE."""
    out = tmp_path_factory.mktemp("german")
    night(out, 20, locale="de-DE")
    return night(out, 21, locale="de-DE")


def words_of(page: bytes) -> str:
    """The mark-up of a page without its script and the breaks it reads, which hold plain texts."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page.decode(), flags=re.DOTALL)


def columns_of(page: bytes, group: str) -> dict[str, list[str]]:
    """The columns of breaks that are sorted and saved (`columns`), or seen in a locale (`seen`)."""
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', page.decode(), re.DOTALL)
    assert found is not None
    packed = json.loads(found[1])[group]
    return {
        name: [column["of"][place] for place in column["at"]] if isinstance(column, dict) else column
        for name, column in packed.items()
    }


def amounts_of(summary: dict[str, Any]) -> Iterator[tuple[int, str | None]]:
    """Every amount of the figures that a page shows."""
    for side in ("payments", "orders"):
        yield from ((line["amount_in_cents"], line["currency_code"]) for line in summary["control"][side])
    for status in summary["statuses"]:
        for line in status["amounts"]:
            for name in ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents"):
                yield line[name], line["currency_code"]
    for line in summary["roll_forward"]:
        for move in ("opening", "new", "reopened", "changed", "cleared", "closing"):
            yield line[move]["amount_cents"], line["currency_code"]
    for bucket in summary["aging"]:
        yield from ((line["at_stake_cents"], line["currency_code"]) for line in bucket["amounts"])


@pytest.mark.parametrize("locale", LOCALES)
def test_every_amount_and_date_of_the_page_is_that_of_the_locale(plain: Path, locale: str) -> None:
    seen, page = display_of(locale), words_of(render_html(plain, locale=locale))
    summary = json.loads((plain / "summary.json").read_bytes())

    for cents, code in amounts_of(summary):
        assert seen.amount(cents, code) in page
    for day in ("2026-11-20", "2026-11-21"):
        assert f">{seen.date(day)}</time>" in page
    assert f"<dt>payments</dt><dd>{seen.count(summary['counts']['payments'])}</dd>" in page


def test_no_figure_of_the_page_is_left_behind_in_the_plain_way(plain: Path) -> None:
    page = words_of(render_html(plain, locale="de-DE"))
    summary = json.loads((plain / "summary.json").read_bytes())
    sentences = [*(one["text"] for one in summary["warnings"]), *(pattern["text"] for pattern in summary["patterns"])]
    for sentence in sentences:  # of the run, as they are
        page = page.replace(str(escape(sentence)), "").replace(sentence, "")
    page = re.sub(r'(x|width|y|height)="[0-9.]+"|datetime="[^"]*"|reconcile [0-9.]+', "", page)

    assert len(re.findall(r"[0-9]\.[0-9]{3},[0-9]{2}\b", page)) > 50
    assert re.findall(r"[0-9]+(?:,[0-9]{3})*\.[0-9]{2}(?![0-9.])(?!\.[0-9])", page) == []
    assert re.findall(r"2026-11-[0-9]+", page) == []


def test_charts_say_their_amounts_in_the_locale_to_whoever_does_not_see_them(plain: Path) -> None:
    said = re.findall('aria-label="([^"]*)"', words_of(render_html(plain, locale="de-DE")))
    steps = [words for words in said if words.startswith("payments: ")]

    assert steps
    assert all(re.fullmatch(r"payments: [0-9.]+,[0-9]{2}", words) for words in steps)
    assert any("runs from 20.11.2026 to 21.11.2026" in words for words in said)


def test_breaks_are_seen_in_the_locale_and_kept_plain_beside(plain: Path) -> None:
    page, rows = render_html(plain, locale="hi-IN"), pq.read_table(plain / "breaks.parquet").to_pylist()
    seen, kept = columns_of(page, "seen"), columns_of(page, "columns")
    indian = display_of("hi-IN")

    for name, code in (("payment_amount", "payment_currency_code"), ("order_amount", "order_currency_code")):
        assert seen[name] == [indian.amount(row[f"{name}_cents"], row[code]) for row in rows]
        assert kept[name] == [PLAIN.amount(row[f"{name}_cents"], row[code]) for row in rows]
    assert seen["first_seen_on"] == [indian.date(row["first_seen_on"]) for row in rows]
    assert seen["placed_at"] == ["" if row["placed_at"] is None else indian.minutes(row["placed_at"]) for row in rows]
    assert kept == columns_of(render_html(plain), "columns")


def test_without_a_locale_the_page_has_nothing_of_one(plain: Path) -> None:
    page = render_html(plain)

    assert page == (plain / "report.html").read_bytes() == render_html(plain, locale="none")
    assert b"<time" not in page
    assert b'"seen":' not in page


def test_words_stay_english_and_no_mark_of_direction_is_on_the_page(plain: Path) -> None:
    page = words_of(render_html(plain, locale="ar-EG"))

    assert '<html lang="en">' in page
    assert "‹U+" not in page
    assert not set("\u061c\u200e\u200f") & set(page)
    assert re.search("<bdi>[٠-٩]+</bdi> rows", page)


@pytest.mark.slow
def test_a_run_is_rendered_again_in_its_own_locale_unless_another_is_named(german: Path, plain: Path) -> None:
    manifest = json.loads((german / "manifest.json").read_bytes())

    assert manifest["settings"]["reports"]["locale"] == "de-DE"
    assert manifest["software"]["babel"] == version("babel")
    assert render_html(german) == (german / "report.html").read_bytes()
    assert ">21.11.2026</time></h1>" in words_of(render_html(german))
    assert ">2026-11-21</h1>" in words_of(render_html(german, locale="none"))
    assert ">11/21/2026</time></h1>" in words_of(render_html(german, locale="en-US"))


@pytest.mark.slow
def test_files_of_data_and_the_workbook_are_the_same_in_every_locale(german: Path, plain: Path) -> None:
    names = ("items.csv", "breaks.csv", "items.parquet", "breaks.parquet", "orders.parquet", "payments.parquet")

    for name in (*names, "report.xlsx"):
        assert (german / name).read_bytes() == (plain / name).read_bytes(), name


def test_a_page_of_a_run_before_there_were_locales_is_rendered_as_ever(plain: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(plain, tmp_path / "older"))
    manifest = json.loads((older / "manifest.json").read_bytes())
    del manifest["settings"]["reports"]["locale"]
    (older / "manifest.json").write_text(json.dumps(manifest))

    assert render_html(older) == (plain / "report.html").read_bytes()


def test_a_locale_that_is_not_known_stops_a_run_before_anything_is_read(tmp_path: Path) -> None:
    settings = Settings.of(orders=("nowhere.csv",), out=str(tmp_path / "runs"), locale="xx")
    with pytest.raises(SettingsError, match='locale "xx" is not known'):
        match(settings, tmp_path / "nowhere.parquet", business_date=date(2026, 11, 20))

    assert not (tmp_path / "runs").exists()


def test_the_locale_comes_from_the_file_the_environment_or_the_option(tmp_path: Path) -> None:
    config = tmp_path / "reconcile.toml"
    config.write_text('[reports]\nlocale = "de-DE"\n')

    assert load_settings(config, environ={}).reports.locale == "de-DE"
    assert load_settings(config, environ={"RECONCILE_LOCALE": "fr-CH"}).reports.locale == "fr-CH"
    assert (
        load_settings(config, environ={"RECONCILE_LOCALE": "fr-CH"}, options={"locale": "none"}).reports.locale
        == "none"
    )


def test_the_command_renders_in_a_locale_and_refuses_one_for_a_workbook(plain: Path, tmp_path: Path) -> None:
    def report(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["report", str(plain), "--to", str(tmp_path / "report"), *arguments])

    assert report("--locale", "sv_SE.UTF-8").exit_code == 0
    assert (tmp_path / "report").read_bytes() == render_html(plain, locale="sv-SE")
    refused = report("--locale", "sv-SE", "--format", "xlsx")
    assert (refused.exit_code, "whose cells are numbers and dates" in refused.stderr) == (2, True)
    assert report("--locale", "xx-YY").exit_code == 2


def test_a_run_says_its_figures_in_the_locale_on_the_terminal_too(tmp_path: Path) -> None:
    arguments = ["match", str(SAMPLE / "payments.csv"), str(SAMPLE / "orders.csv"), "--out", str(tmp_path / "runs")]
    result = CliRunner().invoke(main, [*arguments, "--date", "2026-11-20", "--locale", "de-DE"])

    assert result.exit_code == 0, result.stderr
    assert "20.11.2026 · " in result.stderr
    assert re.search(r" [0-9]+\.[0-9]{3},[0-9]{2}\b", result.stderr)
    assert not re.search(r" [0-9]+(,[0-9]{3})*\.[0-9]{2}\b", result.stderr)


@pytest.mark.parametrize("locale", LOCALES)
def test_decimals_stand_below_each_other_on_the_terminal(plain: Path, locale: str) -> None:
    seen = display_of(locale)
    lines = summary_table(read_summary(plain), width=200, colour=False, display=seen).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("Matched "))
    places = {line.rindex(seen.decimal) for line in lines[first + 1 : first + 4]}

    assert len(places) == 1


def test_a_display_is_a_plain_value() -> None:
    assert Display() == PLAIN
    assert display_of("de-DE") == display_of("de_DE.UTF-8")
