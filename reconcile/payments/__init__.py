"""From Commerce Layer, or a file, to `payments.parquet`: how it is pulled, how far a pull has come, and its proof."""
