"""Where the matching runs: DuckDB, Arrow tables in memory, Spark."""
