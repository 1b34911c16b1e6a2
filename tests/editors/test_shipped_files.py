"""What is shipped for editors holds together: names, settings and commands agree with the server's."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from buildhush.companions.readers import kind_of
from buildhush.config import OPTIONS
from buildhush.lsp.capabilities import COMMANDS
from buildhush.rules.registry import RULES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = json.loads((ROOT / "vscode-client/package.json").read_text(encoding="utf-8"))
SETTINGS = MANIFEST["contributes"]["configuration"]["properties"]
SHIPPED = ROOT / "server/editors"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "vscode-client/src").glob("*.ts")}
START_SETTINGS = SOURCES["settings.ts"].partition("START_SETTINGS = ")[2].partition(";")[0]
OWN_COMMANDS = {command["command"]: command for command in MANIFEST["contributes"]["commands"]}


def camel_case(key: str) -> str:
    return re.sub(r"-(.)", lambda match: match[1].upper(), key)


def test_every_setting_of_the_server_is_one_of_the_extension() -> None:
    wanted = {f"buildhush.{camel_case(option.key)}" for option in OPTIONS if option.field}
    own = {"path", "interpreter", "importStrategy", "trace.server"}
    assert set(SETTINGS) == wanted | {f"buildhush.{name}" for name in own}


def test_every_setting_is_described_and_has_a_default() -> None:
    for name, setting in SETTINGS.items():
        assert setting.get("markdownDescription") or setting.get("description"), name
        assert "default" in setting, name


def test_a_setting_that_nobody_sets_says_nothing_to_the_server() -> None:
    empty = {"flag": False, "rules": [], "names": [], "severities": {}, "commands": {}}
    for option in OPTIONS:
        if option.field:
            setting = SETTINGS[f"buildhush.{camel_case(option.key)}"]
            assert setting["default"] == empty[option.kind], option.key
            # What a folder can set for itself.
            assert setting["scope"] == "resource", option.key


def test_every_setting_of_the_server_is_handed_to_it() -> None:
    handed = re.search(r"for \(const key of \[(.*?)\]\)", SOURCES["settings.ts"])
    assert handed
    assert re.findall(r"'(\w+)'", handed[1]) == [camel_case(option.key) for option in OPTIONS if option.field]


def test_the_settings_offer_the_rules_that_exist() -> None:
    assert SETTINGS["buildhush.ignore"]["items"]["enum"] == list(RULES)
    assert list(SETTINGS["buildhush.severity"]["properties"]) == list(RULES)


def test_every_command_has_a_title_and_is_registered_once() -> None:
    table = re.search(r"const commands: Record<.*?> = \{\n(.*?)\n    \};", SOURCES["commands.ts"], re.DOTALL)
    assert table
    registered = [f"buildhush.{name}" for name in re.findall(r"^      (\w+): ", table[1], re.MULTILINE)]
    assert sorted(registered) == sorted(OWN_COMMANDS)
    # The client registers the server's commands itself, and a name can be registered only once.
    assert not set(registered) & set(COMMANDS)
    for command in OWN_COMMANDS.values():
        assert command["title"].strip()
        assert command["category"] == "buildhush"


def test_menus_name_commands_that_exist() -> None:
    menus = MANIFEST["contributes"]["menus"]
    assert {entry["command"] for menu in menus.values() for entry in menu} <= set(OWN_COMMANDS)
    called = re.findall(r"command: '(\w+)' \}", SOURCES["commands.ts"])
    assert called
    assert {f"buildhush.{name}" for name in called} <= set(OWN_COMMANDS)


def test_the_extension_runs_where_the_files_are() -> None:
    assert MANIFEST["extensionKind"] == ["workspace"]


def test_the_extension_waits_for_what_it_serves() -> None:
    events = MANIFEST["activationEvents"]
    assert "onLanguage:dockerfile" in events
    # No editor starts it without a reason, and none is named that the editor derives itself.
    assert all(event.startswith(("onLanguage:", "workspaceContains:")) for event in events)


def test_the_extension_and_the_server_take_the_same_files_for_callers() -> None:
    samples = json.loads((ROOT / "vscode-client/tests/served.json").read_text(encoding="utf-8"))
    kinds = {path: kind_of(path) for paths in samples.values() for path in paths}
    assert {path for path, kind in kinds.items() if kind is not None} == set(samples["builds images"])


def test_a_workspace_that_is_not_trusted_can_not_choose_what_runs() -> None:
    restricted = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert {"buildhush.path", "buildhush.interpreter", "buildhush.importStrategy"} == set(restricted)
    assert {f"buildhush.{name}" for name in re.findall(r"'(\w+)'", START_SETTINGS)} == set(restricted)


def test_the_walkthrough_calls_commands_and_examples_that_exist() -> None:
    steps = MANIFEST["contributes"]["walkthroughs"][0]["steps"]
    text = " ".join(step["description"] for step in steps)
    assert set(re.findall(r"\(command:([\w.]+)", text)) <= set(OWN_COMMANDS)
    events = {event.removeprefix("onCommand:") for step in steps for event in step["completionEvents"]}
    assert events <= set(OWN_COMMANDS)
    numbers = re.findall(r"%22(\d)%22", text)
    examples = [path.name[0] for path in sorted((ROOT / "server/examples").glob("*.Dockerfile"))]
    assert numbers == examples == list("123456")
    for step in steps:
        assert (ROOT / "vscode-client" / step["media"]["markdown"]).is_file()


def test_the_snippets_read_and_start_the_server() -> None:
    helix = tomllib.loads((SHIPPED / "helix/languages.toml").read_text(encoding="utf-8"))
    assert helix["language-server"]["buildhush"] == {"command": "buildhush", "args": ["lsp"]}
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    snippets = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    assert sum("lsp" in json.dumps(snippet) for snippet in snippets) == 3
    ignored = next(snippet["buildhush.ignore"] for snippet in snippets if "buildhush.ignore" in snippet)
    assert set(ignored) <= set(RULES)
    assert "cmd = { 'buildhush', 'lsp' }" in (SHIPPED / "nvim/lsp/buildhush.lua").read_text(encoding="utf-8")
