"""The canary build."""
