"""Rows of CSV, JSONL, JSON, YAML, Parquet and XLSX files, with a place for every cell."""

from llmctl.project.tables.read import TABLE_SUFFIXES, Row, Table, has_header, read_table

__all__ = ["TABLE_SUFFIXES", "Row", "Table", "has_header", "read_table"]
