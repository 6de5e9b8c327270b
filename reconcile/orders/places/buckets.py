"""
Order files from the object stores of Amazon (`s3://`) and Google (`gs://`), and of what speaks like them.

Knows objects, listings and the stores' refusals. Credentials are found as Arrow finds them: in the environment, the
stores' own files, or the machine's role. Another endpoint is named by AWS_ENDPOINT_URL or in the address
(`?endpoint_override=host:port`). Nothing that a store says is shown as it is: it may name keys.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from pyarrow import fs

from reconcile.errors import OrderFileError
from reconcile.files.disk import disk_errors
from reconcile.orders.places.addresses import Address, is_loopback, printable
from reconcile.orders.places.folders import parts_of
from reconcile.orders.places.patterns import is_pattern, matches
from reconcile.orders.places.sources import check_size, copy_pieces

_OPTIONS = ("endpoint_override", "region", "scheme", "anonymous")
_CONNECT_SECONDS, _REQUEST_SECONDS, _RETRY_SECONDS = 10, 60, 30
_CODE = re.compile(r"AWS Error ([A-Z_]+)|Status\(([A-Z_]+)|HTTP status (\d{3})")
_UNREACHED, _WAY = "the store cannot be reached", "check its endpoint and the connection to it, and start again"
_REFUSALS = {  # what the stores say: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, gRPC's codes
    "ACCESS_DENIED": "access is denied",
    "PERMISSION_DENIED": "access is denied",
    "403": "access is denied",
    "UNAUTHENTICATED": "the credentials are not accepted",
    "INVALID_ACCESS_KEY_ID": "the credentials are not accepted",
    "SIGNATURE_DOES_NOT_MATCH": "the credentials are not accepted",
    "EXPIRED_TOKEN": "the credentials have expired",
    "NO_SUCH_BUCKET": "there is no such bucket",
    "NETWORK_CONNECTION": _UNREACHED,
    "UNAVAILABLE": _UNREACHED,
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that is meant: its name, how it is brought here, and what its folders' names hold."""

    name: str
    bring: Callable[[Path, int], None]
    partitions: Mapping[str, str | None] = field(default_factory=dict)
    folder: str | None = None


def objects_at(address: Address, formats: Sequence[str]) -> list[StoredObject]:
    """
    Return the objects that `address` means: one, those that match a pattern, or the Parquet files of a folder.

    Raises OrderFileError when there is none, or the store refuses.
    """
    store = _store(address)
    key = address.path.strip("/")
    if is_pattern(key):
        return _matching(store, address, key)
    with _store_errors(address.name):
        info = store.get_file_info(_path(address.host, key))
        is_folder = info.type is fs.FileType.Directory
        names = _names(store, address.host, key) if is_folder else []
    if names:
        parts = parts_of(names, folder=address.name, formats=formats)
        found = [(f"{key}/{part.name}".strip("/"), part.partitions) for part in parts]
        return [_object(store, address, one, partitions, folder=address.name) for one, partitions in found]
    if info.type is not fs.FileType.File:
        raise OrderFileError("there is no such object in the bucket", path=address.name, hint="check the address")
    return [_object(store, address, key, {})]


def _matching(store: fs.FileSystem, address: Address, pattern: str) -> list[StoredObject]:
    parts = pattern.split("/")
    fixed = next(at for at, part in enumerate(parts) if is_pattern(part))
    root, rest = "/".join(parts[:fixed]), parts[fixed:]
    with _store_errors(address.name):
        names = _names(store, address.host, root)
    found = [f"{root}/{name}".strip("/") for name in names if matches(name, rest)]
    if not found:
        raise OrderFileError("no object matches this pattern", path=address.name, hint="check bucket and folder")
    return [_object(store, address, key, {}) for key in sorted(found)]


def _names(store: fs.FileSystem, bucket: str, folder: str) -> list[str]:
    """Return the names of all objects below `folder`, parted by "/"."""
    root = _path(bucket, folder)
    listed = store.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    return [info.path.removeprefix(root).strip("/") for info in listed if info.type is fs.FileType.File]


def _object(
    store: fs.FileSystem, address: Address, key: str, partitions: Mapping[str, str | None], folder: str | None = None
) -> StoredObject:
    name = printable(f"{address.scheme}://{address.host}/{key}")
    return StoredObject(name, partial(_bring, store, _path(address.host, key), name), partitions, folder)


def _bring(store: fs.FileSystem, path: str, name: str, destination: Path, limit_bytes: int) -> None:
    with _store_errors(name):
        size = store.get_file_info(path).size or 0
        check_size(size, name=name, limit_bytes=limit_bytes)
        source = store.open_input_stream(path, compression=None)
    with source, disk_errors(destination), destination.open("wb") as file:
        copied = copy_pieces(_Stream(source.read, name), file, name=name, limit_bytes=limit_bytes)
    if copied != size:
        raise OrderFileError("the object did not arrive complete", path=name, hint="start again")


@dataclass(frozen=True, slots=True)
class _Stream:
    """An object's bytes; what the store refuses is distinguished from what the disk does."""

    pieces: Callable[[int], bytes]
    name: str

    def read(self, size: int = -1) -> bytes:
        with _store_errors(self.name):
            return self.pieces(size)


def _store(address: Address) -> fs.FileSystem:
    options = dict(parse_qsl(address.query))
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise OrderFileError(
            f'"{unknown[0]}" after "?" means nothing here', path=address.name, hint=f"known are {', '.join(_OPTIONS)}"
        )
    return (_s3 if address.scheme == "s3" else _gs)(address, options)


def _s3(address: Address, options: Mapping[str, str]) -> fs.FileSystem:
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    endpoint, scheme = _endpoint(address, options.get("endpoint_override") or named, options)
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    with _store_errors(address.name):
        return fs.S3FileSystem(
            access_key=address.user,
            secret_key=address.password,
            anonymous=options.get("anonymous", "").lower() == "true",
            region=region or (fs.resolve_s3_region(address.host) if not endpoint else "us-east-1"),
            endpoint_override=endpoint,
            scheme=scheme,
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
        )


def _gs(address: Address, options: Mapping[str, str]) -> fs.FileSystem:
    endpoint, scheme = _endpoint(address, options.get("endpoint_override", ""), options)
    with _store_errors(address.name):
        return fs.GcsFileSystem(
            anonymous=options.get("anonymous", "").lower() == "true",
            endpoint_override=endpoint,
            scheme=scheme,
            retry_time_limit=timedelta(seconds=_RETRY_SECONDS),
        )


def _endpoint(address: Address, text: str, options: Mapping[str, str]) -> tuple[str | None, Literal["http", "https"]]:
    """Return host with port, None for the store's own, and the scheme to speak with it."""
    scheme, mark, host = text.partition("://")
    if not mark:
        scheme, host = options.get("scheme", "https"), text
    host = host.strip("/")
    if scheme == "http" and is_loopback(host):
        return host, "http"
    if scheme != "https":
        raise OrderFileError(
            "only https is safe for order totals", path=address.name, hint="name an https:// endpoint of the store"
        )
    return host or None, "https"


@contextmanager
def _store_errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise OrderFileError("there is no such object in the bucket", path=name, hint="check the address") from error
    except (OSError, ValueError) as error:
        found = _CODE.search(str(error))
        code = next((group for group in found.groups() if group), "") if found else ""
        problem = _REFUSALS.get(code, f"the store refuses ({code or type(error).__name__})")
        hint = "check the address, and the credentials in the environment of this command"
        raise OrderFileError(problem, path=name, hint=_WAY if problem == _UNREACHED else hint) from error


def _path(bucket: str, key: str) -> str:
    return f"{bucket}/{key}".rstrip("/")
