"""The `include` of a compose file: which other files it takes in, and which folder their paths are relative to.

Facts (compose v2.40, run): an entry is a path, or a mapping with `path` (one or a list, of which later ones lie upon
the first) and `project_directory`; without that, what an included file names is relative to its own folder. A file
that includes itself, also by others, is refused. `env_file` is none of ours to open.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from buildhush.companions.values import Mapping, Scalar, Sequence, scalars
from buildhush.text.spans import Span


class Include(Struct, frozen=True):
    """One entry. `paths` and `project_directory` as written; `span`: the entry."""

    paths: tuple[str, ...]
    project_directory: str | None
    span: Span


def includes_of(root: Mapping) -> Iterator[Include]:
    """The entries of a compose file that can be read; those of another machine (`oci://`, git) are left out."""
    value = root.get("include")
    if not isinstance(value, Sequence):
        return
    for item, span in zip(value.items, value.item_spans, strict=True):
        folder = None
        paths = [item.text] if isinstance(item, Scalar) else []
        if isinstance(item, Mapping):
            written = item.get("path")
            paths = [written.text] if isinstance(written, Scalar) else [each.text for each in scalars(written)]
            folder = item.text("project_directory")
        if paths and not any("://" in path or path.startswith("git@") for path in paths):
            yield Include(tuple(paths), folder, span)
