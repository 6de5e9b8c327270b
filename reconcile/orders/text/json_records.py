"""
Which list of a JSON document has the rows, where an object is around it: `{"data": [...], "meta": ...}`.

The only list of objects is the one; of several, one must be named. What comes behind it is looked at when the list is
read: another one is an error then. Does not know what a row means.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from reconcile.errors import OrderFileError
from reconcile.orders.cells.remedies import quoted
from reconcile.orders.columns.mapping import has_required
from reconcile.orders.columns.marks import listed
from reconcile.orders.columns.names import names_of_lines
from reconcile.orders.format import OrderFormat
from reconcile.orders.text.json_elements import JsonValues
from reconcile.orders.text.json_walk import JsonList, JsonWalk

_MOST_LISTS = 1000  # by then it is known that there are several, or none of rows
_BY_ROW = "export it with one object per row: [{…}, {…}]"


def rows_within(head: bytes, form: OrderFormat, path: str, *, is_whole: bool) -> str | None:
    """
    Return the path of the list with the rows in the document that begins with `head`; None: it is a row itself.

    Raises OrderFileError when several lists could be it, when the one that `form` names is not there, and when the rows
    are in another form than as objects of a list.
    """
    if form.records == "":
        return None
    walk = JsonWalk((head,), path, is_part=True)
    lists = list(islice(walk.lists(), _MOST_LISTS))
    found = _possible(lists)
    if form.records is not None:
        is_seen = is_whole and len(lists) < _MOST_LISTS
        if form.records in {one.path for one in lists if one.kind in ("objects", "empty")} or not is_seen:
            return form.records
        raise _not_there(form.records, found, path)
    paths = {one.path for one in lists}
    plain = [key for key in walk.members.get((), ()) if (key,) not in walk.members and key not in paths]
    if has_required(plain, form):
        _check_one_row(found, form, path)
        return None
    if not found:
        _check_shape(walk, lists, form, path)
        return None
    if len(found) > 1:
        raise several(found, path)
    return found[0].path


def rows_at(wanted: str, texts: Iterable[bytes], form: OrderFormat, path: str) -> Iterator[JsonValues]:
    """Yield the elements of the list at the path `wanted`; raises OrderFileError where it is not the only one."""
    walk = JsonWalk(texts, path)
    met: list[JsonList] = []
    is_read = False
    for one in walk.lists():
        if one.kind not in ("objects", "empty"):
            continue
        met.append(one)
        if one.path == wanted and not is_read:
            is_read = True
            yield from walk.elements()
        elif one.path == wanted or (is_read and form.records is None and not _is_only(wanted, met)):
            raise several(met, path)
    if not is_read:
        raise _not_there(wanted, met, path)


def _is_only(wanted: str, lists: Sequence[JsonList]) -> bool:
    return [one.path for one in _possible(lists)] == [wanted]


def several(lists: Sequence[JsonList], path: str) -> OrderFileError:
    """Return the error for a document with more than one list of objects."""
    paths = [one.path for one in lists]
    if twice := [one for one, times in Counter(paths).items() if times > 1]:
        return OrderFileError(
            f'list "{twice[0]}" occurs more than once in the file', path=path, hint="write every list once"
        )
    return OrderFileError(
        f"the rows may be in any of several lists: {listed(paths)}",
        path=path,
        hint=f"name the right one, e.g. --records {_shell(paths[0])}",
    )


def _possible(lists: Sequence[JsonList]) -> list[JsonList]:
    """Return the lists that may hold the rows; of a document of JSON:API, what is `included` are other things."""
    found = [one for one in lists if one.kind in ("objects", "empty")]
    is_document = any(one.path == "data" for one in found)
    return [one for one in found if not (is_document and one.path == "included")]


def _check_one_row(found: Sequence[JsonList], form: OrderFormat, path: str) -> None:
    """Refuse an object that may be one order, or be around a list of orders."""
    orders = [one for one in found if one.kind == "objects"]
    if orders := [one for one in orders if has_required(one.names, form) or not names_of_lines(one.names)]:
        raise OrderFileError(
            f'this may be one order, or a list of orders under "{orders[0].path}"',
            path=path,
            hint=f'name the list with --records {_shell(orders[0].path)}, or add --records "" if it is one order',
        )


def _check_shape(walk: JsonWalk, lists: Sequence[JsonList], form: OrderFormat, path: str) -> None:
    """Refuse rows in columns, and rows that are the members of an object."""
    columns = [one.path.rpartition(".")[2] for one in lists if one.kind == "values"]
    if any(one.kind == "lists" for one in lists) or has_required(columns, form):
        where = next((one.path for one in lists if one.kind == "lists"), columns[0] if columns else "")
        raise OrderFileError(
            f'the rows are written by columns, under "{where}"',
            path=path,
            hint=f'{_BY_ROW}; in pandas, to_json(orient="records")',
        )
    for parent, keys in walk.members.items():
        inner = [frozenset(walk.members.get((*parent, key), ())) for key in keys]
        if len(inner) > 1 and all(inner) and all(_are_alike(inner[0], other) for other in inner[1:]):
            by_columns = has_required(keys, form)
            what = "written by columns" if by_columns else f'members of one object, under keys such as "{keys[0]}"'
            where = f', in "{".".join(parent)}"' if parent else ""
            raise OrderFileError(f"the rows are {what}{where}", path=path, hint=_BY_ROW)


def _are_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) * 2 > len(one | other)


def _not_there(wanted: str, found: Sequence[JsonList], path: str) -> OrderFileError:
    there = f"; the lists of objects are {listed([one.path for one in found])}" if found else ""
    return OrderFileError(
        f'there is no list of objects "{wanted}" in the file{there}', path=path, hint="correct --records"
    )


def _shell(path: str) -> str:
    return path if re.fullmatch(r"[\w.-]+", path) else quoted(path)
