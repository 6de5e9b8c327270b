"""
The API's refusals: one exception with everything the `errors` document says.

Codes and strings follow the jsonapi-resources engine (`lib/jsonapi/error_codes.rb`, `exceptions.rb` of
https://github.com/cerebris/jsonapi-resources) and https://docs.commercelayer.io/core/handling-errors .
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """One entry of an `errors` list, and the status it comes with."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        pointer: str | None = None,
        meta: dict[str, object] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.pointer = pointer
        self.meta = meta

    def document(self) -> dict[str, object]:
        """Return the body: `status` is a string, `source` and `meta` are there only when they say something."""
        error: dict[str, object] = {
            "title": self.title,
            "detail": self.detail,
            "code": self.code,
            "status": str(self.status),
        }
        if self.pointer is not None:
            error["source"] = {"pointer": self.pointer}
        if self.meta is not None:
            error["meta"] = self.meta
        return {"errors": [error]}


def invalid_token() -> Refusal:
    """The bearer token is missing, unknown or expired: ask for another."""
    return Refusal(401, "INVALID_TOKEN", "Invalid token", "The access token you provided is invalid.")


def unauthorized() -> Refusal:
    """The token is good, its application may not do this: another token does not help."""
    detail = "You are not authorized to perform this action on the requested resource."
    return Refusal(401, "UNAUTHORIZED", "Access denied", detail)


def not_found(name: str) -> Refusal:
    """No such record."""
    detail = f"The record identified by {name} could not be found."
    return Refusal(404, "RECORD_NOT_FOUND", "Record not found", detail)


def no_route() -> Refusal:
    """No such path."""
    return Refusal(404, "RECORD_NOT_FOUND", "Record not found", "The requested resource could not be found.")


def method_not_allowed(method: str) -> Refusal:
    """The path is there, this method is not."""
    detail = f"The {method} method is not allowed for the requested resource."
    return Refusal(405, "METHOD_NOT_ALLOWED", "Method not allowed", detail)


def not_acceptable(accept: str | None) -> Refusal:
    """The Accept header does not name the JSON:API media type."""
    detail = (
        "All requests must use the 'application/vnd.api+json' Accept without media type parameters. "
        f"This request specified '{accept or ''}'."
    )
    return Refusal(406, "NOT_ACCEPTABLE", "Not acceptable", detail)


def unsupported_media_type(content_type: str | None) -> Refusal:
    """The body is not declared as JSON:API."""
    detail = (
        "All requests that create or update must use the 'application/vnd.api+json' Content-Type. "
        f"This request specified '{content_type or ''}'."
    )
    return Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", detail)


def bad_request(detail: str) -> Refusal:
    """The request cannot be read at all."""
    return Refusal(400, "BAD_REQUEST", "Bad Request", detail)


def param_not_allowed(name: str) -> Refusal:
    """A member of the body, or a page parameter, that may not be sent."""
    return Refusal(400, "PARAM_NOT_ALLOWED", "Param not allowed", f"{name} is not allowed.")


def filter_not_allowed(name: str, *, why: str = "is not allowed") -> Refusal:
    """A filter on something that is not filterable, or with a value of the wrong kind."""
    return Refusal(400, "FILTER_NOT_ALLOWED", "Filter not allowed", f"{name} {why}.")


def invalid_field(name: str, type_: str) -> Refusal:
    """A sparse fieldset names something the type does not have."""
    return Refusal(400, "INVALID_FIELD", "Invalid field", f"{name} is not a valid field for {type_}.")


def invalid_resource(type_: str) -> Refusal:
    """A type that the API does not have, or not the one this path is about."""
    return Refusal(400, "INVALID_RESOURCE", "Invalid resource", f"{type_} is not a valid resource.")


def invalid_include(name: str, type_: str) -> Refusal:
    """An include of something that is no relationship, or not includable."""
    return Refusal(400, "INVALID_INCLUDE", "Invalid include", f"{name} is not a valid relationship of {type_}")


def unnamed_include() -> Refusal:
    """An include of something that this deployment does not include, without saying what."""
    return Refusal(400, "INVALID_INCLUDE", "Invalid include", "The include parameter is not valid.")


def invalid_sort(name: str, type_: str) -> Refusal:
    """A sort by something that is not sortable."""
    detail = f"{name} is not a valid sort criteria for {type_}"
    return Refusal(400, "INVALID_SORT_CRITERIA", "Invalid sort criteria", detail)


def invalid_page(name: str, value: str) -> Refusal:
    """A page number or size out of bounds."""
    detail = f"{value} is not a valid value for {name} page parameter."
    return Refusal(400, "INVALID_PAGE_VALUE", "Invalid page value", detail)


def key_not_in_url(key: str) -> Refusal:
    """The id in the body is not the one in the path."""
    detail = f"The URL does not support the key {key}"
    return Refusal(400, "KEY_NOT_INCLUDED_IN_URL", "Key is not included in URL", detail)


def invalid_value(attribute: str, error: str, detail: str, **meta: Any) -> Refusal:
    """The request is well-formed and says something that cannot be. `meta` goes with the error's name."""
    pointer = f"/data/attributes/{attribute}"
    meta = {"error": error, **meta}
    return Refusal(422, "VALIDATION_ERROR", detail, f"{attribute} - {detail}", pointer=pointer, meta=meta)


def too_many_at_once(limit: int) -> Refusal:
    """As many exports as are allowed are pending or in progress."""
    # That it is refused is documented, with which words is not.
    detail = f"must be less than {limit} exports pending or in progress"
    meta = {"error": "less_than", "value": limit, "count": limit}
    return Refusal(422, "VALIDATION_ERROR", detail, f"concurrent exports - {detail}", pointer="/data", meta=meta)


def locked(name: str) -> Refusal:
    """The record cannot be deleted as it is."""
    return Refusal(423, "LOCKED", "Resource locked", f"The record identified by {name} cannot be deleted.")
