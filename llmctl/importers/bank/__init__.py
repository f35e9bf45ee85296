"""Banks from tables, and back to tables for people who live in spreadsheets."""
