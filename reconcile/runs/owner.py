"""
Whose runs are in a folder: one organization's, in one mode.
"""

from __future__ import annotations

from pathlib import Path

from reconcile.errors import OutputError, SettingsError
from reconcile.runs.folder import published, read_manifest


def check_owner(out: Path, organization: str | None, mode: str | None) -> None:
    """
    Raise SettingsError when the runs in `out` are those of another organization or mode.

    Null is not known, on either side: a folder that began without a name takes the first that runs in it. Runs whose
    manifest cannot be read say nothing.
    """
    found = _owner(out)
    wanted = (organization, mode)
    if all(None in pair or pair[0] == pair[1] for pair in zip(found, wanted, strict=True)):
        return
    own = "-".join(filter(None, wanted)) or "other"
    raise SettingsError(
        f"{out}: holds runs of {_in_words(found)}, and this one is of {_in_words(wanted)}",
        hint=f"give each a folder of its own: --out {out.with_name(own)}",
    )


def _owner(out: Path) -> tuple[str | None, str | None]:
    """Return the organization and the mode that the latest runs name which name any."""
    organization = mode = None
    for folder in reversed(published(out)):
        try:
            manifest = read_manifest(folder)
        except OutputError:
            continue
        organization, mode = organization or manifest.organization, mode or manifest.mode
        if organization is not None and mode is not None:
            break
    return organization, mode


def _in_words(owner: tuple[str | None, str | None]) -> str:
    organization, mode = owner
    return ", ".join(filter(None, (organization and f"organization {organization}", mode and f"{mode} mode")))
