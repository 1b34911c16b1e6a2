"""Whether a file is one that holds secrets, by its name and place alone; its content is never read.

Facts: issue "names and values" and FACTS.md section 5 (where tools keep credentials). A path may hold globs as COPY
takes them (`*.pem`, `id_*`, `.env*`) and variables; it may name a file of the build context or of the image.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from buildhush.knowledge.names import classify_name, split_words

FileKind = Literal[
    "environment file",
    "private key",
    "key store",
    "package registry credentials",
    "tool credentials",
    "settings with credentials",
    "cloud credentials",
    "password file",
    "infrastructure state",
    "secret by its name",
    "folder of secrets",
    "look-alike",
    "nothing",
]


class FileVerdict(Struct, frozen=True):
    """What a path says. `certain`: the name is used for nothing else; False when it may hold no secret (.npmrc).

    `reason`: half a sentence for a message. `kind`: for people. When `secret` is False it is "look-alike" for a name
    that says so (an example, a certificate, a public key), else "nothing": then another name of the same file, such as
    the destination of a COPY, may know more. "folder of secrets" says nothing about a file that is copied into it,
    "settings with credentials" nothing about one of another name that is copied there: mostly it holds settings only.
    """

    secret: bool
    certain: bool
    reason: str
    kind: FileKind


@lru_cache(maxsize=8192)
def classify_file(path: str) -> FileVerdict:
    """What `path` (with `/` or `\\`, absolute or relative, a file or a folder, globs allowed) says. Never raises."""
    parts = [part for part in path.replace("\\", "/").lower().split("/") if part not in ("", ".")]
    if not parts:
        return _NOTHING
    glob = bool(_GLOB.search(parts[-1]))
    name = _GLOB.sub("", parts[-1]).rstrip(".")
    if not name or _VARIABLE.fullmatch(name):
        return _NOTHING
    verdict = _classify(tuple(parts[:-1]), name, path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1])
    if glob and verdict.certain:
        return FileVerdict(True, False, "the pattern also takes in such a file: " + verdict.reason, verdict.kind)
    return verdict


def may_be_settings(path: str) -> bool:
    """Whether it is a file that holds settings as often as a token, so that more must be known of it: an `.npmrc`."""
    return path.rpartition("/")[2] in (".npmrc", "npmrc")


def is_public_place(path: str) -> bool:
    """Whether what stands in a file of that absolute path is meant to be public, whatever it was copied from.

    Certificates that a trust store is made of, keys that packages are checked with, keys that may log in, hosts that
    are known: a person who mounts one as a secret keeps it out of the build context, not out of the image.
    """
    return _PUBLIC_PLACE.search(path) is not None


def _classify(folders: tuple[str, ...], name: str, written: str) -> FileVerdict:
    folder = folders[-1] if folders else ""
    if name in _HARMLESS_NAMES or _EXAMPLE.search(name) or name.endswith(_HARMLESS_ENDS):
        return _LOOK_ALIKE
    if place := _PLACES.get((folder, name)) or _NAMES.get(name):
        return place
    if name.startswith((".env", "env.")) or name.endswith(".env"):
        return _environment_file(name)
    if _SSH_KEY.fullmatch(name):
        return FileVerdict(True, True, "it is an SSH private key by its name", "private key")
    stem, extension = _split_extension(name)
    words = split_words(_GLOB.sub("", written).rsplit(".", 1)[0])
    if extension in _KEY_FILES:
        return _key_file(extension, stem, words)
    if extension in _STORES:
        return _STORES[extension] if not set(words) & _PUBLIC_STORE_WORDS else _LOOK_ALIKE
    if folder == ".ssh" and "." not in name:
        return FileVerdict(True, False, "it lies in .ssh", "private key")
    if _SERVICE_ACCOUNT.search(name):
        return FileVerdict(True, True, "it is the key of a service account by its name", "cloud credentials")
    return _by_words(folder, stem, extension)


def _environment_file(name: str) -> FileVerdict:
    if name in (".env", ".env.local") or (name.startswith(".env.") and name.endswith(".local")):
        return FileVerdict(True, True, "environment files hold the secrets of a project", "environment file")
    variant = name.removeprefix(".env").strip("._-")
    if name.startswith(".env"):
        # .env.d.ts, .env.ts, .envsh … are code; .environment is a word of its own.
        if "." in variant or variant in _CODE or (variant and name[4] not in "._-" and variant != "rc"):
            return _NOTHING
        return FileVerdict(True, False, "environment files hold the secrets of a project", "environment file")
    stem = name.removesuffix(".env").removeprefix("env.")
    if stem in _ENVIRONMENTS or set(split_words(stem)) & {"secret", "secrets", "credentials"}:
        return FileVerdict(True, False, "environment files hold the secrets of a project", "environment file")
    return _NOTHING


def _key_file(extension: str, stem: str, words: tuple[str, ...]) -> FileVerdict:
    joined = "".join(words)
    said = set(words)
    private = bool(said & _PRIVATE_WORDS) or joined.endswith(("privkey", "privatekey"))
    if not private and (said & _PUBLIC_WORDS or any(part in joined for part in _PUBLIC_PARTS)):
        return _LOOK_ALIKE
    if extension == "key" and (private or stem in _SERVER_KEYS):
        return FileVerdict(True, True, "it is a private key by its name", "private key")
    if extension == "pem" and (private or "key" in said):
        return FileVerdict(True, True, "it is a private key by its name", "private key")
    if extension in ("p8", "ppk"):
        return FileVerdict(True, True, f".{extension} files are private keys", "private key")
    return FileVerdict(True, False, f".{extension} files are often private keys", "private key")


def _by_words(folder: str, stem: str, extension: str) -> FileVerdict:
    """secret.txt, npm_token, db-credentials.json: data files whose last word is a secret's."""
    if extension not in _DATA:
        return _NOTHING
    words = split_words(stem)
    while words and words[-1] in _TRANSPARENT:
        words = words[:-1]
    if words and words[-1] in _SECRET_WORDS and classify_name("_".join(words)).secret:
        # `token`, `npm_token.txt`: nothing else is called so; secrets.yaml may be a list of references.
        return FileVerdict(
            True,
            words[-1] not in _UNSURE_WORDS and extension not in _MANIFESTS,
            f"its name ends in {words[-1]}",
            "secret by its name",
        )
    if words and words[-1] in ("key", "keys") and extension in _TEXT and classify_name("_".join(words)).secret:
        return FileVerdict(True, True, "it is a key by its name", "secret by its name")
    if stem == "sec" and extension in _TEXT:
        return FileVerdict(True, False, "its name is short for secret", "secret by its name")
    if folder in ("secrets", ".secrets") and extension in _TEXT:
        return FileVerdict(True, False, f"it lies in a folder called {folder}", "secret by its name")
    return _NOTHING


def _split_extension(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not dot:
        return name, ""
    # `.npmrc` has no extension; `.pem` is what is left of `*.pem`.
    if not stem and extension not in _KEY_FILES and extension not in _STORES:
        return extension, ""
    return stem, extension


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GLOB = re.compile(r"[*?]|\[[^\]]{0,60}\]")
_VARIABLE = re.compile(r"\$(?:\w{1,100}|\{[^{}]{1,200}\})")
_LOOK_ALIKE = FileVerdict(False, False, "its name says that it is not one", "look-alike")
_NOTHING = FileVerdict(False, False, "neither its name nor its place says so", "nothing")

_EXAMPLE = re.compile(
    r"(?:^|[._-])(?:examples?|samples?|templates?|tmpl|tpl|dist|dummy|fake|mock|schema|spec)(?:[._-]|$)|[._-]defaults?(?:\.|$)"
)
_HARMLESS_ENDS = (
    ".pub",
    ".enc",
    ".encrypted",
    ".sops",
    ".age",
    ".vault",
    ".md",
    ".rst",
    ".j2",
    ".jinja",
    ".erb",
    ".in",
    ".d.ts",
    ".lock",
    ".svg",
)
_HARMLESS_NAMES = _words(
    "known_hosts authorized_keys id_rsa.pub .env.vault .envoy .envrc.example passwd shadow group .keys"
)

_ALGORITHM = r"(?:rsa|dsa|ecdsa|ed25519|ecdsa_sk|ed25519_sk)"
_SSH_KEY = re.compile(
    rf"(?:id_{_ALGORITHM}?|(?:deploy|github|gitlab|bitbucket|private)_{_ALGORITHM})(?:[._-](?!pub)[\w-]{{1,40}})?"
    rf"|ssh_host_{_ALGORITHM}_key"
)


def _registry(reason: str, certain: bool) -> FileVerdict:
    return FileVerdict(True, certain, reason, "package registry credentials")


def _tool(reason: str, certain: bool = True) -> FileVerdict:
    return FileVerdict(True, certain, reason, "tool credentials")


def _cloud(reason: str, certain: bool = True) -> FileVerdict:
    return FileVerdict(True, certain, reason, "cloud credentials")


_NAMES = {
    ".npmrc": _registry("npm keeps registry tokens in it", False),
    "npmrc": _registry("npm keeps registry tokens in it", False),
    ".netrc": _tool("it holds logins for hosts"),
    "_netrc": _tool("it holds logins for hosts"),
    "netrc": _tool("it holds logins for hosts"),
    ".pypirc": _registry("it holds package index logins", True),
    "pypirc": _registry("it holds package index logins", True),
    "auth.json": _registry("Composer keeps credentials in it", False),
    ".git-credentials": _tool("git stores passwords in it"),
    "git-credentials": _tool("git stores passwords in it"),
    ".dockercfg": _tool("it holds registry logins"),
    "kubeconfig": _tool("it holds cluster credentials"),
    "kubeconfig.yaml": _tool("it holds cluster credentials"),
    "kubeconfig.yml": _tool("it holds cluster credentials"),
    ".pgpass": FileVerdict(True, True, "it holds database passwords", "password file"),
    ".my.cnf": FileVerdict(True, False, "MySQL clients keep passwords in it", "password file"),
    ".htpasswd": FileVerdict(True, False, "it holds password hashes", "password file"),
    "htpasswd": FileVerdict(True, False, "it holds password hashes", "password file"),
    "key.json": _cloud("keys of service accounts are called so", False),
    "keyfile.json": _cloud("keys of service accounts are called so", False),
    ".s3cfg": _cloud("it holds S3 keys"),
    ".boto": _cloud("it holds cloud keys"),
    ".passwd-s3fs": _cloud("it holds S3 keys"),
    ".vault-token": _tool("it holds a Vault token"),
    ".vault_pass": FileVerdict(True, True, "it holds the password of a vault", "password file"),
    ".vault_password": FileVerdict(True, True, "it holds the password of a vault", "password file"),
    "terraform.tfvars": FileVerdict(True, False, "it holds the values of Terraform variables", "infrastructure state"),
    "credentials.tfrc.json": _tool("it holds Terraform tokens"),
    "application_default_credentials.json": _cloud("it holds Google credentials"),
    ".ssh": FileVerdict(True, False, "it is the folder of SSH keys", "folder of secrets"),
    ".aws": FileVerdict(True, False, "it is the folder of AWS credentials", "folder of secrets"),
    ".gnupg": FileVerdict(True, False, "it is the folder of GnuPG keys", "folder of secrets"),
    ".kube": FileVerdict(True, False, "it is the folder of cluster credentials", "folder of secrets"),
    ".azure": FileVerdict(True, False, "it is the folder of Azure credentials", "folder of secrets"),
    "secrets": FileVerdict(True, False, "it is a folder of secrets by its name", "folder of secrets"),
    ".secrets": FileVerdict(True, False, "it holds secrets by its name", "secret by its name"),
    ".google_authenticator": FileVerdict(True, True, "it holds the secret of one-time passwords", "password file"),
    "htpasswd.users": FileVerdict(True, False, "it holds password hashes", "password file"),
    "secring.gpg": FileVerdict(True, True, "it is a ring of private keys", "private key"),
    "chap-secrets": FileVerdict(True, True, "it holds passwords", "password file"),
    "pap-secrets": FileVerdict(True, True, "it holds passwords", "password file"),
}

_PLACES = {
    (".aws", "credentials"): _cloud("the AWS tools keep keys in it"),
    (".docker", "config.json"): FileVerdict(
        True, False, "docker keeps registry logins in it", "settings with credentials"
    ),
    ("containers", "auth.json"): _tool("podman keeps registry logins in it"),
    (".kube", "config"): _tool("it holds cluster credentials"),
    (".cargo", "credentials"): _registry("cargo keeps tokens in it", True),
    (".cargo", "credentials.toml"): _registry("cargo keeps tokens in it", True),
    (".gem", "credentials"): _registry("gem keeps keys in it", True),
    ("gh", "hosts.yml"): _tool("gh keeps tokens in it"),
    ("pypoetry", "auth.toml"): _registry("poetry keeps credentials in it", True),
    ("huggingface", "token"): _tool("it holds a Hugging Face token"),
    ("huggingface", "stored_tokens"): _tool("it holds Hugging Face tokens"),
    ("gcloud", "credentials.db"): _cloud("gcloud keeps credentials in it"),
    ("gcloud", "access_tokens.db"): _cloud("gcloud keeps tokens in it"),
    (".m2", "settings-security.xml"): _registry("it holds Maven's master password", True),
    (".ssh", "config"): _NOTHING,
    (".ssh", "environment"): _NOTHING,
}

_ENVIRONMENTS = _words("prod production staging stage dev development local secret secrets")
_CODE = _words("ts js mjs cjs tsx jsx py rb go sh bash php java rs c h html css vue d")

_KEY_FILES = _words("key pem p8 ppk")
_STORES = {
    "p12": FileVerdict(True, True, ".p12 files hold a private key", "key store"),
    "pfx": FileVerdict(True, True, ".pfx files hold a private key", "key store"),
    "jks": FileVerdict(True, False, "key stores hold private keys", "key store"),
    "keystore": FileVerdict(True, False, "key stores hold private keys", "key store"),
    "kdbx": FileVerdict(True, True, "it is a password database", "key store"),
    "ovpn": FileVerdict(True, False, "VPN profiles often hold keys", "private key"),
    "tfstate": FileVerdict(
        True, False, "Terraform's state holds the secrets of what it manages", "infrastructure state"
    ),
    "htpasswd": FileVerdict(True, False, "it holds password hashes", "password file"),
    "kubeconfig": _tool("it holds cluster credentials"),
    "secret": FileVerdict(True, True, "it is a secret by its name", "secret by its name"),
    "secrets": FileVerdict(True, True, "it holds secrets by its name", "secret by its name"),
    "token": FileVerdict(True, True, "it is a token by its name", "secret by its name"),
    "password": FileVerdict(True, True, "it is a password by its name", "secret by its name"),
}
_PUBLIC_STORE_WORDS = _words("truststore trust cacerts ca debug public")

_PRIVATE_WORDS = _words("private priv privkey secret sk")
_PUBLIC_WORDS = _words(
    """
    public pub ca cas root chain bundle csr dh dhparam dhparams trust truststore trusted issuer intermediate
    signed signing gpg pgp apt rpm yum dnf apk release archive repo repos repository keyring package packages
    mongodb docker nodesource microsoft hashicorp jenkins
    """
)
_PUBLIC_PARTS = ("cert", "fullchain", "cacert", "dhparam", "bundle", "pubkey", "publickey", "rootca", "isrgroot")
_SERVER_KEYS = _words("server tls ssl private id master deploy client host site domain")

_SERVICE_ACCOUNT = re.compile(
    r"(?:^(?:service[-_]?account|sa[-_]?key|gcp[-_]?sa|gcp[-_]?key|gcloud[-_]?(?:service[-_]?)?key|client[-_]?secrets?)|firebase[-_]?adminsdk)"
    r"[\w.-]{0,80}\.json$"
)

_SECRET_WORDS = _words(
    "secret secrets token password passwords passwd passphrase credential credentials creds cred pass pat apikey"
)
_UNSURE_WORDS = _words("secrets credential credentials creds cred passwd pass pat")
_TRANSPARENT = _words("prod production dev development staging local txt file ro rw base b")
_MANIFESTS = _words("yml yaml")
_TEXT = frozenset({"", "txt"})
_DATA = _words("txt json yml yaml toml ini cfg conf properties xml csv text dat bin") | {""}

_PUBLIC_PLACE = re.compile(
    r"/\.ssh/(?:authorized_keys2?|known_hosts)$|^/etc/ssh/ssh_known_hosts$|/[^/]+\.pub$"
    r"|^/usr/local/share/ca-certificates/(?:[^/]+/)*[^/]+\.crt$"
    r"|^/(?:etc/pki/ca-trust/source|usr/share/pki/ca-trust-source|etc/ca-certificates/trust-source|etc/pki/trust)"
    r"/anchors/[^/]+$"
    r"|^/(?:etc/apt/(?:trusted\.gpg\.d|keyrings)|usr/share/keyrings|etc/pki/rpm-gpg)/[^/]+$"
    r"|^/etc/(?:ssl/certs/ca-certificates\.crt|ssl/cert\.pem|pki/tls/certs/ca-bundle\.crt)$"
)
