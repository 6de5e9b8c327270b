"""The page of a run: what it says, that it says it safely, and that it says it twice in the same way."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from reconcile.cli.main import main
from reconcile.errors import OutputError
from reconcile.figures.compare import trend_of
from reconcile.figures.summary import Bridge, BridgeStep
from reconcile.history.earlier import published_runs
from reconcile.matching.policy import LABEL_OF, Status
from reconcile.operations.night import match
from reconcile.reports.display import PLAIN
from reconcile.reports.page import breaks, charts
from reconcile.reports.page.bridge import as_table
from reconcile.reports.page.html import render_html, visible, write_html
from reconcile.reports.terminal import grouped_amount
from reconcile.schema import ITEMS
from reconcile.settings.settings import Settings

SAMPLE = Path(__file__).parents[2] / "sample_data"
HOSTILE = "</script><script>alert(1)</script><!--\"'&\u202egnp.exe\x07\u2028🧾"


class Page(HTMLParser):
    """The cells of each table by its caption, the attributes that name places, and the text of script elements."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._rows: list[list[str]] = []
        self._in: str = ""
        self._caption = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag in ("td", "th", "caption", "script", "style"):
            self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.tables[self._caption] = self._rows
        if tag == self._in:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in ("td", "th"):
            self._rows[-1][-1] += data
        elif self._in == "caption":
            self._caption += data
        elif self._in == "script":
            self.scripts[-1] += data
        if self._in not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the sample data's files; what one of them has found is the trend of the other."""
    out = tmp_path_factory.mktemp("nights")
    for day, limits in ((20, ()), (21, ("breaks>0",))):
        orders = (str(SAMPLE / "orders.csv"),)
        settings = Settings.of(orders=orders, mode="live", tolerance_cents=2, lag_days=1, out=str(out), fail_on=limits)
        match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, day))
    return out


@pytest.fixture
def run(nights: Path, tmp_path: Path) -> Path:
    """A copy of the second run's folder, alone."""
    return Path(shutil.copytree(nights / "2026-11-21", tmp_path / "2026-11-21"))


def summary_of(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return figures


def rows_of(page: bytes) -> dict[str, Any]:
    """The breaks that the page's script reads, column by column."""
    packed = json.loads(Page(page).scripts[0])["columns"]
    return {
        name: [column["of"][place] for place in column["at"]] if isinstance(column, dict) else column
        for name, column in packed.items()
    }


def with_breaks(folder: Path, *changes: dict[str, Any]) -> None:
    """Put breaks with these columns in place of those of `folder`."""
    row = pq.read_table(folder / "breaks.parquet").to_pylist()[0]
    rows = [row | {"item_id": f"i{number:05d}"} | change for number, change in enumerate(changes)]
    pq.write_table(pq.read_table(folder / "breaks.parquet").from_pylist(rows, schema=ITEMS), folder / "breaks.parquet")


def test_the_page_is_rendered_again_from_the_folder_alone_byte_for_byte(run: Path) -> None:
    assert render_html(run) == (run / "report.html").read_bytes()


def test_verdict_facts_and_limits_are_said_in_words(run: Path) -> None:
    text = Page(render_html(run)).text

    for words in ("Over limit", "2026-11-21", "live", "By due", summary_of(run)["run_id"]):
        assert words in text, words
    assert f"breaks>0: {summary_of(run)['counts']['breaks']} breaks" in text
    assert "Prepared by" in text
    assert "Reviewed by" in text


def test_warnings_are_on_the_page(run: Path) -> None:
    summary = summary_of(run) | {
        "warnings": [
            {"code": "rejected_rows", "level": "warning", "text": "2 order rows were rejected <b>"},
            {"code": "not_listed", "level": "note", "text": "set aside: 3 payments"},
        ]
    }
    (run / "summary.json").write_text(json.dumps(summary))
    text = Page(render_html(run)).text

    assert "Warning: 2 order rows were rejected <b>" in text
    assert "Note: set aside: 3 payments" in text


def test_control_totals_are_those_of_the_summary_and_each_line_adds_up(run: Path) -> None:
    tables, summary = Page(render_html(run)).tables, summary_of(run)

    for side, caption in (("payments", "Payments"), ("orders", "Order rows")):
        _, *rows = tables[caption]
        for row, line in zip(rows, summary["control"][side], strict=True):
            code = line["currency_code"]
            amount = grouped_amount(line["amount_in_cents"], code)
            assert (row[0], row[1], row[2], row[7]) == (code or "none", f"{line['rows_in']:,}", amount, amount)
            parts = sum(int(cell.replace(",", "").replace(".", "")) for cell in row[3:7] if cell)
            assert parts == line["amount_in_cents"], row
            assert row[-1] == "adds up"


def test_what_does_not_add_up_is_said_so(run: Path) -> None:
    summary = summary_of(run)
    summary["control"]["payments"][0]["amount_out_cents"] += 1
    (run / "summary.json").write_text(json.dumps(summary))

    assert Page(render_html(run)).tables["Payments"][1][-1] == "DOES NOT ADD UP"


def test_each_status_has_its_counts_and_amounts_per_currency(run: Path) -> None:
    tables, summary = Page(render_html(run)).tables, summary_of(run)
    caption = next(name for name in tables if name.startswith("Every item has one status"))

    expected = []
    for status in summary["statuses"]:
        for line in status["amounts"]:
            names = ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents")
            amounts = [grouped_amount(line[name], line["currency_code"]) for name in names]
            expected.append([line["currency_code"] or "none", f"{line['count']:,}", *amounts, ""])
    assert [row for row in tables[caption][1:] if len(row) > 1] == expected
    heads = [row[0] for row in tables[caption][1:] if len(row) == 1]
    for head, status in zip(heads, summary["statuses"], strict=True):
        assert f" {LABEL_OF[status['status']]}: {status['count']:,}" in head
        assert f"({status['status']})" in head


def test_the_bridge_goes_from_the_payments_total_to_the_order_total(run: Path) -> None:
    tables, summary = Page(render_html(run)).tables, summary_of(run)

    for line in summary["bridge"]:
        code = line["currency_code"]
        if code is None:
            continue
        _, first, *steps, unexplained, last = tables[code]
        assert first[2] == grouped_amount(line["payment_amount_cents"], code)
        assert last[2] == last[3] == unexplained[3] == grouped_amount(line["order_amount_cents"], code)
        assert {row[0]: row[2].lstrip("+") for row in steps} == {
            LABEL_OF[step["status"]]: grouped_amount(-step["difference_cents"], code)
            for step in line["statuses"]
            if step["difference_cents"]
        }


def test_the_roll_forward_and_the_aging_are_those_of_the_summary(run: Path) -> None:
    tables, summary = Page(render_html(run)).tables, summary_of(run)
    _, *moves = tables["Breaks and amounts at stake"]
    _, *aging = tables["Breaks by days since they were first seen"]

    names = ("opening", "new", "reopened", "changed", "cleared", "closing")
    for line, counts, amounts in zip(summary["roll_forward"], moves[::2], moves[1::2], strict=True):
        code = line["currency_code"]
        assert counts == [code or "none", "breaks", *(f"{line[name]['count']:,}" for name in names)]
        assert amounts[2:] == [grouped_amount(line[name]["amount_cents"], code) for name in names]
    assert [row[-1] for row in aging] == [f"{bucket['count']:,}" for bucket in summary["aging"]]
    _, *by_data = tables["Breaks by days since their order or payment"]
    assert [row[-1] for row in by_data] == [f"{bucket['count']:,}" for bucket in summary["aging_from_data"]]


@pytest.mark.parametrize(
    ("kind", "value", "searched"),
    [("difference", -123, "-1.23"), ("method", "Klarna & Co", "Klarna &amp; Co"), ("day", "2026-11-20", None)],
)
def test_what_breaks_have_in_common_leads_to_them(run: Path, kind: str, value: int | str, searched: str | None) -> None:
    pattern = {"kind": kind, "status": "amount_mismatch", "currency_code": "EUR", "value": value, "count": 3, "of": 4}
    (run / "summary.json").write_text(json.dumps(summary_of(run) | {"patterns": [pattern | {"text": "3 of 4 breaks"}]}))
    ((filters, text),) = re.findall(r'<a href="#breaks"([^>]*)>(3 of 4[^<]*)</a>', render_html(run).decode())

    assert text == "3 of 4 breaks"
    assert 'data-status="amount_mismatch"' in filters
    assert (f'data-text="{searched}"' in filters) is (searched is not None)


def test_hash_totals_are_those_of_the_summary(run: Path) -> None:
    tables, summary = Page(render_html(run)).tables, summary_of(run)
    _, *rows = tables["Hash totals of row identifiers"]

    assert rows == [
        [name, line["currency_code"] or "none", line["keys_in"], line["keys_out"], "the same"]
        for name, side in (("payments", "payments"), ("order rows", "orders"))
        for line in summary["hash_totals"][side]
    ]


def test_the_trend_shows_the_runs_before_and_this_one(run: Path, nights: Path) -> None:
    _, *rows = Page(render_html(run)).tables["The last runs, latest first"]

    first, second = summary_of(nights / "2026-11-20"), summary_of(run)
    assert [(row[0], row[-1]) for row in rows] == [
        ("2026-11-21", str(second["counts"]["breaks"])),
        ("2026-11-20", str(first["counts"]["breaks"])),
    ]
    assert rows[1][1] == "Exceptions to review"


def test_a_trend_has_the_latest_runs_before_a_date_and_leaves_out_what_cannot_be_read(
    nights: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(nights, tmp_path / "runs"))
    shutil.copytree(out / "2026-11-20", out / "2026-11-19")
    (out / "2026-11-19" / "summary.json").write_text("{}")

    def dates(**limits: Any) -> list[str]:
        return [str(one.business_date) for one in trend_of(published_runs(out), **limits)]

    assert dates() == ["2026-11-20", "2026-11-21"]
    assert dates(most=1) == ["2026-11-21"]
    assert trend_of([]) == ()


def test_the_first_run_has_no_trend(nights: Path) -> None:
    page = Page(render_html(nights / "2026-11-20"))

    assert "The last runs, latest first" not in page.tables
    assert "There is no previous run." in page.text


def test_what_the_api_flags_is_set_against_what_we_find(run: Path) -> None:
    flags = summary_of(run)["flag_agreement"]
    tables = [table for name, table in Page(render_html(run)).tables.items() if name == "Flags"]

    assert [row[1:] for row in tables[0][1:]] == [
        [str(flags["flagged_and_differs"]), str(flags["flagged_but_agrees"])],
        [str(flags["differs_not_flagged"]), str(flags["agree"])],
    ]


def test_the_table_of_breaks_has_every_break_with_both_sides(run: Path) -> None:
    columns, expected = rows_of(render_html(run)), pq.read_table(run / "breaks.parquet").to_pylist()

    assert columns["item_id"] == [row["item_id"] for row in expected]
    assert columns["reference"] == [row["reference"] or "" for row in expected]
    for name, code in (("payment_amount", "payment_currency_code"), ("order_amount", "order_currency_code")):
        assert columns[name] == [grouped_amount(row[f"{name}_cents"], row[code]) for row in expected]


def test_above_the_limit_the_largest_of_each_currency_are_shown(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaks, "MOST_SHOWN", 2)
    differing = ((100, "EUR"), (9_000, "SEK"), (300, "EUR"), (8_000, "SEK"))
    with_breaks(
        run,
        *(
            {
                "difference_cents": cents,
                "payment_currency_code": code,
                "at_stake_cents": cents,
                "at_stake_currency_code": code,
            }
            for cents, code in differing
        ),
    )
    page = render_html(run)

    assert rows_of(page)["difference"] == ["90.00", "3.00"]
    assert "This page shows 2 of 4 breaks" in Page(page).text
    assert "breaks.csv" in Page(page).text


def test_texts_that_would_fill_a_browser_are_left_to_the_files(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaks, "MOST_TEXT", 25_000)
    long = {"reference": "x" * 10_000, "at_stake_currency_code": "EUR"}
    with_breaks(run, *(long | {"difference_cents": cents, "at_stake_cents": cents} for cents in (3, 1, 2)))
    columns = rows_of(render_html(run))

    assert columns["difference"] == ["0.03", "0.02"]
    assert columns["reference"][0] == "x" * 10_000


def test_hostile_texts_are_text(run: Path) -> None:
    with_breaks(run, {"reference": HOSTILE, "suggestion": HOSTILE, "accepted_reason": HOSTILE})
    summary = summary_of(run) | {"organization": HOSTILE, "warnings": [HOSTILE]}
    (run / "summary.json").write_text(json.dumps(summary))
    usual = Page((run / "report.html").read_bytes())
    page = render_html(run)

    assert len(Page(page).scripts) == len(usual.scripts) == 2
    assert rows_of(page)["reference"] == [HOSTILE]
    assert visible(HOSTILE) in Page(page).text
    assert "\u202e" not in Page(page).text


def test_what_cannot_be_seen_is_shown_by_its_number() -> None:
    assert visible("a\u202eb\x00c\tđ👩\u200d👧") == "a‹U+202E›b‹U+0000›c\tđ👩\u200d👧"


def test_nothing_is_fetched_and_only_the_own_script_may_run(run: Path) -> None:
    with_breaks(run, {"reference": "https://evil.example/x.js"})
    page = render_html(run)
    named = [
        value
        for tag, attributes in Page(page).elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "data", "style") or name.startswith("on")
    ]
    style = page.decode().split("<style>")[1].split("</style>")[0]

    assert all(value is not None and value.startswith("#") for value in named), named
    assert not re.search(r"url\(|@import", style)
    assert b"default-src 'none'" in page


def test_a_thousand_breaks_are_a_small_page(run: Path) -> None:
    rows = pq.read_table(run / "breaks.parquet").to_pylist()
    with_breaks(run, *(rows[n % len(rows)] | {"item_id": f"{n:032x}", "reference": f"R{n}"} for n in range(1000)))

    assert len(render_html(run)) <= 400_000


def test_a_run_without_breaks_says_so(run: Path) -> None:
    pq.write_table(ITEMS.empty_table(), run / "breaks.parquet")

    assert "There are none." in Page(render_html(run)).text


def test_figures_of_another_version_are_told_with_the_remedy(run: Path) -> None:
    summary = summary_of(run)
    del summary["bridge"]
    (run / "summary.json").write_text(json.dumps(summary))

    with pytest.raises(OutputError, match="its figures are from another version of reconcile: 'bridge'") as raised:
        render_html(run)
    assert raised.value.hint


def test_a_page_that_cannot_be_written_is_told_as_such(run: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        write_html(run, run / "nowhere" / "report.html")


def test_a_bar_is_as_long_as_its_share_and_never_outside() -> None:
    bar = charts.length_bar(1, most=4, kind="break", words='"a" & b')
    step = charts.step_bar(100, 100, low=0, high=100, kind="ok", words="")

    assert 'x="0.0" y="2" width="250.0"' in bar
    assert 'aria-label="&#34;a&#34; &amp; b"' in bar
    x, width = (float(number) for number in re.findall(r'(?:x|width)="([0-9.]+)"', step))
    assert x + width <= 1000


def test_breaks_come_right_after_the_verdict(run: Path) -> None:
    sections = [
        attributes["id"]
        for tag, attributes in Page(render_html(run)).elements
        if tag == "section" and "id" in attributes
    ]

    assert sections[:2] == ["breaks", "statuses"]


def test_what_is_signed_adds_up_in_every_currency(run: Path) -> None:
    _, *rows = Page(render_html(run)).tables["Totals, and what the difference is made of"]

    assert rows
    for row in rows:
        payments, orders, difference, *parts = (int(re.sub(r"[.,]", "", cell) or 0) for cell in row[1:8])
        assert payments - orders == difference == sum(parts), row


@pytest.mark.parametrize(
    ("payments", "orders", "is_cut"), [(1_000_000, 999_000, True), (1_000, 0, False), (-500, 700, False)]
)
def test_a_total_whose_axis_does_not_begin_at_zero_has_a_gap(payments: int, orders: int, is_cut: bool) -> None:
    step = BridgeStep(Status.AMOUNT_MISMATCH, payments, orders, payments - orders)
    table = as_table(Bridge("EUR", payments, orders, payments - orders, (step,), 0), PLAIN)
    totals = [row[1] for row in table.rows if row[0] in ("payments", "order rows")]

    assert ["gap" in chart for chart in totals] == [is_cut] * 2
    assert "gap" not in table.rows[1][1]


def test_the_command_renders_the_latest_run_beside_you(nights: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in (nights / "2026-11-21").iterdir())
    result = CliRunner().invoke(main, ["report", "--out", str(nights)], catch_exceptions=False)

    assert (result.exit_code, result.stdout) == (0, "report-2026-11-21.html\n")
    assert Path("report-2026-11-21.html").read_bytes() == (nights / "2026-11-21" / "report.html").read_bytes()
    assert sorted(path.name for path in (nights / "2026-11-21").iterdir()) == before


def test_the_command_renders_a_workbook_too(nights: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["report", "--out", str(nights), "--format", "xlsx"], catch_exceptions=False)

    assert (result.exit_code, result.stdout) == (0, "report-2026-11-21.xlsx\n")
    assert Path("report-2026-11-21.xlsx").read_bytes() == (nights / "2026-11-21" / "report.xlsx").read_bytes()


def test_the_command_never_writes_into_a_published_run(run: Path) -> None:
    (run / "evidence").mkdir()
    result = CliRunner().invoke(main, ["report", str(run), "--to", str(run / "evidence" / "other.html")])

    assert result.exit_code == 5
    assert "never changed" in result.stderr
    assert not list((run / "evidence").iterdir())


def test_the_command_opens_the_page(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    result = CliRunner().invoke(main, ["report", str(run), "--to", str(tmp_path / "a b.html"), "--open"])

    assert opened == [(tmp_path / "a b.html").as_uri()]
    assert "no browser found" in result.stderr
