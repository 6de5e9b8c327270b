"""From Commerce Layer to `payments.parquet`: what is pulled, by which way, where a pull stands, and its proof."""
