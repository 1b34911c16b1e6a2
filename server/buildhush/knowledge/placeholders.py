"""What stands where a secret could stand and is none: references to variables, words to be filled in, and dummies.

Also passwords that keep nothing secret, and the one measure of randomness. All functions look at a value without its
quotes, are linear in texts of any length, and never raise.
"""

from __future__ import annotations

import math
import re
from collections import Counter

_REFERENCE = re.compile(r"\$[A-Za-z_@*{(0-9]|%[A-Za-z_]\w{0,60}%|\{\{|\$\$|^`")


def is_reference(text: str) -> bool:
    """Whether the value refers to something (`$X`, `${X:-d}`, `$(cmd)`, `%X%`, `{{ x }}`), so that it isn't literal."""
    return _REFERENCE.search(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether people write this where a real value is to go: `changeme`, `<token>`, `***`, `your-token-here`, `xxx`."""
    return is_fill_in(text) or is_dummy(text)


def is_fill_in(text: str) -> bool:
    """Whether it asks for the real value: `changeme`, `REPLACE_NPM_TOKEN`, `<token>`, `**YOUR_KEY**`, `xxxx`."""
    value = text[:512].strip().strip("\"'").lower()
    if _MARKED.fullmatch(value):
        return True
    letters = [character for character in value if character.isalnum()]
    if not letters or (len(value) >= 3 and len(set(letters)) == 1):
        return True
    words = _SEPARATOR.split(value)
    if any(word in _FILL_IN_WORDS for word in words):
        return True
    return "".join(words) in _WEAK or bool(_FILL_IN.search(value))


def is_dummy(text: str) -> bool:
    """Whether it says that no real value is needed: `dummy`, `not-used`, `test`, `x-oauth-basic`, `example`."""
    words = _SEPARATOR.split(text[:512].strip().strip("\"'").lower())
    joined = "".join(words)
    return joined in _DUMMIES or any(word in _DUMMY_WORDS for word in words) or joined.startswith(_DUMMY_STARTS)


def is_guessable(text: str, *beside: str) -> bool:
    """Whether it is a password that a guesser tries among the first: `root`, `1234`, `qwerty`, `my-s3cr3t`, `sonar`.

    `beside`: words that stand with it, such as those of the variable's name or the login's.
    """
    value = text[:_LONGEST_GUESS].strip().strip("\"'").lower()
    if len(text) >= _LONGEST_GUESS or not value:
        return False
    if len(value) <= 4:
        return True
    words = {word.lower() for word in beside if len(word) > 1}
    if any(word.startswith(value) for word in words):
        return True
    spelt_out = value.rstrip("!").translate(_LEET)
    return _is_made_of(value, words) or _is_made_of(spelt_out, words)


def _is_made_of(value: str, words: set[str]) -> bool:
    """Whether at most three words that are guessed first, a few digits and punctuation make up the whole value."""
    digits = "".join(character for character in value if character.isdigit())
    if len(digits) > 4 and digits not in _DIGITS_IN_A_ROW and len(set(digits)) > 1:
        return False
    return sum(_fewest_words(part, words) for part in _LETTERS.findall(value)) <= _MOST_WORDS


def _fewest_words(text: str, words: set[str]) -> int:
    """Of how many words a run of letters is made; more than `_MOST_WORDS` when of others too."""
    fewest = {0: 0}
    for end in range(1, len(text) + 1):
        counts = [
            count + 1 for start, count in fewest.items() if text[start:end] in _GUESSED or text[start:end] in words
        ]
        if counts:
            fewest[end] = min(counts)
    return fewest.get(len(text), _MOST_WORDS + 1)


def looks_random(text: str) -> bool:
    """Whether it looks generated: 16 characters or more of a token's alphabet, letters and digits, high entropy."""
    if len(text) < 16 or not _TOKEN_ALPHABET.fullmatch(text):
        return False
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    if digits < 2 or letters < 4:
        return False
    entropy = _entropy(text)
    if _HEX.fullmatch(text):
        return len(text) >= 20 and entropy >= 2.9
    if not any(len(part) >= 8 and not part.isalpha() and not part.isdigit() for part in _PARTS.findall(text)):
        return False
    # Words and versions glued by dashes (python-3.11-slim-bookworm) have long runs of letters; generated text has not.
    longest = max((len(run) for run in _RUNS.findall(text)), default=0)
    return entropy >= 3.4 and longest < max(8, len(text) // 6)


def _entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LONGEST_GUESS = 40
_LETTERS = re.compile(r"[^\W\d_]+")
_LEET = str.maketrans("03457@$", "oeastas")
_DIGITS_IN_A_ROW = "01234567890123456789 98765432109876543210"
_MOST_WORDS = 3
# Passwords that lists of the commonest have, and the names of logins and products that come with their own as password.
_GUESSED = _words(
    """
    abc abcd abcdef access account admin administrator airflow apache api app archive asdf asdfgh auth azure backup
    bar baz bitnami bot build cassandra centos change changeit changeme client couchbase couchdb database db dba
    debian default demo dev developer docker dragon drupal elastic elasticsearch example foo foobar ftp ghost git
    gitea gitlab grafana graylog guest hadoop hello hive influx influxdb jboss jenkins joomla kafka key keycloak
    keystone kibana ldap letmein linux local localhost login magento mail manager mariadb master me metabase
    minecraft minio mongo mongodb monkey moodle my mysql nagios neo nextcloud nexus nginx node odoo openldap
    openstack oracle owncloud pass passphrase passwd password pg php phpmyadmin postgres postgresql prod production
    prometheus public pw pwd qwert qwerty qwertz rabbit rabbitmq raspberry redis repl replica replication root sa
    samba sample secret secure server service solr sonar sonarqube splunk sql ssh super superuser sys system
    teamspeak temp temporary test testing the tmp token tomcat toor ubuntu user username vagrant vnc web weblogic
    webmin welcome wildfly wordpress wp www your zabbix zeppelin
    """
)
_TOKEN_ALPHABET = re.compile(r"[A-Za-z0-9+/=_.~!@#%^*-]+")
_HEX = re.compile(r"[0-9a-fA-F]+")
_PARTS = re.compile(r"[A-Za-z0-9]+")
_RUNS = re.compile(r"[a-z]+|[A-Z]+")
_SEPARATOR = re.compile(r"[^a-z0-9]+")
_MARKED = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\*(?:\**[^*]+)?\*+|__[^_].*__|%%.*%%|@[^@]*@|#\{.*\}|docker-secret->.*")
_A_SECRET = r"(?:password|passwd|pass|secret|token|key)"
_FILL_IN = re.compile(
    r"your[-_.]|^your(?:own|api|auth|login|user|name|[a-z]{0,8}?" + _A_SECRET + r")"
    r"|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|with|this)|[-_ ]here$|x{4}|\.\.\.|…|provide[-_ ]me"
    r"|" + _A_SECRET + r"[-_ ]?or[-_ ]?" + _A_SECRET
)

_FILL_IN_WORDS = _words(
    "your yours changeme changeit changethis replaceme replace insert enter todo fixme fillme provide xxx tbd redacted"
)
_WEAK = _words("password passwd pass pwd secret token apikey key credentials string value")
_DUMMY_WORDS = _words("dummy fake placeholder example sample mock notused unused ignored")
# The last is what GitHub wants beside a token that is the user name.
_DUMMIES = _words(
    "test testing foo bar baz foobar none null nil undefined unset notset notneeded notsecure na build unknown default"
    " empty blank noauth xoauthbasic"
)
_DUMMY_STARTS = ("dummy", "notasecret", "notreal", "notarealsecret", "insecure")
