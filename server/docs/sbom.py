"""Prints a CycloneDX 1.5 bill of materials of the runtime dependencies, from the metadata of what is installed.

It reads no network and names no date, so that two runs print the same.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(name: str) -> dict[str, metadata.Distribution]:
    """The distributions that `name` needs to run on this Python, by normalised name, without itself."""
    found: dict[str, metadata.Distribution] = {}
    pending = [name]
    environment = {**default_environment(), "extra": ""}
    while pending:
        for line in metadata.requires(pending.pop()) or ():
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate(environment):
                continue
            key = canonicalize_name(requirement.name)
            if key not in found:
                found[key] = metadata.distribution(key)
                pending.append(key)
    return dict(sorted(found.items()))


def licence(distribution: metadata.Distribution) -> str:
    """The licence as the package says it: the SPDX expression, the classifier, or the first line of the field."""
    about = distribution.metadata
    if about.get("License-Expression"):
        return str(about["License-Expression"])
    classifiers = [
        line.rsplit(" :: ", 1)[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")
    ]
    field = str(about.get("License") or "").strip().splitlines()
    return next(iter([each for each in classifiers if each != "OSI Approved"]), field[0] if field else "")


def bill() -> dict[str, Any]:
    """The document."""
    components = [
        {
            "type": "library",
            "name": name,
            "version": distribution.version,
            "purl": f"pkg:pypi/{name}@{distribution.version}",
            "licenses": [{"license": {"name": licence(distribution)}}],
        }
        for name, distribution in closure("buildhush").items()
    ]
    main = {"type": "application", "name": "buildhush", "version": metadata.version("buildhush")}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": main},
        "components": components,
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=2)
    sys.stdout.write("\n")
