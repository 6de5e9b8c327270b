"""
Transcripts: Markdown files with input files, commands, and exactly what the commands say.

A block ```file NAME``` is written to an empty folder, a block ```spreadsheet NAME``` as a spreadsheet of these rows:
cells that are numbers become numbers, those that begin with `=` formulas. In a ```console``` block a line that starts
with `$ ` is run; what follows is its standard error without log lines and its standard output, then `exit CODE` unless
that is 0. `{api}`, `{auth}` and other names in braces stand for values of the test run.
"""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter
from click.testing import CliRunner

from reconcile.cli.main import main

_KIND = r"(?P<kind>(?:file|spreadsheet) (?P<name>\S+)|console)"
_BLOCK = re.compile(rf"^```{_KIND}\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

_LOG_LINE = re.compile(r"^[0-9-]{10} [0-9:,]{12} (?:INFO|DEBUG) .*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a transcript and what it is to say."""

    command: str
    expected: str


def steps(transcript: Path, folder: Path, values: Mapping[str, str]) -> Iterator[Step]:
    """Write the files of `transcript` into `folder` as they come and yield its commands."""
    for block in _BLOCK.finditer(transcript.read_text(encoding="utf-8")):
        if block["name"]:
            path = folder / block["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            if block["kind"].startswith("spreadsheet"):
                _write_spreadsheet(path, block["text"])
                continue
            # Bytes that Markdown cannot hold are written as Python escapes: \x00, \xff.
            text = re.sub(r"\\x([0-9a-f]{2})", lambda byte: chr(int(byte[1], 16) + 0xF0000), block["text"])
            path.write_bytes(b"".join(_bytes_of(sign) for sign in text))
            continue
        for command in re.split(r"^\$ ", _filled(block["text"], values), flags=re.MULTILINE)[1:]:
            line, _, expected = command.partition("\n")
            yield Step(line, expected)


def said(step: Step, values: Mapping[str, str]) -> str:
    """Run the command of `step` in this process and return what it said, values folded back into names."""
    words = shlex.split(step.command)
    environ: dict[str, str | None] = dict.fromkeys(("RECONCILE_CLIENT_ID", "RECONCILE_CLIENT_SECRET"))
    environ |= {"RECONCILE_CLIENT_ID": values["client_id"], "RECONCILE_CLIENT_SECRET": values["client_secret"]}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environ[name] = value or None
    assert words.pop(0) == "reconcile"
    result = CliRunner().invoke(main, words, env=environ, catch_exceptions=False)
    ending = f"exit {result.exit_code}\n" if result.exit_code else ""
    talk = _LOG_LINE.sub("", result.stderr)
    # A run id is a digest of the inputs' bytes, which another version of pyarrow writes differently.
    return re.sub(r"[0-9]{8}-[0-9a-f]{12}", "{run_id}", talk + result.stdout + ending)


def _write_spreadsheet(path: Path, text: str) -> None:
    with xlsxwriter.Workbook(path, {"strings_to_numbers": True}) as book:
        page = book.add_worksheet("Orders")
        for line, row in enumerate(csv.reader(text.splitlines())):
            page.write_row(line, 0, row)


def _bytes_of(sign: str) -> bytes:
    return bytes([ord(sign) - 0xF0000]) if ord(sign) >= 0xF0000 else sign.encode()


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda name: values.get(name[1], name[0]), text)
