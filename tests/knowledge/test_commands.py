"""The built-in commands, entry by entry, and a user's own: every row of FACTS.md section 5."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from buildhush.knowledge.catalogue import HANDLERS, KnowledgeError
from buildhush.knowledge.commands import CommandKnowledge, Output, Store, known_name, load_commands, parse_commands

COMMANDS = load_commands()
ENTRIES = list({id(command): command for command in COMMANDS.values()}.values())
STORES = [(command, store) for command in ENTRIES for store in command.stores]


def stores_of(line: str) -> list[Store]:
    """The entries that fit a command line: subcommand words and options, as the flow reads them."""
    name, *words = line.split()
    command = COMMANDS[name]
    operands, options = [], []
    words_left = iter(words)
    for word in words_left:
        if word.startswith("-"):
            options.append(word)
            if word in command.valued:
                next(words_left, None)
        else:
            operands.append(word)
    return [
        store
        for store in command.stores
        if len(operands) >= len(store.when)
        and all(fnmatchcase(word, pattern) for word, pattern in zip(operands, store.when, strict=False))
        and (not store.options or set(options) & set(store.options))
        and not set(options) & set(store.unless)
    ]


def file_of(store: Store, line: str) -> str:
    words = line.split()
    chosen = [file for file in store.files if file.option is not None and file.option in words]
    return (chosen or [file for file in store.files if file.option is None])[0].path


@pytest.mark.parametrize(
    ("line", "credential", "path", "safe"),
    [
        ("npm config set //r/:_authToken=T", "operand", "~/.npmrc", "/root/.npmrc"),
        ("npm config set //r/:_authToken T --location=project", "operand", "./.npmrc", "/root/.npmrc"),
        ("npm config set --global x T", "operand", "/usr/local/etc/npmrc", "/root/.npmrc"),
        ("npm set //r/:_authToken T", "operand", "~/.npmrc", "/root/.npmrc"),
        ("yarn config set npmAuthToken T", "operand", "~/.yarnrc.yml", "/root/.yarnrc.yml"),
        ("pnpm config set //r/:_authToken T", "operand", "~/.npmrc", "/root/.npmrc"),
        ("pip config set global.index-url U", "operand", "~/.config/pip/pip.conf", "PIP_INDEX_URL"),
        ("pip3 install -e git+https://T@h/r", "option:-e", "./src/", "/root/.netrc"),
        ("git clone https://T@h/r.git", "operand", "{1}/.git/config", "/root/.netrc"),
        ("git clone -c http.extraHeader=T U", "option:-c", "{1}/.git/config", "/root/.netrc"),
        ("git remote add origin U", "operand", "./.git/config", "/root/.netrc"),
        ("git remote set-url origin U", "operand", "./.git/config", "/root/.netrc"),
        ("git config --global url.U.insteadOf H", "operand", "~/.gitconfig", "/root/.netrc"),
        ("git config --system url.U.insteadOf H", "operand", "/etc/gitconfig", "/root/.netrc"),
        ("git config url.U.insteadOf H", "operand", "./.git/config", "/root/.netrc"),
        ("git credential-store store", "input", "~/.git-credentials", "/root/.git-credentials"),
        ("docker login -u u -p T", "option:-p", "$DOCKER_CONFIG/config.json", "/root/.docker/config.json"),
        ("docker login -u u --password-stdin", "input", "$DOCKER_CONFIG/config.json", "/root/.docker/config.json"),
        (
            "helm registry login h -u u -p T",
            "option:-p",
            "$HELM_CONFIG_HOME/registry/config.json",
            "/root/.config/helm",
        ),
        ("podman login -p T h", "option:-p", "$XDG_RUNTIME_DIR/containers/auth.json", "REGISTRY_AUTH_FILE"),
        ("buildah login -p T h", "option:-p", "$XDG_RUNTIME_DIR/containers/auth.json", "REGISTRY_AUTH_FILE"),
        ("aws configure set aws_secret_access_key T", "operand", "~/.aws/credentials", "AWS_SECRET_ACCESS_KEY"),
        (
            "gcloud auth activate-service-account --key-file=F",
            "file:--key-file",
            "$CLOUDSDK_CONFIG/",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        ("az login -u u -p T", "option:-p", "$AZURE_CONFIG_DIR/", "tmpfs"),
        ("gh auth login --with-token", "input", "$GH_CONFIG_DIR/hosts.yml", "GH_TOKEN"),
        ("poetry config http-basic.acme u T", "operand", "~/.config/pypoetry/auth.toml", "POETRY_HTTP_BASIC_"),
        ("poetry config pypi-token.acme T", "operand", "~/.config/pypoetry/auth.toml", "POETRY_PYPI_TOKEN_"),
        ("hf auth login --token T", "option:--token", "$HF_HOME/token", "HF_TOKEN"),
        ("huggingface-cli login --token T", "option:--token", "$HF_HOME/token", "HF_TOKEN"),
        ("cargo login T", "operand", "$CARGO_HOME/credentials.toml", "CARGO_REGISTRIES_"),
        ("composer config -g http-basic.h u T", "operand", "$COMPOSER_HOME/auth.json", "COMPOSER_AUTH"),
        ("composer config github-oauth.github.com T", "operand", "./auth.json", "COMPOSER_AUTH"),
        ("bundle config set gems.h.com T", "operand", "$BUNDLE_APP_CONFIG/config", "BUNDLE_"),
        ("bundle config set --local gems.h.com T", "operand", "./.bundle/config", "BUNDLE_"),
        ("bundle config gems.h.com T", "operand", "$BUNDLE_APP_CONFIG/config", "BUNDLE_"),
        (
            "dotnet nuget add source U -p T --store-password-in-clear-text",
            "option:-p",
            "~/.nuget/NuGet/NuGet.Config",
            "NuGetPackageSourceCredentials_",
        ),
        ("kubectl config set-credentials u --token=T", "option:--token", "~/.kube/config", "/root/.kube/config"),
        ("terraform login h", "input", "~/.terraform.d/credentials.tfrc.json", "TF_TOKEN_"),
        ("conda config --add channels U", "arguments", "~/.condarc", "/root/.condarc"),
    ],
)
def test_where_a_tool_keeps_the_credential(line: str, credential: str, path: str, safe: str) -> None:
    (store,) = [store for store in stores_of(line) if credential in store.credential]
    assert file_of(store, line) == path
    assert safe in f"{store.safe_file} {store.safe_variable} {store.advice}"


@pytest.mark.parametrize(
    "line",
    [
        "npm ci",
        "npm install",
        "pip install -r requirements.txt",
        "pip install git+https://T@h/r",
        "git fetch",
        "git config --get x",
        "git config --global --unset x",
        "docker build .",
        "poetry config --unset http-basic.acme",
        "poetry config virtualenvs.create false",
        "gh release download",
        "curl -u u:T U",
        "wget --password T U",
        "go mod download",
        "mvn -s s.xml package",
        "gradle build",
        "aws s3 cp a b",
        "bundle install",
    ],
)
def test_what_keeps_nothing(line: str) -> None:
    assert stores_of(line) == []


def test_npm_also_writes_its_logs() -> None:
    (store,) = stores_of("npm config set //r/:_authToken T")
    assert [file.path for file in store.also] == ["~/.npm/_logs/"]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("docker logout", "$DOCKER_CONFIG/config.json"),
        ("npm config delete x", "~/.npmrc"),
        ("poetry config --unset http-basic.a", "~/.config/pypoetry/auth.toml"),
        ("git remote set-url origin U", "./.git/config"),
        ("cargo logout", "$CARGO_HOME/credentials.toml"),
    ],
)
def test_what_removes_it_again(line: str, path: str) -> None:
    name, *words = line.split()
    operands = [word for word in words if not word.startswith("-")]
    fitting = [
        undo
        for undo in COMMANDS[name].undoes
        if len(operands) >= len(undo.when)
        and all(fnmatchcase(word, pattern) for word, pattern in zip(operands, undo.when, strict=False))
        and (not undo.options or set(undo.options) & set(words))
    ]
    assert any(path in [file.path for file in undo.files] for undo in fitting)


@pytest.mark.parametrize(
    ("name", "option", "credential"),
    [
        ("curl", "-v", "option:-H"),
        ("curl", "--trace", "option:-u"),
        ("bash", "-x", "script"),
        ("export", "-p", "environment"),
        ("declare", "-p", "environment"),
    ],
)
def test_options_that_print(name: str, option: str, credential: str) -> None:
    assert any(option in printing.options and credential in printing.credential for printing in COMMANDS[name].prints)


def test_what_output_is_made_of() -> None:
    assert COMMANDS["env"].output is COMMANDS["printenv"].output is Output.ENVIRONMENT
    for name in (
        "cat",
        "head",
        "tail",
        "sed",
        "awk",
        "cut",
        "tr",
        "sort",
        "base64",
        "gzip",
        "jq",
        "tee",
        "xxd",
        "grep",
    ):
        assert COMMANDS[name].output is Output.INPUT, name
    for name in ("sha256sum", "md5sum", "wc", "cksum"):
        assert COMMANDS[name].output is Output.DIGEST, name
    for name in ("curl", "wget", "npm", "git", "pip", "apt-get"):
        assert COMMANDS[name].output is Output.OWN, name
    assert "-q" in COMMANDS["grep"].digest_options


@pytest.mark.parametrize(
    ("name", "skip"),
    [
        ("sudo", 0),
        ("env", 0),
        ("nice", 0),
        ("time", 0),
        ("timeout", 1),
        ("gosu", 1),
        ("su-exec", 1),
        ("chroot", 1),
        ("nohup", 0),
        ("stdbuf", 0),
        ("xargs", 0),
        ("command", 0),
        ("exec", 0),
    ],
)
def test_wrappers(name: str, skip: int) -> None:
    assert (COMMANDS[name].wraps, COMMANDS[name].wraps_skip) == (True, skip)


@pytest.mark.parametrize(
    ("name", "file", "variable"),
    [
        ("npm", "~/.npmrc", "NODE_AUTH_TOKEN"),
        ("pip", "~/.netrc", "PIP_EXTRA_INDEX_URL"),
        ("poetry", "~/.config/pypoetry/auth.toml", "POETRY_HTTP_BASIC_*"),
        ("bundle", "~/.bundle/config", "BUNDLE_*"),
        ("composer", "./auth.json", "COMPOSER_AUTH"),
        ("gradle", "~/.gradle/gradle.properties", "ORG_GRADLE_PROJECT_*"),
        ("dotnet", "~/.nuget/NuGet/NuGet.Config", "NuGetPackageSourceCredentials_*"),
        ("aws", "~/.aws/credentials", "AWS_SESSION_TOKEN"),
        ("cargo", "~/.netrc", "CARGO_REGISTRIES_*_TOKEN"),
    ],
)
def test_what_a_tool_reads_by_itself(name: str, file: str, variable: str) -> None:
    assert file in COMMANDS[name].reads_files
    assert variable in COMMANDS[name].reads_variables


def test_facts_that_were_not_observed_are_not_certain() -> None:
    for line in ("podman login -p T h", "gh auth login --with-token", "az login -p T", "yarn config set a T"):
        assert not stores_of(line)[0].files[-1].certain
    for line in ("npm config set a T", "aws configure set a T", "cargo login T"):
        assert stores_of(line)[0].files[-1].certain


def test_there_are_enough_commands() -> None:
    assert len(ENTRIES) >= 100
    assert sum(1 for command in ENTRIES if command.stores) >= 30


@pytest.mark.parametrize("command", ENTRIES, ids=lambda command: command.name)
def test_an_entry_makes_sense(command: CommandKnowledge) -> None:
    assert command.handler is None or command.handler in HANDLERS
    assert not command.wraps_skip or command.wraps
    assert command.network is False or command.output is Output.OWN
    options = [*command.valued, *command.output_options, *command.digest_options, *command.credential_options]
    assert all(re.fullmatch(r"[-+]{1,2}[A-Za-z0-9][\w-]*", option) for option in options)
    # A value in a word of its own has to be told from an operand.
    assert set(command.printed_options) <= set(command.valued)
    for undo in command.undoes:
        assert undo.files


@pytest.mark.parametrize(("command", "store"), STORES, ids=lambda value: getattr(value, "name", None))
def test_a_store_makes_sense(command: CommandKnowledge, store: Store) -> None:
    assert store.files[-1].option is None, "there is a file when no option is given"
    assert store.advice.endswith(".")
    assert store.credential
    for place in store.credential:
        if place.startswith(("option:", "file:")):
            assert place.partition(":")[2] in command.valued
    for file in (*store.files, *store.also):
        assert not file.path.startswith("$") or file.default is not None
    if store.safe_file is not None:
        assert store.safe_file.startswith("/")


def test_every_handler_belongs_to_a_command() -> None:
    assert {command.handler for command in ENTRIES if command.handler} == HANDLERS


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("git", "git"),
        ("git.exe", "git"),
        ("mvnw.cmd", "mvnw"),
        ("pip3.14", "pip"),
        ("python3.9", "python3.9"),
        ("gcc-12", "gcc"),
        ("gcc-12.exe", "gcc"),
        ("install.sh", "install.sh"),
        ("7z", "7z"),
        ("3", "3"),
        ("", ""),
    ],
)
def test_a_program_is_known_without_its_version(name: str, known: str) -> None:
    assert known_name(COMMANDS, name) == known


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"acme": {"store": []}}, "x.toml: [acme]: unknown key `store`; did you mean `stores`?"),
        ({"acme": {"output": "inputs"}}, "x.toml: [acme]: output: unknown output `inputs`; did you mean `input`?"),
        ({"acme": {"aliases": "a"}}, "x.toml: [acme]: aliases: expected a list of strings"),
        ({"acme": {"wraps": 1}}, "x.toml: [acme]: wraps: expected true or false"),
        ({"acme": {"wraps_skip": -1}}, "x.toml: [acme]: wraps_skip: expected a number of operands"),
        ({"acme": {"handler": "copy"}}, "x.toml: [acme]: handler: unknown handler `copy`"),
        ({"acme": {"stores": [{"when": []}]}}, "x.toml: [acme]: stores: `credential` is missing"),
        (
            {"acme": {"stores": [{"when": [], "credential": ["operands"], "files": ["~/x"]}]}},
            "x.toml: [acme]: stores: credential: unknown place of a credential `operands`; did you mean `operand`?",
        ),
        (
            {"acme": {"stores": [{"when": [], "credential": ["input"], "files": ["x"]}]}},
            "x.toml: [acme]: stores: files: `x` must start with ~/ ./ / $VARIABLE/ or {N}",
        ),
        ({"acme": {"stores": [{"when": [], "credential": ["input"], "files": [{}]}]}}, "`path` is missing"),
        ({"acme": 1}, "x.toml: [acme]: expected a table"),
        ({"a": {"aliases": ["b"]}, "b": {}}, "x.toml: [b]: `b` is described twice"),
    ],
)
def test_a_wrong_entry_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        parse_commands(table, "x.toml")
    assert message in str(caught.value)


def test_a_user_may_describe_commands() -> None:
    commands = parse_commands(
        {
            "acme": {
                "aliases": ["acme2"],
                "network": True,
                "stores": [{"when": ["login|signin"], "credential": ["operand"], "files": ["~/.acme"], "advice": "A."}],
            },
            "cat": {"output": "nothing"},
        }
    )
    assert commands["acme2"] is commands["acme"]
    assert [store.when for store in commands["acme"].stores] == [("login",), ("signin",)]
    assert commands["cat"].output is Output.NOTHING
    assert COMMANDS["cat"].output is Output.INPUT
