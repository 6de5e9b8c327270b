"""What there is in the sandbox: payments, orders and the rest of a shop, and how they change."""
