"""How a hover says where a secret ends up, and where a mount puts it."""

from __future__ import annotations

from buildhush.dockerfile.nodes import Mount
from buildhush.flow.facts import Sink

SINKS = {
    Sink.LAYER: "a layer of the exported image, even when a later layer deletes the file: "
    "everyone who pulls the image can read it",
    Sink.STAGE: "the layers of a stage that is not exported: readable on the builder's disk, "
    "and in a cache exported with `mode=max`",
    Sink.CONFIG: "the image's configuration and history: `docker history --no-trunc` and `docker inspect` show it",
    Sink.LOG: "the build log: everyone who can read the CI's log can read it",
    Sink.CACHE: "a cache mount: every later build on that builder that mounts the same id can read it",
    Sink.CONTEXT: "the build context on the builder's disk",
    Sink.PROVENANCE: "provenance attached to the pushed image, when it is made with `mode=max`",
}


def mounted_where(mount: Mount) -> str:
    """Where a secret mount puts the secret."""
    places = []
    if mount.target is not None:
        places.append(f"the file `{mount.target}`")
    if mount.env:
        places.append(f"the variable `{mount.env}`")
    return " and ".join(places) or "nowhere"
