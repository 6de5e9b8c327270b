"""
`report.html`: a run as one page that opens from disk, for whoever signs the close.

Renders from a run folder alone; the same files give the same bytes. Nothing on the page is fetched from anywhere: its
policy forbids it, and allows only the one style sheet and the one script that are in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from reconcile.errors import OutputError
from reconcile.figures.summary import read_summary
from reconcile.files.disk import disk_errors, replacing
from reconcile.reports.display import Display, display_of
from reconcile.reports.page.breaks import shown_breaks
from reconcile.reports.page.figures import figures
from reconcile.runs.folder import read_manifest
from reconcile.runs.run_folder import RunFolder

# Characters that are not seen, or turn the writing around. Not U+200D, which joins emoji.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff]"
)


def write_html(
    folder: Path,
    destination: Path,
    *,
    manifest: Mapping[str, object] | None = None,
    locale: str | None = None,
    memory_limit: str = "1GB",
) -> Path:
    """
    Write the page of the run in `folder` to `destination` and return it.

    `manifest` is what `manifest.json` is going to say, for a folder that is not published yet. Numbers and dates are
    written as in `locale`, else as in that of the run's settings; "none" is none.
    Raises OutputError when a file of the folder cannot be read, or `destination` cannot be written, SettingsError for a
    locale that is not known.
    """
    page = render_html(folder, manifest=manifest, locale=locale, memory_limit=memory_limit)
    with disk_errors(destination), replacing(destination) as partial:
        partial.write_bytes(page)
    return destination


def render_html(
    folder: Path,
    *,
    manifest: Mapping[str, object] | None = None,
    locale: str | None = None,
    memory_limit: str = "1GB",
) -> bytes:
    """Return the page of the run in `folder` as UTF-8; as `write_html`."""
    # As JSON gives it back: a page must not show that it was made before the folder was published.
    written = (
        msgspec.json.decode(msgspec.json.encode(manifest)) if manifest is not None else read_manifest(folder).document
    )
    breaks = RunFolder(folder).breaks
    summary, template = read_summary(folder), _environment().get_template("page.html.j2")
    try:
        display = display_of(locale or _locale_in(written.get("settings", {})))
        values = figures(summary, written, display=display)
        shown = shown_breaks(breaks, display=display, memory_limit=memory_limit)
        return template.render(**values, **_own_parts(), **_words(display), display=display, breaks=shown).encode()
    except (TypeError, ValueError, jinja2.UndefinedError) as error:
        raise OutputError(
            f"{folder}: its figures are from another version of reconcile: {error}",
            hint="run this date again, or use the version that manifest.json names",
        ) from error


def visible(text: str) -> str:
    """Return `text` with each character that cannot be seen, or that turns the writing around, shown by its number."""
    return _UNSEEN.sub(lambda sign: f"‹U+{ord(sign[0]):04X}›", text)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("reconcile.reports.page"),
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalized(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _own_parts() -> dict[str, str]:
    style, script = _source("page.css"), _source("page.js")
    return {
        "style": Markup(style),  # noqa: S704 (our own file)
        "script": Markup(script),  # noqa: S704 (our own file)
        "style_digest": _digest(style),
        "script_digest": _digest(script),
    }


def _words(display: Display) -> dict[str, Callable[..., str]]:
    """Return the template's functions for figures and dates in a sentence."""
    if display.locale is None:
        words: dict[str, Callable[..., str]] = {
            "count": display.count,
            "plural": display.plural,
            "instant": display.instant,
            "date": display.date,
        }
        return {**words, "figure": str}
    # Figures of some locales would change places with what stands beside them: their elements keep them apart.
    number, moment = Markup("<bdi>{}</bdi>"), Markup('<time dir="auto" datetime="{}">{}</time>')
    return {
        "figure": lambda figure: number.format(display.number(str(figure))),
        "count": lambda figure: number.format(display.count(figure)),
        "plural": lambda figure, noun: number.format(display.plural(figure, noun)),
        "instant": lambda text: moment.format(text, display.instant(text)),
        "date": lambda text: moment.format(text, display.date(text)),
    }


@lru_cache(maxsize=2)
def _source(name: str) -> str:
    return files("reconcile.reports.page").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _locale_in(settings: Mapping[str, Any]) -> str | None:
    """Return the locale among the settings of a manifest, which earlier versions did not nest."""
    locale: str | None = settings.get("reports", settings).get("locale")
    return locale
