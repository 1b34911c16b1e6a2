"""Names for the secrets that a caller of `docker build` passes once a fix is applied."""

from __future__ import annotations

import re

_DATA_EXTENSIONS = re.compile(r"\.(?:txt|json|ya?ml|xml|toml|ini|cfg|conf|properties)$", re.IGNORECASE)


def secret_id_for_variable(name: str) -> str:
    """`NPM_TOKEN` and `npmToken` -> `npm_token`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def secret_id_for_file(path: str) -> str:
    """`./conf/.env.production` -> `env_production`, `mysecret.txt` -> `mysecret`: an id needs no quoting anywhere."""
    *folders, base = path.replace("\\", "/").rstrip("/").split("/")
    base = _DATA_EXTENSIONS.sub("", base)
    if base in ("credentials", "config", "auth", "token", "key", "secret") and folders and folders[-1].strip("."):
        # `.aws/credentials` -> `aws_credentials`: the bare name would mean any of them.
        base = f"{folders[-1]}_{base}"
    return re.sub(r"[^A-Za-z0-9]+", "_", base).strip("_").lower() or "secret"


def context_path(path: str) -> str:
    """A path of the build context as a caller in that folder writes it: `./mysecret.txt` -> `mysecret.txt`."""
    return re.sub(r"^(?:\./+|/+)+", "", path)
