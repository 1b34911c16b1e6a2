"""Follows secrets through shell scripts, instructions, mounts and stages."""
