"""One module per leak pattern; `registry` collects them."""
