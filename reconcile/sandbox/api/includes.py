"""
`include`: paths of relationships to a tree, or the 400 they deserve.

Dots nest, three levels at most. A deployment may refuse paths that the documents allow: `IncludeRules`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from reconcile.sandbox.api import refusals
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.resources import ResourceType

MAXIMUM_LEVELS = 3

Includes = Mapping[str, "Includes"]
"""The relationships that are included, and what of each resource behind them."""

NAMINGS = ("path", "relationship", "nothing")


@dataclass(frozen=True, slots=True)
class IncludeRules:
    """
    What a deployment refuses to include.

    `refused` are paths as requests spell them (`order.captures`): each with all below it; `order.*` is only what is
    below. The refusal names the `path` as it was asked for, the `relationship` where it goes wrong, as the engine
    does, or `nothing`.
    """

    refused: Collection[str] = ()
    naming: str = "path"

    def __post_init__(self) -> None:
        if self.naming not in NAMINGS:
            raise ValueError(f'naming "{self.naming}" is none of {", ".join(NAMINGS)}')

    def check(self, text: str, type_: ResourceType) -> None:
        """Refuse the first path of an `include` that is refused here. Raises Refusal."""
        for path in text.split(",") if self.refused else ():
            for one in self.refused:
                if _covers(one, path):
                    raise self._refusal(one.count("."), path, type_)

    def _refusal(self, level: int, path: str, type_: ResourceType) -> refusals.Refusal:
        if self.naming == "nothing":
            return refusals.unnamed_include()
        if self.naming == "path":
            return refusals.invalid_include(path, type_.name)
        names = path.split(".")
        owner = type_
        for name in names[:level]:
            owner = TYPES[owner.relationships[name].type]
        return refusals.invalid_include(names[level], owner.name)


def read_includes(text: str, type_: ResourceType) -> Includes:
    """Return the tree of an `include` for a request about `type_`. Raises Refusal that names the path."""
    tree: dict[str, Any] = {}
    for path in text.split(",") if text else ():
        names = path.split(".")
        if len(names) > MAXIMUM_LEVELS:
            raise refusals.invalid_include(path, type_.name)
        branch, types = tree, [type_]
        for name in names:
            relationships = [one.relationships.get(name) for one in types]
            known = [one for one in relationships if one is not None and one.includable]
            # What not all types behind a polymorphic relationship have cannot be asked of it.
            if not known or len(known) < len(types):
                raise refusals.invalid_include(path, type_.name)
            branch = branch.setdefault(name, {})
            types = [TYPES[target] for one in known for target in one.types if target in TYPES]
    return tree


def _covers(refused: str, path: str) -> bool:
    if refused.endswith(".*"):
        return path.startswith(refused[:-1])
    return path == refused or path.startswith(f"{refused}.")
