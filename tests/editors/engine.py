"""A BuildKit for the editor suite: python -m tests.editors.engine.

Prints one line of JSON when it is up, `{"address", "programs"}`: what BUILDKIT_HOST says, and a folder with buildctl
and a static busybox. Stops it when standard input ends. Status 3, with the reason on standard error: none can run here.
"""

from __future__ import annotations

import json
import sys

from tests.buildkit.engine import EngineMissing, running_buildkit
from tests.buildkit.setup_engine import cache_folder


def main() -> int:
    """Serves until standard input ends."""
    try:
        with running_buildkit() as engine:
            print(json.dumps({"address": engine.address, "programs": str(cache_folder() / "bin")}), flush=True)
            sys.stdin.read()
    except EngineMissing as reason:
        print(reason, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
