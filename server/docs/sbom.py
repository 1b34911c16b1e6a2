"""Prints a CycloneDX 1.6 bill of materials of the runtime dependencies, or their licences, from what is installed.

    python server/docs/sbom.py [--licences]

It reads no network and names no date, so that two runs print the same.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(name: str) -> dict[str, metadata.Distribution]:
    """The distributions that `name` needs to run on this Python, by normalised name, without itself."""
    found: dict[str, metadata.Distribution] = {}
    pending = [name]
    while pending:
        for key in needed(pending.pop()):
            if key not in found:
                found[key] = metadata.distribution(key)
                pending.append(key)
    return dict(sorted(found.items()))


def needed(name: str) -> set[str]:
    """The normalised names of what a distribution itself asks for on this Python."""
    environment = {**default_environment(), "extra": ""}
    requirements = map(Requirement, metadata.requires(name) or ())
    return {
        canonicalize_name(each.name)
        for each in requirements
        if each.marker is None or each.marker.evaluate(environment)
    }


def licence(distribution: metadata.Distribution) -> str:
    """The licence as the package says it: SPDX expression, classifier, or first line of the field or of its file."""
    about = distribution.metadata
    if about.get("License-Expression"):
        return str(about["License-Expression"])
    classifiers = [
        line.rsplit(" :: ", 1)[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")
    ]
    field = str(about.get("License") or "").strip().splitlines()
    stated = [*(each for each in classifiers if each != "OSI Approved"), *field[:1]]
    return stated[0] if stated else next(_titles(distribution), "")


def _titles(distribution: metadata.Distribution) -> Iterator[str]:
    for file in distribution.files or ():
        if file.parts[0].endswith(".dist-info") and re.match(r"LICEN[CS]E|COPYING", file.name, re.IGNORECASE):
            yield from filter(None, (line.strip() for line in file.read_text().splitlines()))


def bill() -> dict[str, Any]:
    """The document."""
    found = closure("buildhush")
    components = [
        {
            "type": "library",
            "bom-ref": reference(name, distribution),
            "name": name,
            "version": distribution.version,
            "purl": reference(name, distribution),
            "licenses": licences(distribution),
        }
        for name, distribution in found.items()
    ]
    main = {
        "type": "application",
        "bom-ref": "buildhush",
        "name": "buildhush",
        "version": metadata.version("buildhush"),
        "licenses": licences(metadata.distribution("buildhush")),
    }
    needs = {"buildhush": needed("buildhush"), **{name: needed(name) for name in found}}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": main},
        "components": components,
        "dependencies": [
            {
                "ref": "buildhush" if name == "buildhush" else reference(name, found[name]),
                "dependsOn": [reference(each, found[each]) for each in sorted(needs[name])],
            }
            for name in needs
        ],
    }


def reference(name: str, distribution: metadata.Distribution) -> str:
    """The package URL, which also names the component inside the document."""
    return f"pkg:pypi/{name}@{distribution.version}"


def licences(distribution: metadata.Distribution) -> list[dict[str, Any]]:
    """What the package says, as CycloneDX has it: an SPDX expression where it gives one, else a name."""
    if distribution.metadata.get("License-Expression"):
        return [{"expression": licence(distribution)}]
    return [{"license": {"name": licence(distribution)}}]


def main() -> int:
    """The document, or with `--licences` a line for each package: name, version, licence."""
    if sys.argv[1:] == ["--licences"]:
        for name, distribution in closure("buildhush").items():
            print(f"{name:20} {distribution.version:18} {licence(distribution)}")
        return 0
    json.dump(bill(), sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
