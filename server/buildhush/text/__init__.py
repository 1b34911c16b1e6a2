"""Text machinery that knows nothing of Dockerfiles: spans, edits, line index, source maps."""
