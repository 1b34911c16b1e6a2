"""How fast the language server and the check are, measured beside others in one run: `python -m tests.bench`."""
