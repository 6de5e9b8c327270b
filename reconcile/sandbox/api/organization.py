"""
The organization as the API describes it: names, and the limits it was given.

Every attribute of the schema is there; what the stand-in has no use for is at the documented default or null.
"""

from __future__ import annotations

from aiohttp import web

from reconcile.sandbox.api.documents import Renderers
from reconcile.sandbox.api.query import read_parameters, read_view
from reconcile.sandbox.api.sending import base_of, json_answer
from reconcile.sandbox.world.resources import ORGANIZATIONS
from reconcile.sandbox.world.tables import EPOCH_TEXT
from reconcile.sandbox.world.world import World

_DEFAULTS: dict[str, object] = {
    "name": "Sandbox",
    "api_auth_redirect": True,
    "api_new_auth": True,
    "api_rules_engine": False,
    "api_rules_engine_max_conditions_size": 150,
    "api_rules_engine_max_rules_size": 15,
    "api_max_regex_length": 5000,
    "addresses_avs_check": True,
    "addresses_phone_required": True,
    "orders_autorefresh_cutoff_test": 50,
    "orders_autorefresh_cutoff_live": 500,
    "orders_number_editable_test": False,
    "orders_number_editable_live": False,
    "orders_number_as_reference": False,
    "orders_invalid_coupon_errors": True,
    "orders_invalid_gift_card_errors": True,
    "orders_validate_shipping_stock": False,
    "bundles_max_items_count": 10,
    "coupons_min_code_length": 8,
    "coupons_max_code_length": 40,
    "gift_cards_exact_code_matching": False,
    "gift_cards_min_code_length": 8,
    "gift_cards_max_code_length": 40,
    "cleanups_max_concurrent_count": 10,
    "imports_max_concurrent_count": 10,
    "imports_skip_errors": False,
    "inventory_models_max_stock_locations_cutoff": 10,
    "promotions_max_concurrent_count": 10,
    "promotions_max_conditions_size": 150,
    "promotions_max_rules_size": 15,
    "price_lists_max_conditions_size": 150,
    "price_lists_max_rules_size": 15,
    "discount_engines_enabled": False,
    "discount_engines_errors": False,
    "tags_max_name_length": 25,
    "tags_max_allowed_number": 10,
    "tax_calculators_errors": False,
    "external_promotions_errors": False,
    "external_prices_errors": True,
    "created_at": EPOCH_TEXT,
    "updated_at": EPOCH_TEXT,
    "metadata": {},
}


class OrganizationAnswers:
    """Answers GET /api/organization."""

    def __init__(self, world: World, renderers: Renderers, *, concurrent_exports: int) -> None:
        self._renderers = renderers
        self._row = {
            **_DEFAULTS,
            "id": world.organization_id,
            "slug": world.organization_slug,
            "domain": f"{world.organization_slug}.commercelayer.io",
            "exports_max_concurrent_count": concurrent_exports,
        }

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the path that is answered here."""
        router.add_get("/api/organization", self.organization, allow_head=False)

    async def organization(self, request: web.Request) -> web.Response:
        """Answer GET /api/organization."""
        view = read_view(read_parameters(request.rel_url.raw_query_string), ORGANIZATIONS)
        renderer = self._renderers.renderer(base_of(request), view)
        return json_answer(renderer.one(self._row, ORGANIZATIONS.name))
