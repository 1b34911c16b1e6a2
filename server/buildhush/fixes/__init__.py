"""Builders of edits: each returns disjoint edits in absolute offsets of the analysed text, or None when it can't."""
