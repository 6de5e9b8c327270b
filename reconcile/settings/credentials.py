"""
Client id and secret: no settings, but read from the environment or a file, and handed on apart from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconcile.errors import SettingsError
from reconcile.orders.databases.url import passwords
from reconcile.settings.declared import PREFIX


@dataclass(frozen=True, slots=True)
class Secrets:
    """Client id and secret; neither is shown by `repr`."""

    client_id: str = dataclasses.field(repr=False)
    client_secret: str = dataclasses.field(repr=False)


def read_secrets(environ: Mapping[str, str]) -> Secrets:
    """
    Return the credentials of `RECONCILE_CLIENT_ID` and `RECONCILE_CLIENT_SECRET`, or of the files that
    `RECONCILE_CLIENT_ID_FILE` and `RECONCILE_CLIENT_SECRET_FILE` name.

    Raises SettingsError naming what is missing; never with a value in it.
    """
    return Secrets(_secret("CLIENT_ID", environ), _secret("CLIENT_SECRET", environ))


def secret_texts(environ: Mapping[str, str]) -> list[str]:
    """Return what must appear in no log: the client secret, wherever it comes from, and a database's password."""
    others = passwords(environ.get(f"{PREFIX}ORDERS_DB", ""))
    try:
        return [_secret("CLIENT_SECRET", environ), *others]
    except SettingsError:
        return [*(text for text in (environ.get(f"{PREFIX}CLIENT_SECRET"),) if text), *others]


def _secret(name: str, environ: Mapping[str, str]) -> str:
    variable, file_variable = PREFIX + name, f"{PREFIX}{name}_FILE"
    value, file_name = environ.get(variable), environ.get(file_variable)
    if value and file_name:
        raise SettingsError(f"{variable} and {file_variable} are both set", hint="keep one of them")
    if file_name:
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file_variable}: {file_name} cannot be read: {error}") from error
    if not value:
        raise SettingsError(
            f"no credentials: {variable} is not set",
            hint=f"set {variable}, or {file_variable} to a file that holds it; "
            "an integration of your Commerce Layer organization has both values",
        )
    return value
