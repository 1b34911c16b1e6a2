"""The lossless, incremental Dockerfile tree."""
