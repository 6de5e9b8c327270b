"""
Addresses: which base URLs credentials may be sent to.

Knows that they go over https, or over http to this machine. Resolves no name and opens nothing.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from reconcile.errors import SettingsError


def usable_url(url: str, setting: str) -> str:
    """Return `url` without a slash at its end. Raises SettingsError unless it is https, or http to this machine."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("https", "http") or not host:
        raise SettingsError(
            f'{setting}: "{url}" is not a URL',
            hint=f"write it like https://your-organization.commercelayer.io ({setting})",
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(f"{setting}: only scheme, host, port and path are allowed")
    if parts.scheme == "http" and not is_this_machine(host):
        raise SettingsError(
            f"{setting}: http://{host} would send the credentials unencrypted",
            hint=f"use https://{host}; plain http is for the sandbox on this machine only",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def usable_api_url(url: str) -> str:
    """Return `url` as the base of resources: `/api` is added when it has no path. Raises SettingsError."""
    base = usable_url(url, "api_url")
    return base if urlsplit(base).path else f"{base}/api"


def check_unlimited(api_url: str) -> None:
    """Raise SettingsError unless `api_url` is on this machine: any other server has a rate limit."""
    if not is_this_machine(urlsplit(api_url).hostname or ""):
        raise SettingsError(
            f"rate_limit: {api_url} has limits; only a server on this machine may be used without them",
            hint="leave rate_limit out, and set rate_share to leave capacity for others",
        )


def is_this_machine(host: str) -> bool:
    """Return whether `host` is a name or address of the machine this runs on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
