"""Data about commands, names, files and literal formats."""
