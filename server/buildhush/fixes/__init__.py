"""Builders of edits that rules compose into fixes."""
