"""
Request bodies: a JSON:API document about one resource to its attributes, or the refusal it deserves.

Codes of the jsonapi-resources engine. Knows which members a document may have; what an attribute's value means is
left to the resource, but for the strings and the metadata that every resource has.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from reconcile.sandbox.api import refusals
from reconcile.sandbox.world.resources import Row


def read_data(body: bytes, type_name: str, id_: str | None) -> Row:
    """Return the `data` of a document about the resource `id_`, None for one that is to be created. Raises Refusal."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise refusals.bad_request("The request body is not valid JSON.") from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        detail = "The required parameter, data, is missing."
        raise refusals.Refusal(400, "PARAM_MISSING", "Missing Parameter", detail)
    if data.get("type") != type_name:
        raise refusals.invalid_resource(str(data.get("type")))
    if id_ is not None and data.get("id") != id_:
        raise refusals.key_not_in_url(str(data.get("id")))
    for name in data:
        if name not in {"type", "attributes", "relationships"} and (name != "id" or id_ is None):
            raise refusals.param_not_allowed(name)
    return data


def read_attributes(data: Row, writable: Collection[str]) -> Row:
    """Return the attributes of a document. Refuses one that is not `writable`."""
    attributes = data.get("attributes", {})
    if not isinstance(attributes, dict):
        raise refusals.bad_request("attributes must be an object.")
    for name in attributes:
        if name not in writable:
            raise refusals.param_not_allowed(name)
    return attributes


def read_relationships(data: Row, writable: Collection[str]) -> Row:
    """Return the relationships of a document. Refuses one that is not `writable`."""
    relationships = data.get("relationships", {})
    if not isinstance(relationships, dict):
        raise refusals.bad_request("relationships must be an object.")
    for name in relationships:
        if name not in writable:
            raise refusals.param_not_allowed(name)
    return relationships


def check_texts(attributes: Row, names: Collection[str]) -> None:
    """Refuse `names` that are no strings, and metadata that is no object. Null is both."""
    for name in names:
        if not isinstance(attributes.get(name), str | None):
            raise refusals.invalid_value(name, "invalid", "is not a string")
    if not isinstance(attributes.get("metadata"), dict | None):
        raise refusals.invalid_value("metadata", "invalid", "is not an object")


def check_flags(attributes: Row, names: Collection[str]) -> None:
    """Refuse `names` that are no booleans."""
    for name in names:
        if not isinstance(attributes.get(name, False), bool):
            raise refusals.invalid_value(name, "invalid", "is not a boolean")
