"""Every error has an input that provokes it and its exact text; every command is shown as a user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from transcripts import said, steps

TESTS = Path(__file__).parents[1]
TRANSCRIPTS = sorted([*(TESTS / "errors").glob("*.md"), *(TESTS / "transcripts").glob("*.md")])


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_transcript_is_what_the_commands_say(transcript: Path, workplace: Path, values: dict[str, str]) -> None:
    ran = 0
    for step in steps(transcript, workplace, values):
        assert step.expected == said(step, values), step.command
        ran += 1

    assert ran, "a transcript without a command shows nothing"
