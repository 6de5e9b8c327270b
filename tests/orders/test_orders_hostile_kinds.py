"""Files that are not what their name says, and packed ones: each refused by what it is, with what to do about it."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pyarrow as pa
from hostile import CENTS, ROW, A, Case, cases, check, read_as, refused
from spreadsheets import HEADER, named, number, rows, sheet, text, workbook, zipped

PLAIN = (CENTS + ROW).encode()
PACKED = gzip.compress(PLAIN)
OBJECT = {"reference": "A", "amount_cents": 1, "currency_code": "EUR"}
AT_1 = ("A", 1, "EUR", 1)
DAMAGED = "the compressed file is damaged or truncated"
NO_TABLE = "not a table of text"
INVALID = "this is not valid JSON"


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def ndjson(*texts: str) -> str:
    return "".join(text + "\n" for text in texts)


def spreadsheet() -> bytes:
    return workbook(sheet(rows(named(*HEADER), [text("A"), number("0.01"), text("EUR")])))


@cases(
    refused("gzip", PACKED, f"this is a gzip file, {NO_TABLE}", hint=".csv.gz"),
    refused("zip", zipped({"orders.csv": PLAIN}), "this is a zip archive or a spreadsheet", hint=".zip or .xlsx"),
    refused("xlsx", spreadsheet(), "this is a zip archive or a spreadsheet", hint=".zip or .xlsx"),
    refused("zstd", zstd(PLAIN), "this is a Zstandard file", hint=".csv.zst"),
    refused("bzip2", b"BZh91AY&SY\xff\xff\0", "this is a bzip2 file", hint="unpack"),
    refused("xz", b"\xfd7zXZ\0\0\x04", "this is an xz file", hint="unpack"),
    refused("7z", b"7z\xbc\xaf\x27\x1c\0", "this is a 7-Zip archive", hint="unpack"),
    refused("rar", b"Rar!\x1a\x07\x01\0", "this is a RAR archive", hint="unpack"),
    refused("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "this is an .xls file", hint=".xlsx or CSV"),
    refused("parquet", b"PAR1\x15\0\x15\xffPAR1", "this is a Parquet file", hint=".parquet"),
    refused("orc", b"ORC\x08\0\xff", "this is an ORC file"),
    refused("avro", b"Obj\x01\x04\0", "this is an Avro file"),
    refused("arrow", b"ARROW1\0\0\xff", "this is an Arrow file"),
    refused("feather", b"FEA1\0\0\xff", "this is a Feather file"),
    refused("sqlite", b"SQLite format 3\0\x10\0", "this is an SQLite database", hint="--orders-db"),
    refused("duckdb", b"\x01\xff\0\0\0\0\0\0DUCK\x40\0", "this is a DuckDB database", hint="--orders-db"),
    refused("pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "this is a PDF document"),
    refused("rtf", "{\\rtf1\\ansi x}", "this is a text document (RTF)"),
    refused("png", b"\x89PNG\r\n\x1a\n\0\0", "this is an image"),
    refused("html", "<!DOCTYPE html><html><body>Sign in</body></html>", "this is a web page", hint="login"),
    refused("html_table", "\n<table><tr><td>reference</td></tr></table>", "this is a web page"),
    refused(
        "excel_2003",
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
        "this is a workbook in Excel's XML of 2003",
        hint=".xml",
    ),
    refused("xml", '<?xml version="1.0"?><orders/>', "this is an XML file", hint=".xlsx or CSV"),
    refused("storage_error", "<Error><Code>AccessDenied</Code></Error>", "an error message, not an export"),
    refused("api_error", '{"errors":[{"title":"Record not found"}]}', "an error message, not an export"),
    refused("api_error_json", '{"errors":[{"title":"x"}]}', "an error message, not an export", file="orders.json"),
    refused("json", json.dumps([OBJECT]), f"this is JSON, {NO_TABLE}", hint=".json"),
    refused("ndjson", json.dumps(OBJECT), f"this is JSON, {NO_TABLE}", hint=".ndjson"),
    refused("csv_named_json", PLAIN, INVALID, file="orders.json"),
    refused("csv_named_parquet", PLAIN, "not a readable Parquet file", file="orders.parquet"),
    refused("csv_named_gz", PLAIN, DAMAGED, file="orders.csv.gz"),
    refused("zip_named_gz", zipped({"orders.csv": PLAIN}), DAMAGED, file="orders.csv.gz"),
    refused("zlib_named_gz", zlib.compress(PLAIN), DAMAGED, file="orders.csv.gz"),
    refused("gzip_named_zst", PACKED, DAMAGED, file="orders.csv.zst"),
    refused("gzip_in_gzip", gzip.compress(PACKED), "this is a gzip file", file="orders.csv.gz"),
    refused("lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", "a pointer of Git LFS"),
    refused("apple_double", b"\0\x05\x16\x07\0\x02\0\0Mac OS X", "metadata that macOS keeps beside a file"),
    refused("mail", "Content-Type: text/csv\nFrom: x\n\nR;1\n", "this is an e-mail"),
    read_as("header_like_a_signature", CENTS.replace("reference", "ORC,reference") + "x," + ROW, A),
)
def test_other_kinds_are_named(read: Any, case: Case) -> None:
    check(case, read)


@cases(
    read_as("one_member", PACKED, A, file="orders.csv.gz"),
    read_as("two_members", PACKED + gzip.compress(b"B,2,EUR\n"), A, ("B", 2, "EUR", 3), file="orders.csv.gz"),
    read_as(
        "empty_member_between",
        gzip.compress(CENTS.encode()) + gzip.compress(b"") + gzip.compress(ROW.encode()),
        A,
        file="orders.csv.gz",
    ),
    read_as("row_across_members", gzip.compress(PLAIN[:-4]) + gzip.compress(PLAIN[-4:]), A, file="orders.csv.gz"),
    read_as("trailing_zeros", PACKED + bytes(512), A, file="orders.csv.gz"),
    read_as("upper_case_name", PACKED, A, file="O.CSV.GZ"),
    refused("method_7", PACKED[:2] + b"\x07" + PACKED[3:], DAMAGED, file="orders.csv.gz"),
    *(
        refused(f"cut_{at}", PACKED[:at], DAMAGED, file="orders.csv.gz")
        for at in (1, 5, 9, 10, 20, len(PACKED) - 8, len(PACKED) - 1)
    ),
    refused("bad_sum", PACKED[:-8] + bytes(4) + PACKED[-4:], DAMAGED, file="orders.csv.gz"),
    refused("bad_size", PACKED[:-4] + bytes(4), DAMAGED, file="orders.csv.gz"),
    refused("trailing_garbage", PACKED + b"garbage", DAMAGED, file="orders.csv.gz"),
    refused("gzip_of_nothing", gzip.compress(b""), "there is nothing in the file", file="orders.csv.gz"),
    refused("zero_bytes_gz", b"", "", file="orders.csv.gz"),
    read_as(
        "bomb_of_lines",
        gzip.compress(CENTS.encode() + b"\n" * (32 << 20) + ROW.encode(), 9),
        ("A", 1, "EUR", (32 << 20) + 2),
        file="orders.csv.gz",
    ),
    refused("bomb_of_zeros", gzip.compress(CENTS.encode() + bytes(80 << 20), 1), "NUL", file="orders.csv.gz"),
    read_as("zstd", zstd(PLAIN), A, file="orders.csv.zst"),
    read_as("zstd_two_frames", zstd(PLAIN) + zstd(b"B,2,EUR\n"), A, ("B", 2, "EUR", 3), file="orders.csv.zst"),
    *(refused(f"zstd_cut_{at}", zstd(PLAIN)[:at], DAMAGED, file="orders.csv.zst") for at in (3, 8, 20)),
    refused("zstd_garbage", zstd(PLAIN) + b"garbage", DAMAGED, file="orders.csv.zst"),
    read_as("zip", zipped({"orders.csv": PLAIN}), A, file="orders.zip"),
    refused("zip_empty", zipped({}), "the archive contains no file", file="orders.zip"),
    refused("zip_two", zipped({"a.csv": PLAIN, "b.csv": PLAIN}), "there are 2 files in the archive", file="orders.zip"),
    refused("zip_in_zip", zipped({"a.zip": zipped({"a.csv": PLAIN})}), "itself compressed", file="orders.zip"),
    refused("zip_traversal", zipped({"../a.csv": PLAIN}), "leads elsewhere", file="orders.zip"),
    refused("zip_absolute", zipped({"/tmp/a.csv": PLAIN}), "leads elsewhere", file="orders.zip"),
    refused("xlsx_in_gz", gzip.compress(spreadsheet()), "inside another compression", file="orders.xlsx.gz"),
)
def test_packed_files(read: Any, case: Case) -> None:
    check(case, read)


@cases(
    *(
        read_as(
            f"digits_{at}",
            ndjson(f'{{"reference":{digits},"amount_cents":1,"currency_code":"EUR"}}'),
            (digits, 1, "EUR", 1),
            file="o.ndjson",
        )
        for at, digits in enumerate(("9" * 30, "-0"))
    ),
    *(
        read_as(
            f"digits_lost_{at}",
            ndjson(f'{{"reference":{digits},"amount_cents":1,"currency_code":"EUR"}}'),
            rejects=[(1, "is a number with a fraction or an exponent")],
            file="o.ndjson",
        )
        for at, digits in enumerate(("12.30", "1E5", "1.0", "1e400"))
    ),
    *(
        refused(
            f"no_number_{at}",
            ndjson(f'{{"reference":{bad},"amount_cents":1,"currency_code":"EUR"}}'),
            INVALID,
            file="o.ndjson",
        )
        for at, bad in enumerate(
            ("007", "-", "1.", "1e", "+1", ".5", "0x1", "-012", "NaN", "Infinity", "'A'", '"a\tb"')
        )
    ),
    *(
        read_as(
            f"no_amount_{at}",
            json.dumps([{"reference": "A", "amount": value, "currency": "EUR"}]),
            rejects=[(1, "")],
            file="o.json",
        )
        for at, value in enumerate((True, None, [1], {}, "", 1e22, 12.345, "x"))
    ),
    read_as(
        "cents_with_point",
        '[{"reference":"A","amount_cents":12.0,"currency_code":"EUR"}]',
        rejects=[(1, "is not a whole")],
        file="o.json",
    ),
    read_as(
        "surrogate_pair",
        '[{"reference":"\\ud83d\\ude00","amount_cents":1,"currency_code":"EUR"}]',
        ("😀", 1, "EUR", 1),
        file="o.json",
    ),
    refused(
        "half_character", '[{"reference":"\\ud800","amount_cents":1,"currency_code":"EUR"}]', INVALID, file="o.json"
    ),
    refused(
        "bad_escape", '[{"x":"\\q","reference":"A","amount_cents":1,"currency_code":"EUR"}]', INVALID, file="o.json"
    ),
    read_as(
        "escaped_nul",
        '[{"reference":"a\\u0000b","amount_cents":1,"currency_code":"EUR"}]',
        rejects=[(1, "holds a NUL character")],
        file="o.json",
    ),
    read_as(
        "key_twice",
        '[{"reference":"A","amount":"1.00","amount":"2.00","currency":"EUR"}]',
        rejects=[(1, "occurs more than once")],
        file="o.json",
    ),
    read_as(
        "key_twice_escaped",
        '[{"reference":"A","amount":"1.00","am\\u006funt":"2.00","currency":"EUR"}]',
        rejects=[(1, "occurs more than once")],
        file="o.json",
    ),
    read_as(
        "key_twice_not_ascii",
        '[{"R\\u00e9f":"A","R\\u00e9f":"B","amount_cents":1,"currency":"EUR"}]',
        rejects=[(1, "occurs more than once")],
        file="o.json",
        reference_column="Réf",
    ),
    read_as("same_key_inside", json.dumps([{**OBJECT, "x": {"reference": 1}}]), AT_1, file="o.json"),
    read_as(
        "same_key_inside_beside_digits",
        json.dumps([OBJECT])[:-2] + ',"x":{"reference":1},"n":' + "9" * 5000 + "}]",
        AT_1,
        file="o.json",
    ),
    read_as("key_in_a_text", json.dumps([{**OBJECT, "note": '"reference":'}]), AT_1, file="o.json"),
    refused("deep", '[{"x":' + "[" * 100_000 + "]" * 100_000 + "}]", INVALID, file="o.json"),
    refused(
        "twins",
        '[{"reference":"A","Reference":"B","amount_cents":1,"currency":"EUR"}]',
        "several columns",
        file="o.json",
    ),
    read_as("utf16", ("\ufeff" + json.dumps([OBJECT])).encode("utf-16-le"), AT_1, file="o.json"),
    read_as("empty_array", "[ \n ]", file="o.json"),
    refused("formfeed", "[\f]", INVALID, file="o.json"),
    *(
        refused(f"structure_{at}", bad, "", file="o.json")
        for at, bad in enumerate(
            (
                f"[{json.dumps(OBJECT)},]",
                f"[{json.dumps(OBJECT)},,1]",
                f"[,{json.dumps(OBJECT)}]",
                "[" + json.dumps(OBJECT),
                f"[{json.dumps(OBJECT)}]]",
                "[] []",
                '[{"x": "',
                '[{"x":[1}]',
                '[["reference"],["A"]]',
                "null",
                '"x"',
                "123",
                "{}",
                json.dumps(OBJECT) * 2,
                "// x\n[]",
                "callback([])",
                ")]}'\n[]",
                "\x1e" + json.dumps(OBJECT),
                json.dumps(OBJECT) + "\n" + json.dumps(OBJECT)[:-5],
            )
        )
    ),
    read_as("wrapper", json.dumps({"data": [OBJECT]}), AT_1, file="o.json"),
    refused("wrappers", json.dumps({"a": [OBJECT], "b": {"c": []}}), '"a", "b.c"', hint="--records a", file="o.json"),
    refused("wrapper_cut", json.dumps({"data": [OBJECT]})[:-1], "is never closed", hint="again", file="o.json"),
    refused("wrapper_broken", '{"x":tru,' + json.dumps({"data": [OBJECT]})[1:], INVALID, file="o.json"),
    refused("wrapper_and_more", json.dumps({"data": [OBJECT]}) + "]", INVALID, file="o.json"),
    refused("wrapper_deep", '{"a":' * 100_000 + "1" + "}" * 100_000, "nested more than 50 deep", file="o.json"),
    refused("wrapper_deep_lists", '{"a":[' * 100_000, "is never closed", file="o.json"),
    refused("wrapper_deep_both", '{"a":[{"b":' * 50_000, "is never closed", file="o.json"),
    refused("wrapper_dots", '{"a":{"' + "." * 1_000_000 + '":1}}', "no reference column", file="o.json"),
    refused("wrapper_many", '{"x":{' + '"a":[{}],' * 50_000 + '"b":1}}', "occurs more than once", file="o.json"),
    read_as("pretty_object", json.dumps(OBJECT, indent=1), AT_1, file="o.json"),
    read_as("pretty_objects", json.dumps(OBJECT, indent=1) * 2, AT_1, ("A", 1, "EUR", 5), file="o.ndjson"),
    read_as(
        "mixed_elements",
        f'[{json.dumps(OBJECT)},null,1,"x",[1]]',
        AT_1,
        rejects=[(n, "is not a JSON object") for n in (2, 3, 4, 5)],
        file="o.json",
    ),
    read_as("cr_lines", ndjson(json.dumps(OBJECT)).replace("\n", "\r") * 2, AT_1, ("A", 1, "EUR", 2), file="o.ndjson"),
    read_as(
        "other_key_later",
        ndjson(json.dumps(OBJECT), '{"reference":"B","amount_cents":2,"currency":"SEK"}'),
        AT_1,
        rejects=[(2, "has the currency under a different key")],
        file="o.ndjson",
        currency="EUR",
    ),
    read_as(
        "key_met_late",
        ndjson(
            *['{"reference":"A","amount_cents":1,"pad":"' + "x" * 1000 + '"}'] * 4200,
            '{"reference":"Z","amount_cents":1,"currency":"JPY"}',
        ),
        count=4200,
        rejects=[(4201, "has the currency under a different key")],
        file="o.ndjson",
        currency="EUR",
    ),
    read_as(
        "five_mib_blank_first", " \n" * (5 << 19) + json.dumps(OBJECT), ("A", 1, "EUR", (5 << 19) + 1), file="o.ndjson"
    ),
    refused("brackets", "[" * (1 << 20), "", file="o.json"),
    refused("long_text", '[{"reference":"' + "x" * (17 << 20), "longer than 16 MiB", file="o.json"),
)
def test_json(read: Any, case: Case) -> None:
    check(case, read)
