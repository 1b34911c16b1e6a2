"""Made-up credentials, made anew in every run, for the slots of files, and the search for them in what comes out.

A slot is `@kind:position`; no two have the same position. The value of `@secret` is random text, a secret by the name
beside it only (the value of DB_PASSWORD). The other kinds have the format of somebody's tokens, so that buildhush knows
them for secrets wherever they stand.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

SHOWN = 10
"""So many characters of a credential in a row count as giving it away."""

_LETTERS = string.ascii_letters + string.digits
_KINDS = {
    "secret": ("", 24, _LETTERS),
    "token": ("ghp_", 36, _LETTERS),
    "npm": ("npm_", 36, _LETTERS),
    "gitlab": ("glpat-", 20, _LETTERS),
    "aws": ("AKIA", 16, string.ascii_uppercase + "234567"),
}
"""Kind -> how it begins, how many random characters follow, and of which ones."""

_SLOT = re.compile(rf"@({'|'.join(_KINDS)}):([a-z-]+[a-z])")
_BEGINNING = re.compile("|".join(beginning for beginning, _, _ in _KINDS.values() if beginning))


@dataclass(frozen=True, slots=True)
class Planted:
    """Files by name, `Dockerfile` among them, and what stands in them: position -> credential."""

    files: dict[str, str]
    canaries: dict[str, str]

    @property
    def text(self) -> str:
        """The Dockerfile."""
        return self.files["Dockerfile"]


def plant(templates: Mapping[str, str]) -> Planted:
    """Each of the files with a fresh credential at every slot."""
    canaries: dict[str, str] = {}
    source = random.SystemRandom()

    def fresh(match: re.Match[str]) -> str:
        assert match[2] not in canaries, f"two credentials are called {match[2]}"
        beginning, length, characters = _KINDS[match[1]]
        canaries[match[2]] = beginning + "".join(source.choice(characters) for _ in range(length))
        return canaries[match[2]]

    files = {name: _SLOT.sub(fresh, text) for name, text in templates.items()}
    return Planted(files, canaries)


def given_away(output: bytes, canaries: dict[str, str]) -> list[str]:
    """The positions of the credentials of which the output holds a part, in any letter case."""
    lowered = output.lower()
    found = []
    for position, value in canaries.items():
        beginning = _BEGINNING.match(value)
        secret = value[beginning.end() if beginning else 0 :].lower()
        if any(secret[start : start + SHOWN].encode() in lowered for start in range(len(secret) - SHOWN + 1)):
            found.append(position)
    return found
