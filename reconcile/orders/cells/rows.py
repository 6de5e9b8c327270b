"""
Cells as read to rows of ORDERS: clean key, exact amount, known currency, date; or a reject with its reason and remedy.

Knows what every column of ORDERS means. Does not know where the cells come from: a leaf (`delimited`, `json_text`,
`parquet_table`) hands them over as text, batch by batch, and nothing here keeps more than one batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from reconcile.files.arrow import Column, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.keys import clean_key
from reconcile.orders.cells.amounts import in_one
from reconcile.orders.cells.carried import carried_texts
from reconcile.orders.cells.continuations import Edge, edges, key_of, starts_with_continuation, without_continuations
from reconcile.orders.cells.left_out import KEY_ROLES, sort_rows
from reconcile.orders.cells.money import ReadMoney, known_amounts, read_money
from reconcile.orders.cells.remedies import CONTINUES, footer_of, remedy_of
from reconcile.orders.cells.tidied import with_tidy_keys
from reconcile.orders.cells.total_words import without_headers, without_totals
from reconcile.orders.cells.totals import OneCurrency, by_currency
from reconcile.orders.columns.mapping import KEYS, ColumnMap
from reconcile.orders.dates import read_dates
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import Reject
from reconcile.orders.report import LeftOut, TidiedKind
from reconcile.schema import DELIVERY, ORDERS

_ROLES_TOLD = ("amount", "currency", "ordered_on", "sign")  # in this order, of one row
_ASCII_BLANKS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "  # what str.strip() strips of ASCII text


@dataclass(frozen=True, slots=True)
class OrderRows:
    """
    Good rows as a table of ORDERS, and rejects in the order of their lines.

    `continued` rows were left out, as the user declared, and so were those in `left_out`. `first` and `last` are the
    cells of the batch at its edges, where the batch before must be known to know whether the first row continues its
    last. `others` are the rows of DELIVERY beside the good ones, where they are wanted. `tidied` counts the
    keys that were read as they are meant, by kind and column.
    """

    table: pa.Table
    rejects: tuple[Reject, ...] = ()
    continued: int = 0
    first: Edge | None = None
    last: Edge | None = None
    left_out: tuple[LeftOut, ...] = ()
    others: pa.Table | None = None
    tidied: Mapping[tuple[TidiedKind, str], int] = field(default_factory=dict)
    by_currency: tuple[OneCurrency, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_currency", tuple(by_currency(self.table)))

    @property
    def rejected_rows(self) -> int:
        """Number of rows with at least one reject: a row is counted once."""
        return len({reject.line for reject in self.rejects})

    @property
    def delivered(self) -> pa.Table:
        """The rows that are kept: of ORDERS, or with the `others` of DELIVERY, in the order of their lines."""
        if self.others is None:
            return self.table
        whole = pa.concat_tables([as_delivery(self.table), self.others])
        return whole.sort_by("source_line") if self.others.num_rows else whole

    def after(self, before: Edge | None, form: OrderFormat) -> OrderRows:
        """Return these rows without the first one, if it continues the order of the row `before`."""
        if self.first is None or not starts_with_continuation(self.first, before, form.continuation_rows):
            return self
        return replace(self.without({self.first.line}), continued=self.continued + 1)

    def without(self, lines: Collection[int]) -> OrderRows:
        """Return these rows without those that begin on one of `lines`, good or rejected."""
        gone = pa.array(sorted(lines), pa.int64())
        kept, others = (
            table and table.filter(pc.invert(pc.is_in(table["source_line"], value_set=gone)))
            for table in (self.table, self.others)
        )
        assert kept is not None, "there is a table of good rows"
        rejects = tuple(reject for reject in self.rejects if reject.line not in lines)
        return replace(self, table=kept, others=others, rejects=rejects)


def order_rows(
    raw: RawRows, columns: ColumnMap, form: OrderFormat, *, source_file: str, is_delivery: bool = False
) -> OrderRows:
    """
    Return the rows of `raw` as ORDERS; a row with any unreadable cell is not in the table.

    With `is_delivery`, `others` are withdrawn rows, and rejected ones that have a key.
    """
    raw, tidied = with_tidy_keys(_one_sided(raw), columns, form)
    rows = sort_rows(raw, columns, form)
    unread, kept = _split(without_totals(without_headers(rows.kept, columns), columns))
    first = last = None
    continued = 0
    if form.continuation_rows is not None:
        first, last = edges(kept)
        kept, continued = without_continuations(kept, form.continuation_rows)
    table, rejects = _read_rows(kept, columns, form, source_file)
    bad = pa.array(sorted({reject.line for reject in rejects}), pa.int64())
    is_bad = pc.is_in(table["source_line"], value_set=bad)
    others = None
    if is_delivery:
        withdrawn, _ = _read_rows(replace(rows.withdrawn, rejects=()), columns, form, source_file)
        lost, _ = _read_rows(_without_cells(unread, columns), columns, form, source_file)
        others = pa.concat_tables(
            [as_delivery(withdrawn, is_withdrawn=True), *map(_without_amounts, (lost, table.filter(is_bad)))]
        )
    good = table.filter(pc.invert(is_bad)) if rejects else table
    told = tuple(sorted(rejects, key=lambda reject: reject.line))
    return OrderRows(good, told, continued, first, last, rows.left_out, others, tidied)


def _one_sided(raw: RawRows) -> RawRows:
    """Return rows whose debits and credits are in two columns with both in one, and the sign that each has."""
    if "debit" not in raw.cells:
        return raw
    amounts, marks = in_one(raw.cells["debit"], raw.cells["credit"])
    cells = {role: texts for role, texts in raw.cells.items() if role not in ("debit", "credit")}
    return replace(raw, cells={**cells, "amount": amounts, "side": marks})


def own_rows(table: pa.Table, columns: ColumnMap, form: OrderFormat, *, is_delivery: bool = False) -> OrderRows:
    """Return the rows of a table that is one of ORDERS already, without those that are left out."""
    others = as_delivery(ORDERS.empty_table()) if is_delivery else None
    if not form.leaves_rows_out:
        return OrderRows(table, others=others)
    texts = {at: whole_column(table.column(at)).cast(pa.string()) for at in range(table.num_columns)}
    wanted = texts if form.skip_rows else {at: texts[at] for at in columns.marks.values()}
    cells = {role: texts[columns.positions[role]] for role in KEY_ROLES if role in columns.positions}
    places = pa.array(range(table.num_rows), pa.int64())  # lines may be those of several files
    rows = sort_rows(RawRows(places, cells, shown=wanted), columns, form, table)
    if is_delivery:
        others = as_delivery(table.take(rows.withdrawn.lines), is_withdrawn=True)
    return OrderRows(table.take(rows.kept.lines), left_out=rows.left_out, others=others)


def as_delivery(table: pa.Table, *, is_withdrawn: bool = False) -> pa.Table:
    """Return a table of ORDERS as one of DELIVERY."""
    flags = pa.repeat(pa.scalar(is_withdrawn), table.num_rows)
    return pa.table([*table.columns, flags], schema=DELIVERY)


def _split(raw: RawRows) -> tuple[RawRows, RawRows]:
    """Return the rows that the leaf itself has rejected, and the others, with the rejects."""
    if not raw.rejects:
        return raw.where(pa.repeat(pa.scalar(False), len(raw.lines))), raw
    bad = pc.is_in(raw.lines, value_set=pa.array(sorted({reject.line for reject in raw.rejects}), pa.int64()))
    return raw.where(bad), raw.where(pc.invert(bad))


def _without_cells(unread: RawRows, columns: ColumnMap) -> RawRows:
    """Return rows that a leaf has rejected with only those cells that it can read, and without its rejects."""
    roles = {columns.name(role): role for role in columns.positions}
    rows = {line: row for row, line in enumerate(unread.lines.to_pylist())}
    cells = {role: column.to_pylist() for role, column in unread.cells.items()}
    for reject in unread.rejects:
        if reject.line in rows and reject.column in roles:
            cells[roles[reject.column]][rows[reject.line]] = None
    columns_left = {role: pa.array(texts, pa.string()) for role, texts in cells.items()}
    return replace(unread, cells=columns_left, rejects=(), plain=frozenset())


def _without_amounts(table: pa.Table) -> pa.Table:
    """Return the rows that have a key as those of a delivery, without their amounts."""
    at = ORDERS.names.index("amount_cents")
    has_key = pc.or_(pc.or_(*(pc.is_valid(table[key]) for key in KEYS[:2])), pc.is_valid(table[KEYS[2]]))
    keyed = table.filter(has_key)
    return as_delivery(keyed.set_column(at, ORDERS.field(at), pa.nulls(keyed.num_rows, pa.int64())))


def _read_rows(raw: RawRows, columns: ColumnMap, form: OrderFormat, source_file: str) -> tuple[pa.Table, list[Reject]]:
    """Return all rows of `raw` as a table of ORDERS, null where a cell cannot be read, and why not."""
    nothing = pa.nulls(len(raw.lines), pa.string())
    money = read_money(raw, columns, form)
    days, found_date = read_dates(
        raw.cells.get("ordered_on", nothing), date_format=form.date_format, time_zone=form.time_zone
    )
    table = _table(raw, money, days, carried_texts(raw, columns, form), source_file)
    reasons = {**money.reasons, "ordered_on": found_date}
    found = {role: (raw.cells.get(role, nothing), reasons[role]) for role in _ROLES_TOLD}
    rejects = _rejects(found, raw, columns, whole_column(table["currency_code"]), form)
    return table, [*_with_remedies(raw.rejects, columns, form), *rejects]


def _table(raw: RawRows, money: ReadMoney, days: Column, carried: Column, source_file: str) -> pa.Table:
    """Return the rows of `raw` as a table of ORDERS, of which `money`, `days` and `carried` are known."""
    count = len(raw.lines)
    texts = {role: raw.cells.get(role, pa.nulls(count, pa.string())) for role in (*KEY_ROLES, "method")}
    keys = {role: one if role in raw.plain else clean_keys(one) for role, one in texts.items()}
    return pa.table(
        [
            *(keys[role] for role in KEYS),
            known_amounts(money),
            money.codes.cast(pa.string()),
            days,
            pa.repeat(pa.scalar(source_file, pa.string()), count),
            raw.lines,
            raw.written.get("reference", texts["reference"]),
            raw.cells["amount"],
            keys["method"],
            keys["document"],
            pa.nulls(count, pa.date32()),
            carried,
        ],
        schema=ORDERS,
    )


def clean_keys(texts: Column) -> Column:
    """Return `clean_key` of every string: ASCII is read by the column, the rest one by one."""
    if texts.null_count == len(texts):
        return texts
    trimmed = pc.ascii_trim(texts, characters=_ASCII_BLANKS)
    empty = pc.equal(pc.binary_length(trimmed), 0)
    keys: Column = pc.if_else(empty, None, trimmed) if pc.any(empty).as_py() else trimmed
    ascii_only = pc.string_is_ascii(texts)
    if pc.all(ascii_only).as_py() is not False:
        return keys
    others = pc.fill_null(pc.invert(ascii_only), False)
    cleaned = [clean_key(text) for text in texts.filter(others).to_pylist() if text is not None]
    filled: Column = pc.replace_with_mask(keys, others, pa.array(cleaned, pa.string()))
    return filled


def _rejects(
    found: Mapping[str, tuple[Column, dict[int, str]]],
    raw: RawRows,
    columns: ColumnMap,
    codes: Column,
    form: OrderFormat,
) -> list[Reject]:
    rejects = []
    for role, (texts, reasons) in found.items():
        if not reasons:
            continue
        name = columns.name(role) if role in columns.positions else None
        rows = pa.array(list(reasons), pa.int64())
        told = (column.take(rows).to_pylist() for column in (raw.lines, texts, codes))
        for (row, reason), line, value, code in zip(reasons.items(), *told, strict=True):
            if reason == "is empty" and _continues(raw, row):
                remedy = CONTINUES
            else:
                remedy = remedy_of(role, reason, value, form, code)
            rejects.append(Reject(line, name, value, reason, remedy))
    return rejects


def _continues(raw: RawRows, row: int) -> bool:
    """Whether a row without an amount has the reference of the row above: it may be a further one of its order."""
    if row == 0 or (raw.cells["amount"][row].as_py() or "").strip():
        return False
    reference = raw.cells[key_of(raw.cells)]
    mine: str = reference[row].as_py() or ""
    return bool(mine.strip()) and mine == reference[row - 1].as_py()


def _with_remedies(rejects: Sequence[Reject], columns: ColumnMap, form: OrderFormat) -> list[Reject]:
    """Give rejects of a leaf the remedy for their reason, where the leaf knows none itself."""
    roles = {columns.name(role): role for role in columns.positions}
    return [
        replace(
            one,
            remedy=one.remedy or remedy_of(roles.get(one.column or ""), one.reason, one.value, form),
            skip=one.skip if one.skip is not None else footer_of(one.reason, one.value),
        )
        for one in rejects
    ]
