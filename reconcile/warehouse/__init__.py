"""Run folders loaded into warehouses: fixed schemas, idempotent per business date."""
