"""Hostile and odd delimited text: lines, encodings, headers, delimiters, quotes and widths."""

from __future__ import annotations

from typing import Any

import pytest
from hostile import CENTS, ROW, UNITS, A, Case, cases, check, read_as, refused

from reconcile.errors import OrderFileError, SettingsError

H, G = CENTS, UNITS
MARK = "\ufeff"
TWO = H + "A,1,EUR\nB,2,EUR\n"
AB = (A, ("B", 2, "EUR", 3))
NOTHING = "there is nothing in the file"
NUL = "there is a NUL character in the text"
SEVERAL = "is several rows in one"
AFTER_QUOTE = "has text after a closing quote"
ENCODED = "not in {}"


@cases(
    read_as("lf", H + ROW, A),
    read_as("crlf", (H + ROW).replace("\n", "\r\n"), A),
    read_as("cr_only", TWO.replace("\n", "\r"), *AB),
    read_as("mixed_ends", H + "A,1,EUR\r\nB,2,EUR\rC,3,EUR\n", *AB, ("C", 3, "EUR", 4)),
    read_as("no_final_end", (H + ROW).rstrip(), A),
    read_as("two_final_ends", H + ROW + "\n", A),
    read_as("lfcr", TWO.replace("\n", "\n\r"), ("A", 1, "EUR", 3), ("B", 2, "EUR", 5)),
    read_as("crcrlf", TWO.replace("\n", "\r\r\n"), ("A", 1, "EUR", 3), ("B", 2, "EUR", 5)),
    read_as("vt_ff", H + "A,1,EUR\x0bB,2,EUR\x0c\n", rejects=[(2, "has 5 cells")]),
    read_as("nel_ls_ps", H + "A\u2028B,1,EUR\nC\u0085D,2,EUR\nE\u2029F,3,EUR\n", count=3),
    read_as("ctrl_z", H + ROW + "\x1a", A, rejects=[(3, "has 1 cell")]),
    read_as("header_only", H),
    read_as("header_no_end", H.rstrip()),
    read_as("header_and_blanks", H + "\n\n"),
    read_as("blank_first", "\n\n \n" + H + ROW, ("A", 1, "EUR", 5)),
    refused("only_blank", " \n\t\n", NOTHING),
    refused("zero_bytes", b"", NOTHING),
    refused("lone_cr", "\r", NOTHING),
    read_as("five_mib_blank_first", "\n" * (5 << 20) + H + ROW, ("A", 1, "EUR", (5 << 20) + 2)),
    read_as("rrn_in_quotes", H + '"a\r\r\nb",1,EUR\n', ("a\r\r\nb", 1, "EUR", 2)),
    read_as("five_mib_cr", H + "\r" * (5 << 20) + ROW, ("A", 1, "EUR", (5 << 20) + 2)),
)
def test_line_ends(read: Any, case: Case) -> None:
    check(case, read)


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_a_line_end_over_the_border_of_two_blocks_is_one(read: Any, shift: int) -> None:
    lead = H + ("a" * 1000 + ",1,EUR\r\n") * 4000
    filler = "x" * ((4 << 20) - len(lead) - len(',1,EUR\r\n"') + shift - 1)
    content = f'{lead}{filler},1,EUR\r\n"p\r\nq",2,EUR\r\n'

    rows = read(content).columns("reference", "source_line")

    assert len(rows) == 4002
    assert rows[-1] == ("p\r\nq", 4003)


@cases(
    read_as("utf8_mark", MARK + H + ROW, A),
    read_as("double_mark", MARK * 2 + H + ROW, A),
    read_as("mark_quoted_header", MARK + '"reference","amount_cents","currency_code"\n' + ROW, A),
    read_as("mark_sep", MARK + "sep=;\r\n" + (H + ROW).replace(",", ";"), ("A", 1, "EUR", 3)),
    read_as(
        "mark_of_second_file",
        H + ROW + MARK + H + "B,2,EUR\n",
        A,
        ("B", 2, "EUR", 4),
        rejects=[(3, "repeats the header")],
    ),
    read_as("mark_in_a_row", H + ROW + MARK + "B,2,EUR\n", *AB),
    refused("mark_only", MARK, NOTHING),
    refused("mark16_only", b"\xff\xfe", NOTHING),
    refused("incomplete_mark", b"\xef\xbb", "byte 1 (0xef) is not UTF-8 text"),
    read_as("utf16le_mark", (MARK + H + ROW).encode("utf-16-le"), A),
    read_as("utf16be_mark", (MARK + H + ROW).encode("utf-16-be"), A),
    read_as("utf32_mark", (H + ROW).encode("utf-32"), A),
    refused("utf16le_no_mark", (H + ROW).encode("utf-16-le"), NUL, hint="utf-16-le"),
    refused("utf16be_no_mark", (H + ROW).encode("utf-16-be"), NUL, hint="utf-16-be"),
    refused("utf16_declared_no_mark", (H + ROW).encode("utf-16-le"), "no byte-order mark", encoding="utf-16"),
    refused("utf32_declared_no_mark", (H + ROW).encode("utf-32-le"), "no byte-order mark", encoding="utf-32"),
    refused("utf16_odd_byte", (MARK + H + ROW).encode("utf-16-le") + b"\n", "not UTF-16", hint="truncated", line=3),
    refused("utf16_half_character", (MARK + H).encode("utf-16-le") + b"\0\xd8,\0", "not UTF-16", hint="damaged"),
    refused("utf16_declared_utf8", (MARK + H).encode("utf-16-le"), "byte 1 (0xff)", encoding="utf-8"),
    refused("utf16_as_latin1", (H + ROW).encode("utf-16-le"), NUL, encoding="latin-1"),
    read_as("utf16le_mark_declared", (MARK + H + ROW).encode("utf-16-le"), A, encoding="utf-16-le"),
    refused("cp1252_undeclared", (H + "Café,1,EUR\n").encode("cp1252"), "0xe9", hint='"é"', line=2),
    read_as("cp1252_declared", (H + "Café,1,EUR\n").encode("cp1252"), ("Café", 1, "EUR", 2), encoding="cp1252"),
    refused("cp1252_hole", H.encode() + b"\x81,1,EUR\n", "0x81", encoding="cp1252", line=2),
    read_as("shift_jis_5c", (H + "表,1,EUR\n").encode("shift_jis"), ("表", 1, "EUR", 2), encoding="shift_jis"),
    read_as("gb18030", (H + "表€,1,EUR\n").encode("gb18030"), ("表€", 1, "EUR", 2), encoding="gb18030"),
    read_as("iso2022_jp", (H + "表,1,EUR\n").encode("iso2022_jp"), ("表", 1, "EUR", 2), encoding="iso2022_jp"),
    read_as("ebcdic", (H + ROW).encode("cp500"), A, encoding="cp500"),
    refused("header_latin1", b"r\xe9f,amount\n", "byte 2 (0xe9)", line=1),
    refused("mixed_utf8_latin1", H.encode() + "é,1,EUR\n".encode() + b"\xe9,1,EUR\n", "0xe9", line=3),
    read_as("mojibake", H + "CafÃ©,1,EUR\n", ("CafÃ©", 1, "EUR", 2)),
    read_as("replacement_sign", H + "Caf\ufffd,1,EUR\n", ("Caf\ufffd", 1, "EUR", 2)),
    refused("overlong_nul", H.encode() + b"\xc0\x80,1,EUR\n", "0xc0", line=2),
    refused("cesu8", H.encode() + b"\xed\xa0\x81\xed\xb0\x80,1,EUR\n", "0xed", line=2),
    refused("cut_character", H.encode() + b"A,1,EUR\nB\xc3", "0xc3", line=3),
    read_as("character_over_blocks", H + "x" * ((4 << 20) - len(H) - 2) + "😀,1,EUR\n", count=1),
    refused("nul_in_cell", H + "A\0,1,EUR\n", NUL, hint="damaged", line=2),
    refused("nul_tail", H + ROW + "\0" * 100, NUL, hint="damaged", line=3),
    refused("nul_only", "\0" * 10, NUL, hint="damaged"),
    refused("nul_placeholder", "\0" * 4096, NUL, hint="damaged"),
    refused("utf7_mark", "+/v8-" + H, "no reference column"),
    refused("utf7_half_character", H + "+2AA-,1,EUR\n", "half a character (U+D800)", encoding="utf-7", line=2),
    read_as("control_signs", H + "A\x01\x02,1,EUR\n", ("A\x01\x02", 1, "EUR", 2)),
)
def test_encodings(read: Any, case: Case) -> None:
    check(case, read)


@pytest.mark.parametrize("encoding", ["undefined", "punycode", "idna", "unicode_escape", "rot13", "base64", "no-such"])
def test_what_is_no_encoding_of_files_is_no_setting(read: Any, encoding: str) -> None:
    with pytest.raises(SettingsError, match="encoding"):
        read(H + ROW, encoding=encoding)


@cases(
    refused("no_header", "A,1,EUR\nB,2,EUR\n", 'no reference column among "A"'),
    read_as("two_headers", H + "Text,Integer,Text\n" + ROW, ("A", 1, "EUR", 3), rejects=[(2, ""), (2, "")]),
    read_as("repeated_header", TWO + H + "C,3,EUR\n", *AB, ("C", 3, "EUR", 5), rejects=[(4, "repeats the header")]),
    read_as("titles", "Order report\nCreated today\n\n" + H + ROW, ("A", 1, "EUR", 5)),
    read_as("comment_first", "# generated\n" + H + ROW, ("A", 1, "EUR", 3)),
    read_as("blank_name", H.strip() + ",\nA,1,EUR,\n", A),
    refused("all_blank_names", " , , \n", "no reference column"),
    read_as("pandas_index", "," + H + "0,A,1,EUR\n", A),
    refused("reference_twice", "reference," + H + "A,A,1,EUR\n", '"reference" occurs 2 times', line=1),
    read_as("unused_twice", "x,x," + H + ",,A,1,EUR\n", A),
    refused("two_claims", "reference,total,amount,currency\n", "several columns could be the amount"),
    read_as("case_and_blanks", '" Reference ",TOTAL-AMOUNT,Currency\nA,0.01,EUR\n', A),
    read_as("fullwidth_name", "\uff32eference,amount_cents,currency\n" + ROW, A),
    read_as("newline_in_name", '"refer\nence",amount_cents,currency\n' + ROW, ("A", 1, "EUR", 3)),
    read_as("quote_in_name", 'reference,amount_cents,"cur""rency"\n' + ROW, A, currency_column='cur"rency'),
    refused("unclosed_name", '"reference,amount,currency\n' + ROW, "does not end", hint="quote", line=1),
    refused("text_after_quoted_name", '"reference"x,amount,currency\n', "text after a closing quote", line=1),
    refused("blank_before_quoted_name", '"reference", "amount", "currency"\n', "space before an opening quote", line=1),
    read_as("delimiter_in_name", '"reference","amount_cents","currency","a;b;c;d"\nA,1,EUR,\n', A),
    refused("one_column", "reference\nA\n", "no amount column", hint="--delimiter"),
    read_as("named_by_case", "reference,Amount,amount,currency\nA,2.00,0.01,EUR\n", A, amount_column="amount"),
    read_as("many_names", H.strip() + ",x" * 10_000 + "\nA,1,EUR" + "," * 10_000 + "\n", A),
    refused("five_mib_name", "x" * (5 << 20) + "," + H, "the header line does not end"),
    read_as("name_is_formula", "=cmd()," + H + "x," + ROW, A),
    refused("bidi_name", "\u202ereference2,amount,currency\n", "no reference column"),
)
def test_headers(read: Any, case: Case) -> None:
    check(case, read)


def parted(mark: str) -> str:
    return (H + ROW).replace(",", mark)


@cases(
    *(read_as(f"delimiter_{ord(mark):02x}", parted(mark), A) for mark in ",;\t|:^~\x1f"),
    read_as("blank_named", parted(" "), A, delimiter="space"),
    refused("blank_unnamed", parted(" "), "separated by spaces", hint="--delimiter space", line=1),
    read_as("comma_blank", (H + ROW).replace(",", ", "), A),
    read_as("doubled_pipe", parted("||"), A),
    refused("hive", parted("\x01"), "no reference column", hint="--delimiter"),
    read_as("hive_named", parted("\x01"), A, delimiter="\x01"),
    refused("record_separator", parted("\x1f").replace("\n", "\x1e"), "no currency column"),
    read_as("sep_semicolon", "sep=;\n" + parted(";"), ("A", 1, "EUR", 3)),
    read_as("sep_upper", "SEP=,\r\n" + H + ROW, ("A", 1, "EUR", 3)),
    read_as("sep_tab", "sep=\t\n" + parted("\t"), ("A", 1, "EUR", 3)),
    read_as("sep_quoted", '"sep=;"\n' + parted(";"), ("A", 1, "EUR", 3)),
    read_as("sep_padded", "sep=;;\n" + parted(";"), ("A", 1, "EUR", 3)),
    *(
        refused(f"sep_{name}", f"sep={mark}\n" + parted(mark), "does not name a possible delimiter", line=1)
        for name, mark in {"quote": '"', "apostrophe": "'", "backslash": "\\", "letter": "q", "digit": "7"}.items()
    ),
    refused("sep_wrong", "sep=,\n" + parted(";"), "no reference column", line=2),
    refused("sep_alone", "sep=;\n", NOTHING),
    read_as("decimal_commas", "reference\tamount\tcurrency\nA\t0,01\tEUR\n", A, decimal=","),
    read_as("row_of_other_delimiter", H + "A;1;EUR\nB,2,EUR\n", AB[1], rejects=[(2, "has 1 cell")]),
    read_as(
        "markdown",
        "| reference | amount_cents | currency |\n|---|---|---|\n| A | 1 | EUR |\n",
        ("A", 1, "EUR", 3),
        rejects=[(2, ""), (2, "")],
    ),
    read_as(
        "psql",
        " reference | amount_cents | currency \n---+---+---\n A | 1 | EUR\n(1 row)\n",
        ("A", 1, "EUR", 3),
        rejects=[(2, "has 1 cell"), (4, "has 1 cell")],
    ),
    refused(
        "fixed_width",
        "reference   amount   currency\nA                1   EUR     \n",
        "separated by spaces",
        hint="fixed width",
        line=1,
    ),
    refused(
        "fixed_width_unknown",
        "Beleg No   Summe X   W\n10001         1.00  EUR\n10002       100.00  EUR\n",
        "separated by spaces",
        hint="fixed width",
    ),
    refused("sentence", "These are not the totals you are looking for\n", "no reference column"),
    read_as("leading_blank_column", "\t" + H.replace(",", "\t") + "\tA\t1\tEUR\n", A),
    read_as("delimiter_minus", parted("-"), A, delimiter="-"),
    read_as("thousands_unquoted", G + "A,1,234,EUR\n", thousands=",", rejects=[(2, "has 4 cells")]),
)
def test_delimiters(read: Any, case: Case) -> None:
    check(case, read)


@cases(
    read_as("comma_in_quotes", H + '"a,b",1,EUR\n', ("a,b", 1, "EUR", 2)),
    read_as("doubled", H + '"a""b",1,EUR\n', ('a"b', 1, "EUR", 2)),
    read_as("only_quotes", H + '"""",1,EUR\n"""""",2,EUR\n', ('"', 1, "EUR", 2), ('""', 2, "EUR", 3)),
    read_as("json_cell", H + '"{""type"": ""Point""}",1,EUR\n', ('{"type": "Point"}', 1, "EUR", 2)),
    read_as("empty_quoted", H + '"",1,EUR\n', (None, 1, "EUR", 2)),
    read_as("quote_inside", H + 'a"b,1,EUR\n', ('a"b', 1, "EUR", 2)),
    read_as("quote_at_end", H + 'ab",1,EUR\n', ('ab"', 1, "EUR", 2)),
    read_as("text_after_quote", H + '"A"x,1,EUR\n', rejects=[(2, AFTER_QUOTE)]),
    read_as("blank_after_quote", H + '"B" ,2,EUR\n', rejects=[(2, AFTER_QUOTE)]),
    read_as("blank_before_quote", H + ' "A",1,EUR\n', rejects=[(2, "has a space before an opening quote")]),
    read_as("backslash_escape", H + '"a\\"b",1,EUR\nB,2,EUR\n', AB[1], rejects=[(2, AFTER_QUOTE)]),
    read_as("backslash_last", H + '"a\\",1,EUR\n', ("a\\", 1, "EUR", 2)),
    read_as("single_quotes", "'reference','amount_cents','currency'\n'A,B','1','EUR'\n", ("A,B", 1, "EUR", 2)),
    read_as("typographic", H + "“A”,1,EUR\n", ("“A”", 1, "EUR", 2)),
    read_as("newline_in_quotes", H + '"A\nB",1,EUR\nC,2,EUR\n', ("A\nB", 1, "EUR", 2), ("C", 2, "EUR", 4)),
    refused("unclosed", H + '"ab,1,EUR\nB,2,EUR\n', "never closed", line=2),
    refused("unclosed_last", H + ROW + '"B,2,EUR', "never closed", line=3),
    read_as(
        "swallow_reference",
        H + '"A,1,EUR\nB",2,EUR\nC,3,EUR\n',
        ("C", 3, "EUR", 4),
        rejects=[(2, SEVERAL), (3, SEVERAL)],
    ),
    read_as(
        "swallow_unmapped",
        'reference,note,amount_cents,currency\nA,"big,1,EUR\nB,deal",2,EUR\nC,,3,EUR\n',
        ("C", 3, "EUR", 4),
        rejects=[(2, SEVERAL), (3, SEVERAL)],
    ),
    read_as(
        "swallow_tail",
        H.strip() + ',note\nA,1,EUR,"tv 5\nB,2,EUR,x\nC,3,EUR,y"\nD,4,EUR,\n',
        ("D", 4, "EUR", 5),
        rejects=[(2, SEVERAL), (3, SEVERAL), (4, SEVERAL)],
    ),
    read_as("swallow_currency", H + 'x,1,"EUR\ny,2,EUR\nz,3,EUR"\n', rejects=[(n, SEVERAL) for n in (2, 3, 4)]),
    read_as(
        "stray_then_quoted",
        H + '"c,2,EUR\nd,3,EUR\ne,"4",EUR\nf,5,EUR\n',
        ("f", 5, "EUR", 5),
        rejects=[(n, AFTER_QUOTE) for n in (2, 3, 4)],
    ),
    read_as(
        "inch",
        H.strip() + ',note\nA,1,EUR,"5"" disc\nB,2,EUR,"x"\nC,3,EUR,\n',
        ("C", 3, "EUR", 4),
        rejects=[(2, AFTER_QUOTE), (3, AFTER_QUOTE)],
    ),
    read_as(
        "note_of_lines",
        H.strip() + ',note\nA,1,EUR,"call, 5 times\nor, maybe, 10, not"\nB,2,EUR,x\n',
        A,
        ("B", 2, "EUR", 4),
    ),
    read_as("address_of_lines", 'reference,note,amount_cents,currency\nA,"Road 1\n20095 City\n",1,EUR\n', A),
    read_as("quote_none", H + '"A,1,EUR\nB",2,EUR\n', ('"A', 1, "EUR", 2), ('B"', 2, "EUR", 3), quote=""),
    read_as("quote_inside_then_lines", H + 'a"b,1,EUR\n"c\nd",2,EUR\n', ('a"b', 1, "EUR", 2), ("c\nd", 2, "EUR", 3)),
)
def test_quotes(read: Any, case: Case) -> None:
    check(case, read)


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("place", ["before", "after"])
def test_one_stray_quote_never_changes_an_amount(read: Any, row: int, column: int, place: str) -> None:
    table = [[f"R{i}", f"note {i}", f"{i}00", "EUR"] for i in range(1, 5)]
    cell = table[row][column]
    table[row][column] = f'"{cell}' if place == "before" else f'{cell}"'
    content = "reference,note,amount_cents,currency\n" + "".join(",".join(cells) + "\n" for cells in table)

    try:
        outcome = read(content)
    except OrderFileError as error:
        assert "never closed" in str(error)
        return

    read_lines = {
        line: (reference.strip('"'), cents)
        for reference, cents, line in outcome.columns("reference", "amount_cents", "source_line")
    }
    rejected = {int(line) for line, *_ in outcome.reasons}
    assert set(read_lines) | rejected == {2, 3, 4, 5}
    assert all(found == (f"R{line - 1}", (line - 1) * 100) for line, found in read_lines.items())


@cases(
    read_as("short_row", H + "A,1\nB,2,EUR\n", AB[1], rejects=[(2, "has 2 cells, the header has 3")]),
    read_as("long_row", H + "A,1,EUR,x\nB,2,EUR\n", AB[1], rejects=[(2, "has 4 cells, the header has 3")]),
    read_as("all_rows_longer", H + "A,1,EUR,\nB,2,EUR,\n", *AB),
    read_as("blank_rows", H + '\n,,\n  ,  ,  \n"","",""\n' + ROW, ("A", 1, "EUR", 6)),
    read_as("blank_ragged", H + "," * (1 << 17) + "\n" + ROW, ("A", 1, "EUR", 3)),
    read_as("footer_count", H + ROW + "(1 row)\n", A, rejects=[(3, "has 1 cell")]),
    read_as("second_table", TWO + "\n" + H + "C,3,EUR\n", *AB, ("C", 3, "EUR", 6), rejects=[(5, "repeats the header")]),
    read_as("second_table_wider", H + ROW + "\na,b,c,d,e\n1,2,3,4,5\n", A, rejects=[(4, "has 5"), (5, "has 5")]),
    read_as("tabs_in_one_row", H + "A\t1\tEUR\nB,2,EUR\n", AB[1], rejects=[(2, "has 1 cell")]),
    read_as("header_longer", H.strip() + ",\n" + ROW, A),
    read_as(
        "reject_in_second_block", H + ("a" * 1000 + ROW) * 5000 + "B\n", count=5000, rejects=[(5002, "has 1 cell")]
    ),
)
def test_widths(read: Any, case: Case) -> None:
    check(case, read)
