"""Whether the name of a variable, build argument or secret id says that it holds a secret.

A name is split into words (snake, kebab, dotted and camel case; trailing digits dropped). It names a secret when one of
its words does (PASSWORD, TOKEN, SECRET …) or a word with a fitting companion does (API + KEY, NPM + AUTH, GH + PAT),
and no later word turns it into something about the secret (TOKEN_FILE, KEY_ID, PASSWORD_MIN_LENGTH).

Facts: FACTS.md section 4: what people complained of as false alarms and as misses.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct


class NameVerdict(Struct, frozen=True):
    """What a name says.

    `secret`: the name alone is enough. `value_decides`: the name fits a secret but also much that is none (GPG_KEY,
    bare KEY, AUTH, SALT), so only a value that looks random makes it one; never true together with `secret`.
    `reason`: half a sentence for a message ("its name ends in TOKEN"). `words`: the name's words in lower case.
    `password`: the word that decided is a password's, so even a short or numeric value is one.
    """

    secret: bool
    reason: str
    words: tuple[str, ...]
    value_decides: bool = False
    password: bool = False


def split_words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `ZS_DBPassword2` -> zs, db, password."""
    words: list[str] = []
    for match in _WORD.finditer(name):
        word = match.group().lower().rstrip("0123456789")
        # DBPASSWORD, npmtoken, sshkey: the secret word is glued to its companion.
        if word:
            words += _unglued(word)
    return tuple(words)


@lru_cache(maxsize=4096)
def classify_name(name: str) -> NameVerdict:
    """What `name` (of a variable, build argument, label or secret id) says about its value. Never raises."""
    words = split_words(name)
    if name in _KNOWN_NAMES:
        secret, reason = _KNOWN_NAMES[name]
        return NameVerdict(secret, reason, words)
    if "{{" in name or "}}" in name:
        return NameVerdict(False, "a template makes its name", words)
    if _BUNDLE_HOST.fullmatch(name):
        return NameVerdict(True, "Bundler reads the credentials of a gem server from it", words, password=True)
    if not _HARMLESS_ANYWHERE.isdisjoint(words):
        ignored = next(word for word in words if word in _HARMLESS_ANYWHERE)
        return NameVerdict(False, f"{ignored.upper()} in its name says that it is not one", words)

    if _SECRET_WORDS.isdisjoint(words):
        return _without_secret_word(words)
    last = max(index for index, word in enumerate(words) if word in _SECRET_WORDS)
    before, word, after = words[:last], words[last], words[last + 1 :]
    tail = tuple(item for item in after if item not in _TRANSPARENT_TAILS)
    if about := next((item for item in tail if item in _ABOUT), None):
        return NameVerdict(
            False, f"{word.upper()}_{about.upper()} is something about the secret, not the secret", words
        )
    if switch := next((item for item in before if item in _SWITCHES), None):
        return NameVerdict(False, f"{switch.upper()} … {word.upper()} is a setting, not a secret", words)
    return _judge(before, word, tail, words)


def _unglued(word: str) -> tuple[str, ...]:
    if word.endswith(_GLUED_ENDS) and word not in _NOT_GLUED:
        for pattern in _GLUED:
            if match := pattern.fullmatch(word):
                return match.groups()
    return (word,)


def _judge(before: tuple[str, ...], word: str, tail: tuple[str, ...], words: tuple[str, ...]) -> NameVerdict:
    says = f"its name ends in {word.upper()}" if not tail else f"its name has {word.upper()} in it"
    if word in _STRONG:
        if word in _PLURALS and not (set(before) & (_KEY_COMPANIONS | _VENDORS)):
            return NameVerdict(False, f"{word.upper()} without a companion is rather a count", words)
        if word == "token" and before and before[-1] in _TEXT_TOKENS:
            return NameVerdict(False, "it is a token of a text, not of an account", words)
        return NameVerdict(True, says, words, password=word in _PASSWORDS)
    # The others mean a secret only as the last word: PASS_THROUGH, AUTH_SERVER, KEY_VAULT and PWD_HOOK are none.
    if tail:
        return NameVerdict(False, f"{word.upper()} is not what the name is about", words)
    if word in _PASSWORDS:
        return _short_password(before, word, says, words)
    if word in ("jwt", "bearer"):
        return NameVerdict(True, says, words)
    companion = before[-1] if before else None
    joined = f"{companion.upper()}_{word.upper()}" if companion else word.upper()
    if word == "pat":
        if companion in _PATTERN_OWNERS:
            return NameVerdict(False, f"{joined} is rather a pattern", words)
        return NameVerdict(True, f"{joined} names a personal access token", words)
    if word in ("auth", "oauth", "cookie"):
        owners = _COOKIE_OWNERS if word == "cookie" else _AUTH_OWNERS
        if set(before) & owners:
            return NameVerdict(True, f"its name ends in {joined}", words)
        return NameVerdict(False, f"{joined} is more often a switch or a scheme", words, value_decides=True)
    # key, keys: a key needs a companion that makes it a private one, right before it.
    if companion in _PUBLIC_KEY_OWNERS:
        return NameVerdict(False, f"{joined} is mostly a public key or its id", words, value_decides=True)
    if companion in _KEY_COMPANIONS and not (word == "keys" and companion == "ssh"):
        return NameVerdict(True, f"its name ends in {joined}", words)
    if word == "key" and companion in _VENDORS:
        return NameVerdict(True, f"{joined} is the key to an account", words)
    return NameVerdict(False, f"{joined} can be any kind of key", words, value_decides=True)


def _short_password(before: tuple[str, ...], word: str, says: str, words: tuple[str, ...]) -> NameVerdict:
    if word == "pwd" and (not before or before[-1] in _DIRECTORIES):
        return NameVerdict(False, "PWD is the current directory", words)
    if word == "pass" and before and before[-1] in _PASSES:
        return NameVerdict(False, f"{before[-1].upper()}_PASS counts or moves, it is no password", words)
    return NameVerdict(True, says, words, password=True)


def _without_secret_word(words: tuple[str, ...]) -> NameVerdict:
    trimmed = words
    while trimmed and trimmed[-1] in _TRANSPARENT_TAILS:
        trimmed = trimmed[:-1]
    ends = {*words[-1:], *trimmed[-1:]}
    for phrase, reason in _PHRASES.items():
        if phrase[-1] in ends and phrase in (words[-len(phrase) :], trimmed[-len(phrase) :]):
            return NameVerdict(True, reason, words)
    if words and words[-1] in _UNDECIDED:
        return NameVerdict(False, f"{words[-1].upper()} alone does not say", words, value_decides=True)
    return NameVerdict(False, "no word of its name means a secret", words)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(
    r"(?:API|DN|ID|IP|URI|URL)s(?![a-z])|[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[A-Z][0-9]*|[0-9]+[a-z]*"
)

_GLUED = (
    re.compile(r"([a-z0-9]{1,40}?)(password|passwd|passphrase|secret|token)"),
    re.compile(r"(db|root|user|admin|ssh|mysql|pg|postgres|su|api|redis|smtp|mail|ldap|ftp|sa|rpc|jdbc)(pass|pwd|pw)"),
    re.compile(
        r"(api|secret|private|access|auth|shared|ssh|deploy|encryption|master|account|license|public|pub|signing)(keys?)"
    ),
)
_GLUED_ENDS = ("password", "passwd", "passphrase", "secret", "token", "pass", "pwd", "pw", "key", "keys")
"""What the patterns above end with: few words do, and all words are asked."""
_NOT_GLUED = _words("htpasswd")

_PASSWORDS = _words(
    """
    password passwords passwd passphrase passphrases pword psw passcode htpasswd pass pwd pw
    """
)
_PLURALS = _words("tokens")
_STRONG = _words(
    """
    password passwords passwd passphrase passphrases pword psw passcode htpasswd secret secrets token tokens
    credential credentials cred creds
    """
)
_SECRET_WORDS = _STRONG | {"pass", "pwd", "pw", "auth", "oauth", "key", "keys", "pat", "cookie", "jwt", "bearer"}

# Behind the secret word, these leave the meaning alone: NPM_TOKEN_RO, SSH_KEY_B64, SECRET_KEY_BASE.
_TRANSPARENT_TAILS = _words(
    """
    b base json value values content contents raw pem data string text plain prod production dev development
    staging stage qa ci local ro rw readonly read write build arg input encoded old new current primary
    secondary
    """
)

_ABOUT = _words(
    """
    file files filename path paths dir dirs directory folder location locations url urls uri endpoint host
    hostname port addr address server domain id ids name names alias aliases type types mode method methods
    scheme version length len size bits bytes ttl expiry expires expire expiration duration timeout lifetime age
    days hours minutes seconds limit limits max min count counts num budget algorithm algo alg curve cipher
    format encoding prefix suffix header headers enabled enable disabled disable required require optional
    allowed policy rotation interval provider providers manager store storage backend mount mountpoint arn
    region user usr username login email realm issuer audience scope scopes sock socket template hash hashed hashes
    fingerprint fingerprints checksum sha md sum digest bucket repo repository branch ref tag image package
    module class plugin generator script handler validator validation check verify verification strength field
    param var env variable attribute label group role lookup resolver source ring rate index column row vault
    keyring cmd command helper hook hint hints reset config cfg driver engine lib library callback warn prompt
    utils space support service operator controller sync scan scanning scanner detection authentication
    encrypted
    """
)

_SWITCHES = _words(
    """
    use uses using enable enabled disable disabled allow allows require requires skip no without has is max min
    num total random generate hide validate ignore
    """
)

_HARMLESS_ANYWHERE = _words(
    """
    public pub publishable dummy fake placeholder example sample mock noop passwordless
    """
)

_TEXT_TOKENS = _words("eos bos pad unk sep cls mask end start stop begin special next")
_PASSES = _words("first second single multi two one by boarding low high band num per")
_DIRECTORIES = _words("old init start base current orig original work project build")
_PATTERN_OWNERS = _words("file name glob regex search url path match exclude include")

_AUTH_OWNERS = _words(
    """
    npm node yarn pnpm docker registry composer basic proxy http https github gh gitlab git bitbucket bearer
    redis artifactory jfrog nexus pypi pip poetry bundle gem maven mvn gradle nuget cargo helm conda api
    packagist ghcr ecr acr gcr azure aws sonar sentry verdaccio cloudsmith fury gemfury
    """
)
_COOKIE_OWNERS = _words("erlang rabbitmq auth login")

# Right before KEY these make it a private one.
_KEY_COMPANIONS = _words(
    """
    api secret secrets private priv access auth shared preshared ssh rsa ed ecdsa deploy deployment encryption
    encrypt decryption decrypt crypto crypt master account service role admin storage session jwt hmac aes
    fernet license licence token credential credentials password sas webhook bot app application refresh login
    ingestion subscription sym symmetric prv pvt git gitlab
    """
)
_PUBLIC_KEY_OWNERS = _words(
    """
    gpg pgp apt rpm yum dnf apk pacman signing sign sig release releases repo archive host kms cmk cache
    partition primary foreign sort routing group lookup registry object bucket index hot minisign cosign
    verification verify trusted
    """
)

_VENDORS = _words(
    """
    aws amazon azure gcp gcloud firebase supabase heroku digitalocean linode hetzner cloudflare cf fastly vercel
    netlify github gh bitbucket npm pypi rubygems dockerhub artifactory jfrog nexus sonar snyk sentry datadog dd
    newrelic relic honeycomb splunk stripe paypal braintree twilio sendgrid mailgun mailchimp postmark slack
    discord telegram openai anthropic claude gemini cohere mistral groq huggingface hf wandb kaggle algolia
    mapbox maxmind tailscale pulumi codecov launchdarkly okta vault consul nomad minio backblaze
    """
)

# Words that can be a secret's, but need a value that says so.
_UNDECIDED = _words("salt pin webhook hook dsn cert license seed nonce psk signature")

_PHRASES = {
    ("id", "rsa"): "it names an SSH private key",
    ("id", "ed"): "it names an SSH private key",
    ("id", "ecdsa"): "it names an SSH private key",
    ("npmrc",): "it holds the content of an .npmrc",
    ("netrc",): "it holds the content of a .netrc",
    ("pypirc",): "it holds the content of a .pypirc",
    ("connection", "string"): "connection strings hold a password",
    ("conn", "string"): "connection strings hold a password",
    ("conn", "str"): "connection strings hold a password",
    ("npm", "rc"): "it holds the content of an .npmrc",
    ("service", "account", "json"): "it holds the key of a service account",
    ("service", "account", "base"): "it holds the key of a service account",
}

_KNOWN_NAMES = {
    "SSH_AUTH_SOCK": (False, "it is the path of the agent's socket"),
    "GOOGLE_APPLICATION_CREDENTIALS": (False, "it is the path of a file"),
    "AWS_SHARED_CREDENTIALS_FILE": (False, "it is the path of a file"),
    "SECRET_KEY_BASE_DUMMY": (False, "Rails's switch for a build without the secret"),
    "DOCKER_AUTH_CONFIG": (True, "it holds registry credentials"),
    "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": (True, "it holds the passwords of NuGet feeds"),
    "VAULT_SECRET_ID": (True, "it is the secret half of a Vault AppRole"),
    "PIP_KEYRING_PROVIDER": (False, "it is a setting of pip"),
}

_BUNDLE_HOST = re.compile(r"BUNDLE_[A-Z0-9]+(?:__[A-Z0-9]+)*__(?:COM|ORG|NET|IO|DEV|CO|APP|CLOUD|LOCAL|INTERNAL)")
