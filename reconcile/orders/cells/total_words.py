"""
Rows that say themselves that they are totals, or the header once more: by their words, or as a spreadsheet knows.

Does not decide that such a row is left out: it is rejected, with the option that does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.orders.cells.left_out import fits, is_filled
from reconcile.orders.cells.remedies import quoted
from reconcile.orders.cells.tidied import ends_in_digit
from reconcile.orders.columns.mapping import KEYS, ColumnMap
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import Reject

LOOKS_LIKE_TOTAL = "looks like a total"
REPEATS_HEADER = "repeats the header"

# en, de, sv, nb and da, fi, nl, fr, es, it, pl, pt, cs, sk, hu, ro, el: as reports write them below a table.
_WORDS = (
    r"(?:grand|sub|sum|overall|report)?[ -]?totals?|total result|total amount|sum",
    r"summen?|gesamt|(?:gesamt|end|zwischen)(?:summe|betrag|ergebnis)|insgesamt|ergebnis",
    r"summa|totalt|(?:total|slut|del)summa|summa totalt",
    r"i alt|(?:del|total|slut)sum|hovedtotal|samlet(?: total)?|sum totalt|totalsum",
    r"yhteensä|(?:väli|loppu|kokonais)summa|kaikki yhteensä",
    r"totaal|(?:eind|sub)totaal|totaalbedrag",
    r"total g[ée]n[ée]ral|sous[ -]total|total ttc|totaux",
    r"(?:gran )?total general|gran total|(?:sub)?totales|suma(?: total)?|(?:importe|monto) total",
    r"(?:sub)?totale(?: generale| complessivo)?|somma|totali",
    r"razem|łącznie|suma (?:całkowita|końcowa|łączna|częściowa)|ogółem",
    r"total geral|sub-?total(?: geral)?|soma(?: total)?|(?:sub)?totais|(?:valor|montante) total",
    r"celkem|mezisoučet|(?:celkový )?součet|celková částka|úhrnem",
    r"celkom|medzisúčet|(?:celkový )?súčet|celková suma|spolu",
    r"összesen|mindösszesen|részösszeg|végösszeg|összeg",
    r"suma totală|sumă totală|totaluri",
    r"(?:γενικό |μερικό )?σύνολο|υποσύνολο|σύνολα|άθροισμα|συνολικό ποσό",
)
_BEGINNING = rf"\A[*=\s-]*(?:{'|'.join(_WORDS)})(?:\s*:.*|\s+(?:for|of|für|för|av|van|pour|de|du|per|za|dla)\s.*)?\z"
_PATTERN = rf"\A[*=\s-]*(?:{'|'.join(_WORDS)})[*=:.\s-]*\z"


def without_headers(raw: RawRows, columns: ColumnMap) -> RawRows:
    """Return `raw` without rows that repeat the header, as joined files have them, which become rejects."""
    name = columns.name("amount")
    is_header: Column = pc.fill_null(pc.equal(raw.cells["amount"], name), False)
    if not pc.any(is_header).as_py():
        return raw
    for role in (role for role in KEYS if role in raw.cells):
        is_header = pc.and_(is_header, pc.fill_null(pc.equal(raw.cells[role], columns.name(role)), False))
    key = columns.name(next(role for role in KEYS if role in raw.cells))
    remedy = f"if it is one, add --skip-rows {quoted(key)}"
    told = [
        Reject(line, name, name, REPEATS_HEADER, remedy, key)
        for line in raw.lines.filter(is_header).to_numpy().tolist()
    ]
    return replace(raw.where(pc.invert(is_header)), rejects=(*raw.rejects, *told))


def without_totals(raw: RawRows, columns: ColumnMap) -> RawRows:
    """Return `raw` without rows that say that they are totals, which become rejects and nothing else."""
    roles = [role for role in KEYS if role in raw.cells]
    if raw.plain.intersection(roles) and not raw.sums:
        return raw
    has_key, has_other = (pa.repeat(pa.scalar(False), len(raw.lines)) for _ in range(2))
    for role in roles:
        filled, is_word = is_filled(raw.cells[role]), _is_word(raw.cells[role])
        has_key = pc.or_(has_key, filled)
        has_other = pc.or_(has_other, pc.and_not(filled, is_word))
    is_total: Column = pc.and_not(has_key, has_other)
    if 0 in raw.shown and not pc.all(has_key).as_py():  # of rows without a key, the first column may say it
        first = fits(raw.shown[0], _BEGINNING)
        is_total = pc.or_(is_total, pc.and_not(first, has_key))
    if raw.sums:
        is_total = pc.or_(is_total, pc.is_in(raw.lines, value_set=pa.array(sorted(raw.sums), pa.int64())))
    if not pc.any(is_total).as_py():
        return raw
    totals = raw.where(is_total)
    named = [totals.cells[role] for role in roles] + ([totals.shown[0]] if 0 in totals.shown else [])
    keys = zip(*(pc.utf8_trim_whitespace(texts).to_pylist() for texts in named), strict=True)
    lines: list[int] = totals.lines.to_numpy().tolist()
    amounts = totals.cells["amount"].to_pylist()
    told = [
        total_reject(line, texts, columns.name("amount"), amount)
        for line, texts, amount in zip(lines, keys, amounts, strict=True)
    ]
    rejects = (*(reject for reject in raw.rejects if reject.line not in lines), *told)
    return replace(raw.where(pc.invert(is_total)), rejects=rejects)


def _is_word(texts: Column) -> Column:
    """Return whether each text is a word for a total: only those are looked at that do not end in a digit."""
    rows = np.flatnonzero(~ends_in_digit(texts))
    found = np.zeros(len(texts), np.bool_)
    if len(rows):
        found[rows] = fits(texts.take(pa.array(rows, pa.int64())), _PATTERN).to_numpy(zero_copy_only=False)
    words: Column = pa.array(found, pa.bool_())
    return words


def total_reject(line: int, keys: Iterable[str | None], column: str | None, value: str | None) -> Reject:
    """Return the reject for a row that looks like a total, with the option that leaves it out: by its key, if any."""
    key = next(filter(None, keys), "")
    remedy = f"if it is one, add --skip-rows {quoted(key)}"
    if not key:
        remedy += ", which leaves out rows without any key; else fill in its key"
    return Reject(line, column, value, LOOKS_LIKE_TOTAL, remedy, key)
