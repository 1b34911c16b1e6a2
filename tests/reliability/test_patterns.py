"""No regular expression takes more than linear time, or nearly so, on text made to break it.

Every pattern that the package and its dependencies compile is recorded while they are imported and used. Each is then
attacked: with texts made of what it repeats, four times as long the second time, whose time must not grow like the
square of it.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from tests.reliability.attack import slow_piece
from tests.reliability.patterns import patterns_in_use

OURS = "buildhush"
TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
READ = {
    *(OURS, "bashlex", "detect_secrets", "dockerfile_parse", "pathspec", "pygls"),
    *("fnmatch", "json", "shlex", "string", TOML, "urllib"),
}
"""Whose patterns meet what a document, a client or a configuration says.

The others belong to what is imported along and never sees such a text: the network libraries that
detect-secrets imports to verify credentials (which is off), and what prints help, logs and versions.
"""

EXEMPT = {
    "[A-Za-z_0-9]*$": "pygls' own document, which is not used: buildhush keeps the text",
    r"""(?P<quote>[\"']?)(?P<scheme>https?)://(?P<user>.+)@(?P<host>[\w.:-]+)/(?P<path>.*)(?P=quote)""": (
        "asked about words of at most 2,000 characters"
    ),
    r"eyJ[A-Za-z0-9-_=]+\.[A-Za-z0-9-_=]+\.?[A-Za-z0-9-_.+/=]*?": (
        "detect-secrets' own, asked about tokens of at most 12,294 characters in which it matches from the first on"
    ),
    r"""(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[A-Za-z0-9_-]+)""": "takes apart what the same pattern has just matched",
}
"""Patterns that would be too slow, and why they never meet a text that makes them so."""

USED = patterns_in_use()
PATTERNS = sorted(
    {(each.place, each.pattern, each.flags, m) for each in USED if each.package in READ for m in each.methods}
)


def test_patterns_are_found() -> None:
    packages = Counter(each.package for each in USED)
    assert packages[OURS] > 250
    assert {"bashlex", "detect_secrets", "pathspec", "pygls", TOML, "json"} <= packages.keys()
    files = {each.place.partition(":")[0] for each in USED if each.package == OURS}
    assert {"verify/outline.py", "lsp/navigation.py", "config.py", "knowledge/literals.py"} <= files


@pytest.mark.parametrize(
    ("bad", "method"),
    [
        (r"(a+)+$", "match"),
        (r"\s+$", "search"),
        (r"(?:a|aa)*b", "match"),
        (r"a*a*b", "match"),
        (r"x[^y]*y", "search"),
        (r"#(\S.*?)\s*$", "match"),
        (r"-[a-z]*e[a-z]*", "fullmatch"),
        (r"(?:[^/]*a){5}", "fullmatch"),
    ],
)
def test_the_attack_finds_bad_patterns(bad: str, method: str) -> None:
    assert slow_piece(bad, method)


@pytest.mark.parametrize(
    ("place", "pattern", "flags", "method"), PATTERNS, ids=[f"{each[0]} {each[3]}" for each in PATTERNS]
)
def test_pattern(place: str, pattern: str, flags: int, method: str) -> None:
    if pattern in EXEMPT:
        return
    assert slow_piece(pattern, method, flags) is None, f"{place}: {pattern!r}"
