"""Proposes cases for a test bank from logged calls and failed results, each with its reasons."""
