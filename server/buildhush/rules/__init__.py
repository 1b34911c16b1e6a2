"""One file per leak pattern."""
