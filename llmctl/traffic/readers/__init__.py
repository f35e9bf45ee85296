"""One reader per log format: each tells whether a file is its own, and makes one record of every logged call."""
