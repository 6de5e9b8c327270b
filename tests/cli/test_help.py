"""What `--help` says can be read on a terminal of 80 columns."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from reconcile.cli.main import main

GROUPS = [[], *([name] for name, one in main.commands.items() if isinstance(one, click.Group))]
COMMANDS = [
    words
    for name, one in main.commands.items()
    for words in ([[name, leaf] for leaf in one.commands] if isinstance(one, click.Group) else [[name]])
]


@pytest.mark.parametrize("words", GROUPS, ids=lambda words: " ".join(words) or "reconcile")
def test_no_command_is_described_by_half_a_sentence(words: list[str]) -> None:
    shown = CliRunner().invoke(main, [*words, "--help"], terminal_width=80).stdout

    lines = shown.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert lines
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize("words", [[], *COMMANDS], ids=lambda words: " ".join(words) or "reconcile")
def test_every_command_says_what_it_exits_with(words: list[str]) -> None:
    assert "Exit codes: 0 done, 1 " in CliRunner().invoke(main, [*words, "--help"]).stdout
