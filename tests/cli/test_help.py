"""What `--help` says can be read on a terminal of 80 columns."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from reconcile.cli.main import main

GROUPS = [[], *([name] for name, one in main.commands.items() if isinstance(one, click.Group))]


@pytest.mark.parametrize("words", GROUPS, ids=lambda words: " ".join(words) or "reconcile")
def test_no_command_is_described_by_half_a_sentence(words: list[str]) -> None:
    shown = CliRunner().invoke(main, [*words, "--help"], terminal_width=80).stdout

    lines = shown.partition("Commands:\n")[2].splitlines()
    assert lines
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []
