"""What is proposed for a file that cannot be read was tried on it, and reads what was written."""

from __future__ import annotations

import csv
import gzip
import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_orders_layouts import declared

from reconcile.errors import OrderFileError, ReconcileError, TooManyRejects
from reconcile.money import parse_amount
from reconcile.orders.format import OrderFormat
from reconcile.orders.proposals.cells import for_amounts, for_dates
from reconcile.orders.read import read_orders

CASES = Path(__file__).parents[3] / "shared" / "cases" / "order-files"


def commands(error: ReconcileError) -> list[list[str]]:
    """Return the options of each command line in a hint, as a shell takes it apart."""
    lines = (error.hint or "").splitlines()
    return [shlex.split(line)[4:] for line in lines if line.startswith("  reconcile orders inspect ")]


def refusal(path: Path, form: OrderFormat) -> ReconcileError | None:
    try:
        read_orders(path, form)
    except (OrderFileError, TooManyRejects) as error:
        return error
    return None


def rows_of(path: Path, form: OrderFormat) -> list[tuple[str, int, str]]:
    frame = read_orders(path, form)
    return list(frame[["reference", "amount_cents", "currency_code"]].itertuples(index=False, name=None))


def proposed(path: Path, text: str, **form: Any) -> tuple[ReconcileError, list[list[str]]]:
    path.write_text(text, encoding="utf-8")
    error = refusal(path, OrderFormat(**form))
    assert error is not None, "it is read as it is"
    return error, commands(error)


HEADER = "reference;total;currency\n"


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ("A1;-236,48;EUR\nA2;1.488,69;EUR\nA3;-1.000;EUR\n", "--decimal , --thousands ."),
        ("A1;1\u00a0234,56;EUR\nA2;12\u202f345,67;EUR\nA3;1 234,56;EUR\n", "--decimal , --thousands space"),
        ("A1;1'234.50;CHF\nA2;1’234.50;CHF\n", "--thousands apostrophe"),
        ("A1;1,23,456.00;INR\nA2;4,500.00;INR\n", "--thousands , --grouping indian"),
        ("A1;$400.00;USD\nA2;($30.00);USD\nA3;$(12.34);USD\n", "--accounting parentheses --accounting currency"),
        ("A1;4.711,98 €;EUR\nA2;-10,00€;EUR\n", "--decimal , --thousands . --accounting currency"),
        ("A1;12.--;CHF\nA2;12,-;EUR\n", "--accounting dash_decimals"),
        ("A1;- 10.00;EUR\nA2;10.00-;EUR\n", "--accounting trailing_minus --accounting spaced_sign"),
        ("100408.0;10.00;EUR\n", "--float-keys whole"),
        ("A1;10.00;EUR\nA2;20.00;EUR\nTotal;30.00;EUR\n", "--skip-rows Total"),
        ("[text];[EUR];[ISO]\nA1;10.00;EUR\n", '--skip-rows "[text]"'),
        ("A1;10.00;EUR\nA1;;\nA2;20.00;EUR\n", "--continuation-rows empty"),
        ("A1;10.00;EUR\nreference;total;currency\nA2;20.00;EUR\n", "--skip-rows reference"),
        ("A1;10.00;EUR\n** Ende, $1 'gut' **\n", "--skip-rows '** Ende, $1 '\"'\"'gut'\"'\"' **'"),
        ("A1;1.234,50-;EUR\nSumme;1.234,50-;EUR\n",
         "--decimal , --thousands . --accounting trailing_minus --skip-rows Summe"),
    ],
)  # fmt: skip
def test_cells_are_read_by_what_is_proposed(tmp_path: Path, rows: str, options: str) -> None:
    error, (words,) = proposed(tmp_path / "orders.csv", HEADER + rows)

    assert words == shlex.split(options)
    assert f"add {options}: reads " in (error.hint or "")
    assert refusal(tmp_path / "orders.csv", declared(words)) is None


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    text = "Nyckel;Summa kr;Kanal\nA1;1 234,50;web\nA2;20,00;web\n"

    error, ways = proposed(tmp_path / "orders.csv", text)

    assert ways[0][:4] == ["--reference-column", "Nyckel", "--amount-column", "Summa kr"]
    assert "there is no reference column" in error.message
    assert "there is no amount column" in error.message
    assert "there is no currency column" in error.message
    assert "write the code of all amounts in place of" in (error.hint or "")


def test_a_net_a_fee_or_a_tax_is_never_the_one_that_is_proposed(tmp_path: Path) -> None:
    text = "reference,Net,Fee,VAT,currency\nA1,10.00,1.00,2.00,EUR\nA2,20.00,1.00,4.00,EUR\n"

    error, ways = proposed(tmp_path / "orders.csv", text)

    assert (error.hint or "").startswith(
        'if the total is in "Net" (10.00, 20.00), which is usually without tax, add --amount-column Net'
    )
    assert [words[:2] for words in ways] == [["--amount-column", name] for name in ("Net", "Fee", "VAT")]


def test_amounts_that_are_written_in_several_ways_have_no_declaration(tmp_path: Path) -> None:
    _, ways = proposed(tmp_path / "orders.csv", HEADER + "A1;10,50;EUR\nA2;1,050.00;EUR\nA3;10.00;EUR\n")

    assert ways == []


def test_what_the_user_has_declared_is_never_proposed_again(tmp_path: Path) -> None:
    error, ways = proposed(tmp_path / "orders.csv", HEADER + "A1;1,000;EUR\nA2;2,50;EUR\n", decimal=",")

    assert ways == []
    assert "--decimal" not in (error.hint or "")


def test_the_line_to_type_has_what_was_declared_before(tmp_path: Path) -> None:
    text = "Key;total;currency\nA1;1.234,50;EUR\n"

    error, ways = proposed(tmp_path / "orders.csv", text, reference_column="Key", decimal=",", skip_rows=("", "x*"))

    assert (error.hint or "").startswith("add --thousands .: reads 1 row (EUR 1234.50), 0 rejected")
    expected = '--reference-column Key --decimal , --skip-rows "" --skip-rows "x*" --thousands .'
    assert ways == [shlex.split(expected)]


def test_days_that_could_be_meant_in_two_ways_are_told_both_ways(tmp_path: Path) -> None:
    text = "reference;total;currency;order date\nA1;10.00;EUR;02/11/2026\nA2;10.00;EUR;03/11/2026\n"

    error, ways = proposed(tmp_path / "orders.csv", text)

    assert ways == [["--date-format", "%d/%m/%Y"], ["--date-format", "%m/%d/%Y"]]
    assert (error.hint or "").startswith('if "02/11/2026" is 2026-11-02, add --date-format %d/%m/%Y: reads 2 rows')
    clear = text.replace("03/11", "23/11")
    assert proposed(tmp_path / "orders.csv", clear)[1] == [["--date-format", "%d/%m/%Y"]]


def test_a_name_that_a_shell_would_take_apart_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / 'it\'s $HOME; "x".csv'
    path.write_text(HEADER + "A1;1,00;EUR\n", encoding="utf-8")

    error = refusal(path, OrderFormat())

    assert error is not None
    (line,) = [line for line in (error.hint or "").splitlines() if line.startswith("  reconcile")]
    assert shlex.split(line)[3:] == [str(path), "--decimal", ","]


KINDS = "reference;kind;group;total;currency\n"


def test_of_several_rows_of_each_order_people_choose_the_one_that_is_its_total(tmp_path: Path) -> None:
    rows = "A1;Price;p;35,00;EUR\nA1;Fee;f;-1,00;EUR\nA2;price;p;20,50;EUR\nA2;Fee;f;-2,00;EUR\nA3;Price;p;8,00;EUR\n"

    error, ways = proposed(tmp_path / "orders.csv", KINDS + rows)

    assert ways == [["--decimal", ",", "--only", f"kind={kind}"] for kind in ("Price", "Fee")] + [["--decimal", ","]]
    told = (error.hint or "").splitlines()[0].split("; or ")
    assert told == [
        'if the total of an order is its row with "Price" in kind (35,00, 20,50), '
        "add --decimal , --only kind=Price: reads 3 rows (EUR 63.50), 2 left out, 0 rejected",
        'if the total of an order is its row with "Fee" in kind (-1,00, -2,00), '
        "add --decimal , --only kind=Fee: reads 2 rows (EUR -3.00), 3 left out, 0 rejected",
        "if all rows of an order together are its total, add --decimal ,: reads 5 rows (EUR 60.50), 0 rejected; "
        "where several rows of an order count, --group-orders sum adds them up",
    ]


def test_several_rows_of_each_order_may_be_its_total_together(tmp_path: Path) -> None:
    rows = "A1;Price;p;30,00;EUR\nA1;Price;q;5,00;EUR\nA1;Fee;f;-1,00;EUR\nA2;Price;p;20,50;EUR\nA2;Fee;f;-2,00;EUR\n"

    error, ways = proposed(tmp_path / "orders.csv", KINDS + rows)

    assert [words[2:] for words in ways] == [["--only", "kind=Price"], ["--only", "kind=Fee"], []]
    assert (error.hint or "").startswith(
        'if the total of an order is that of its rows with "Price" in kind (30,00, 5,00, 20,50), '
        "add --decimal , --only kind=Price: reads 3 rows (EUR 55.50), 2 left out, 0 rejected; or if"
    )


def test_a_row_that_is_the_sum_of_the_others_of_its_order_comes_first_and_is_told(tmp_path: Path) -> None:
    rows = "".join(
        f"{key};item;p;5,00;EUR\n{key};item;q;2,00;EUR\n{key};all;r;7,00;EUR\n" for key in ("A1", "A2", "A3")
    )

    error, ways = proposed(tmp_path / "orders.csv", KINDS + rows)

    chosen = [["--only", kind] for kind in ("kind=all", "kind=item", "group=p", "group=q")]
    assert [words[2:] for words in ways] == [*chosen, []]
    first = 'if the total of an order is its row with "all" in kind (7,00, 7,00, 7,00), the sum of its others, add'
    assert (error.hint or "").startswith(first)


@pytest.mark.parametrize(
    "rows",
    [
        "A1;sale;x;35,00;EUR\nA1;refund;y;-1,00;EUR\nA2;sale;x;20,00;EUR\nA3;sale;x;20,00;EUR\n",  # few have several
        "A1;item;x;35,00;EUR\nA1;item;x;1,00;EUR\nA2;fee;y;20,00;EUR\nA2;fee;y;1,00;EUR\n",  # no order has two kinds
        "A1;a*;x;35,00;EUR\nA1;b?;x;1,00;EUR\nA2;a*;x;20,00;EUR\nA2;b?;x;1,00;EUR\n",  # would be patterns
        "A1;1;x;35,00;EUR\nA1;2;x;1,00;EUR\nA2;1;x;20,00;EUR\nA2;2;x;1,00;EUR\n",  # numbers of lines
    ],
)
def test_no_row_is_chosen_where_nothing_says_which(tmp_path: Path, rows: str) -> None:
    assert proposed(tmp_path / "orders.csv", KINDS + rows)[1] == [["--decimal", ","]]


def test_rows_that_the_user_has_chosen_are_those(tmp_path: Path) -> None:
    rows = "A1;Price;p;35,00;EUR\nA1;Fee;f;-1,00;EUR\nA2;price;p;20,50;EUR\nA2;Fee;f;-2,00;EUR\n"

    error, ways = proposed(tmp_path / "orders.csv", KINDS + rows, only={"kind": ("Fee",)})

    assert ways == [["--only", "kind=Fee", "--decimal", ","]]
    assert "reads 2 rows (EUR -3.00), 2 left out" in (error.hint or "")


def test_a_currency_that_some_rows_have_is_proposed_for_those_without_one(tmp_path: Path) -> None:
    error, ways = proposed(tmp_path / "orders.csv", HEADER + "A1;10.00;EUR\nA2;20.00;\nA3;30.00;\n")

    assert ways == [["--currency", "EUR"]]
    assert (error.hint or "").startswith("if rows without a currency are in EUR, add --currency EUR: reads 3 rows")
    assert proposed(tmp_path / "orders.csv", HEADER + "A1;1.00;EUR\nA2;2.00;SEK\nA3;3.00;\nA4;4.00;\n")[1] == []


def late(row: str, *rows: str, end: str = "\n") -> str:
    """Return a table of 3,000 rows that are read as they are, and then others."""
    return end.join([HEADER.strip(), *(row.replace("#", str(at)) for at in range(3_000)), *rows]) + end


@pytest.mark.parametrize(
    ("text", "line", "options"),
    [
        (late("A#;10;EUR", "B1;10,50;EUR", "B2;20,50;EUR"), 3002, "--decimal ,"),
        (late('"A\n#";10;EUR', "B1;10,50;EUR"), 6002, "--decimal ,"),
        (late("A#;10;EUR", "B1;10,50;EUR", end="\r\n"), 3002, "--decimal ,"),
        (late("A#;10;EUR", "B1;10,50;EUR")[:-1], 3002, "--decimal ,"),
        (late("A#;10.00;EUR", "Total;30000.00;EUR"), 3002, "--skip-rows Total"),
        (late("A#;10.00;EUR", "B1;10,50;EUR", "B2;20,50;EUR"), 3002, None),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_rows_far_down_are_read_by_what_was_tried_on_them(
    tmp_path: Path, text: str, line: int, options: str | None, encoding: str
) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress(text.encode(encoding)))

    error = refusal(path, OrderFormat())

    assert error is not None
    assert f"orders.csv.gz:{line}: " in error.message
    assert commands(error) == ([shlex.split(options)] if options else [])
    if options:
        rows = f"{1_000 + len(text.splitlines()) - line + 1 - options.startswith('--skip'):,}"
        assert f"add {options}: reads {rows} rows at the beginning and from line {line:,} on" in (error.hint or "")
        assert refusal(path, declared(shlex.split(options))) is None


def test_of_several_files_the_one_with_the_first_rejected_row_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(late("A#;10;EUR"), encoding="utf-8")
    (tmp_path / "2.csv").write_text(late("B#;10;EUR", "C1;10,50;EUR"), encoding="utf-8")

    with pytest.raises(TooManyRejects) as caught:
        read_orders([tmp_path / "1.csv", tmp_path / "2.csv"])

    assert [words[-2:] for words in commands(caught.value)] == [["--decimal", ","]]
    assert "(EUR 10010.50)" in (caught.value.hint or "")


AMOUNTS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=8)
DIALECTS = st.fixed_dictionaries(
    {
        "decimal": st.sampled_from([".", ","]),
        "thousands": st.sampled_from([None, ".", ",", "space", "apostrophe"]),
        "grouping": st.sampled_from(["thousands", "thousands", "indian"]),
        "negative": st.sampled_from(["minus", "parentheses", "trailing_minus", "angle_brackets", "cr_dr"]),
        "currency": st.sampled_from([None, "before", "behind"]),
        "dates": st.sampled_from([None, "%d.%m.%Y", "%Y/%m/%d", "%d %b %Y"]),
        "footer": st.booleans(),
        "withheld": st.sets(st.sampled_from(["decimal", "thousands", "accounting", "date_format", "skip_rows"])),
    }
)


def written(cents: int, way: dict[str, Any]) -> str:
    """Return an amount in EUR as the dialect writes it."""
    whole, fraction = divmod(abs(cents), 100)
    digits = str(whole)
    if way["thousands"] is not None:
        size = 2 if way["grouping"] == "indian" else 3
        head, tail = digits[:-3], digits[-3:]
        groups = [tail]
        while head:
            head, groups = head[:-size], [head[-size:], *groups]
        mark = {"space": "\u00a0", "apostrophe": "’"}.get(way["thousands"], way["thousands"])
        digits = mark.join(groups)
    text = f"{digits}{way['decimal']}{fraction:02}"
    if way["currency"] is not None:
        text = f"€ {text}" if way["currency"] == "before" else f"{text} €"
    if cents >= 0:
        return text
    forms = {"parentheses": "({})", "trailing_minus": "{}-", "angle_brackets": "<{}>", "cr_dr": "{} CR"}
    return forms.get(way["negative"], "-{}").format(text)


def declarations(amounts: list[int], way: dict[str, Any]) -> dict[str, Any]:
    accounting = {way["negative"]} - {"minus"} if any(cents < 0 for cents in amounts) else set()
    accounting |= {"currency"} if way["currency"] else set()
    found: dict[str, Any] = {"decimal": way["decimal"], "accounting": tuple(sorted(accounting))}
    if way["thousands"] is not None:
        found |= {"thousands": way["thousands"], "grouping": way["grouping"]}
    return (
        found
        | ({"date_format": way["dates"]} if way["dates"] else {})
        | ({"skip_rows": ("Total",)} if way["footer"] else {})
    )


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(amounts=AMOUNTS, way=DIALECTS)
def test_whatever_is_withheld_what_is_proposed_reads_what_was_written(
    tmp_path: Path, amounts: list[int], way: dict[str, Any]
) -> None:
    if way["thousands"] == way["decimal"] or (way["currency"] == "behind" and way["negative"] == "trailing_minus"):
        return
    whole = declarations(amounts, way)
    table = io.StringIO()
    lines = csv.writer(table, delimiter=";", lineterminator="\n")
    lines.writerow(["reference", "total", "currency", *(["order date"] if way["dates"] else [])])
    for at, cents in enumerate(amounts):
        day = [f"{at + 13:02}.11.2026"] if way["dates"] == "%d.%m.%Y" else [f"2026/11/{at + 13}"]
        day = [f"{at + 13} Nov 2026"] if way["dates"] == "%d %b %Y" else day
        lines.writerow([f"A{at}", written(cents, way), "EUR", *(day if way["dates"] else [])])
    if way["footer"]:
        lines.writerow(["Total", written(sum(amounts), way), "EUR", *([""] if way["dates"] else [])])
    path = tmp_path / "orders.csv"
    path.write_text(table.getvalue(), encoding="utf-8")
    expected = [(f"A{at}", cents, "EUR") for at, cents in enumerate(amounts)]
    assert rows_of(path, OrderFormat(**whole)) == expected
    given_ = {name: value for name, value in whole.items() if name not in way["withheld"]}
    if "thousands" in way["withheld"]:
        given_.pop("grouping", None)
    if given_.get("thousands") == ".":
        given_["decimal"] = ","  # a point cannot be both: that is said before any file is opened

    error = refusal(path, OrderFormat(**given_))

    if error is None:
        assert rows_of(path, OrderFormat(**given_)) == expected
        return
    found = [rows_of(path, declared(words)) for words in commands(error)]
    assert expected in found or not found


def test_of_two_ways_to_read_amounts_both_are_told_and_the_plainer_comes_first() -> None:
    assert for_amounts([("1.000", "EUR")], OrderFormat()) == [{"decimal": ",", "thousands": "."}]
    assert for_amounts([("1,000", "KWD")], OrderFormat()) == [{"decimal": ","}, {"thousands": ","}]
    assert for_amounts([("x", "EUR")], OrderFormat()) == []
    assert parse_amount("1,000", "KWD", decimal=",") == 1000


def test_formats_of_dates_are_those_that_read_all_of_them() -> None:
    found = for_dates(["13.11.2026 10:00", "14.11.2026 11:30"], OrderFormat())

    assert [how for _, how in found] == ["%d.%m.%Y %H:%M"]
    assert for_dates(["13.11.2026", "yesterday"], OrderFormat()) == []


@pytest.mark.skipif(not CASES.exists(), reason="the inputs that real programs taught are not here")
@pytest.mark.parametrize("path", sorted(CASES.iterdir()) if CASES.exists() else [], ids=lambda path: path.name)
def test_every_case_is_read_or_what_is_proposed_leaves_fewer_rows(path: Path) -> None:
    error = refusal(path, OrderFormat())
    for words in commands(error) if error is not None else []:
        again = refusal(path, declared(words))
        assert again is None or isinstance(again, TooManyRejects)
        if isinstance(error, TooManyRejects) and isinstance(again, TooManyRejects):
            assert again.rejects < error.rejects
