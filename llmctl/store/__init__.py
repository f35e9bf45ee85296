"""The DuckDB file: an index over the journals, with numbered migrations, views and queries."""
