"""buildhush: follows build secrets through Dockerfiles, says where they leak, and repairs it."""

__version__ = "0.1.0"
