"""Run folders loaded into warehouses: fixed schemas, idempotent per organization, mode and business date."""
