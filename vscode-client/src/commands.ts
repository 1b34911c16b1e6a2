// What the user can call from the palette, the status bar, the walkthrough and the diff of a fixed file.

import * as path from 'node:path';
import * as vscode from 'vscode';

import { type FixedDocuments, repaired, ruleUri } from './documents';
import { isDockerfile } from './served';
import type { Server } from './server';
import { SECTION } from './settings';

/** A new configuration file: everything is off, so that it changes nothing before it is edited. */
const CONFIGURATION = `# What buildhush reports in the Dockerfiles below this folder, in editors and in CI.

# Do not report these rules.
# ignore = ["secret-in-arg"]

# ARG and ENV names that carry a secret, or none, whatever they look like.
# secret-names = ["*_SIGNATURE"]
# public-names = ["SENTRY_DSN"]

# A suppression comment must say why.
# require-reason = true

# [severity]
# secret-in-build-log = "error"
`;

export class Commands {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly server: Server,
    private readonly fixed: FixedDocuments,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  register(): vscode.Disposable[] {
    const commands: Record<string, (...args: unknown[]) => unknown> = {
      restart: () => this.server.restart(),
      showLog: () => this.log.show(),
      showMenu: () => this.showMenu(),
      showFixes: () => this.showFixes(),
      applyShownFixes: () => this.applyShownFixes(),
      fixFile: () => this.fixFile(),
      copyCommand: () => this.copyCommand(),
      verifyFile: () => this.verify(),
      openRule: (rule) => this.openRule(rule),
      createConfiguration: () => this.createConfiguration(),
      chooseInterpreter: () => this.chooseInterpreter(),
      openExample: (number) => this.openExample(number),
    };
    return Object.entries(commands).map(([name, command]) =>
      vscode.commands.registerCommand(`buildhush.${name}`, async (...args: unknown[]) => {
        try {
          await command(...args);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          this.log.error(message);
          void vscode.window.showErrorMessage(`buildhush: ${message}`);
        }
      }),
    );
  }

  /** What becomes of the result of a command that the server ran, such as that of a code lens. */
  static readonly finished = (command: string, _args: unknown[], result: unknown): void => {
    if (command === 'buildhush.copyBuildCommand' && typeof result === 'string') {
      void copy(result);
    }
  };

  private async showMenu(): Promise<void> {
    const picked = await vscode.window.showQuickPick(
      [
        { label: '$(diff) Show the fixed file as a diff', command: 'showFixes' },
        { label: '$(wand) Fix all in this file that is safe to fix', command: 'fixFile' },
        { label: '$(copy) Copy the build command', command: 'copyCommand' },
        { label: '$(beaker) Verify with a canary build', command: 'verifyFile' },
        { label: "$(book) Open a rule's documentation", command: 'openRule' },
        { label: '$(new-file) Create .buildhush.toml', command: 'createConfiguration' },
        { label: '$(debug-restart) Restart the server', command: 'restart' },
        { label: '$(output) Show the log', command: 'showLog' },
      ],
      { title: 'buildhush' },
    );
    if (picked !== undefined) {
      await vscode.commands.executeCommand(`buildhush.${picked.command}`);
    }
  }

  private async showFixes(): Promise<void> {
    const document = activeDockerfile();
    const launch = this.server.launch;
    if (launch === undefined) {
      throw new Error('The server does not run.');
    }
    const { text, notes } = await repaired(launch, document);
    if (notes !== '') {
      this.log.info(`fixes for ${path.basename(document.uri.path)}:\n${notes.trim()}`);
    }
    if (text === document.getText()) {
      void vscode.window.showInformationMessage('buildhush: nothing that can be fixed without a decision of yours.');
      return;
    }
    const uri = this.fixed.put(document, text);
    const title = `${path.basename(document.uri.path)} ↔ fixed`;
    await vscode.commands.executeCommand('vscode.diff', document.uri, uri, title, { preview: true });
  }

  private async applyShownFixes(): Promise<void> {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    const uri = input instanceof vscode.TabInputTextDiff ? input.modified : undefined;
    const shown = uri === undefined ? undefined : this.fixed.get(uri);
    if (shown === undefined) {
      throw new Error('No fixed file is shown.');
    }
    const document = await vscode.workspace.openTextDocument(shown.of);
    if (document.version !== shown.version) {
      throw new Error('The file has changed since; show its fixes again.');
    }
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, wholeOf(document), shown.text);
    await vscode.workspace.applyEdit(edit);
    if (input instanceof vscode.TabInputTextDiff) {
      const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
      await (tab === undefined ? undefined : vscode.window.tabGroups.close(tab));
      this.fixed.forget(input.modified);
    }
    await vscode.window.showTextDocument(document);
  }

  private async fixFile(): Promise<void> {
    const document = activeDockerfile();
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      document.uri,
      wholeOf(document),
      'source.fixAll.buildhush',
      1,
    );
    const edit = actions.find((action) => action.edit !== undefined)?.edit;
    if (edit !== undefined) {
      await vscode.workspace.applyEdit(edit);
      return;
    }
    const show = 'Show what could be fixed';
    const message = 'buildhush: no finding here has a fix that needs nothing from the callers of docker build.';
    if ((await vscode.window.showInformationMessage(message, show)) === show) {
      await this.showFixes();
    }
  }

  private async copyCommand(): Promise<void> {
    const command = await this.server.execute('buildhush.copyBuildCommand', activeDockerfile().uri.toString());
    if (typeof command === 'string') {
      await copy(command);
    }
  }

  private async verify(): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      throw new Error('A canary build runs the Dockerfile; trust this workspace first.');
    }
    const document = activeDockerfile();
    const launch = this.server.launch;
    if (document.uri.scheme !== 'file' || launch === undefined) {
      throw new Error('Save the Dockerfile first: a canary build needs its folder.');
    }
    await document.save();
    // A task, because its terminal takes the answer to whether to build, and stays to be read when the build is over.
    const execution = new vscode.ProcessExecution(launch.command, [...launch.args, 'verify', document.uri.fsPath], {
      cwd: path.dirname(document.uri.fsPath),
    });
    const scope = vscode.workspace.getWorkspaceFolder(document.uri) ?? vscode.TaskScope.Global;
    const name = `verify ${vscode.workspace.asRelativePath(document.uri)}`;
    const task = new vscode.Task({ type: 'buildhush' }, scope, name, 'buildhush', execution);
    task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, focus: true, clear: true, echo: false };
    await vscode.tasks.executeTask(task);
  }

  private async openRule(named: unknown): Promise<void> {
    const rule = typeof named === 'string' ? named : await this.pickRule();
    if (rule !== undefined) {
      await vscode.commands.executeCommand('markdown.showPreview', ruleUri(rule));
    }
  }

  private async pickRule(): Promise<string | undefined> {
    const editor = vscode.window.activeTextEditor;
    const diagnostics = editor === undefined ? [] : vscode.languages.getDiagnostics(editor.document.uri);
    const here = diagnostics
      .filter(({ source, range }) => source === 'buildhush' && editor?.selection.intersection(range) !== undefined)
      .map(({ code }) => String(typeof code === 'object' ? code.value : code));
    const [only, ...others] = new Set(here);
    if (only !== undefined && others.length === 0) {
      return only;
    }
    const items = rulesOf(this.context).map((rule) => ({
      label: rule.id,
      detail: rule.summary,
      description: here.includes(rule.id) ? 'found at the cursor' : '',
    }));
    items.sort((one, other) => other.description.length - one.description.length);
    return (await vscode.window.showQuickPick(items, { title: 'Rules of buildhush', matchOnDetail: true }))?.label;
  }

  private async createConfiguration(): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    const folder =
      (document && vscode.workspace.getWorkspaceFolder(document.uri)) ?? vscode.workspace.workspaceFolders?.[0];
    if (folder === undefined) {
      throw new Error('Open a folder first: the file holds for what is below it.');
    }
    const uri = vscode.Uri.joinPath(folder.uri, '.buildhush.toml');
    try {
      await vscode.workspace.fs.stat(uri);
    } catch {
      await vscode.workspace.fs.writeFile(uri, Buffer.from(CONFIGURATION, 'utf8'));
    }
    await vscode.window.showTextDocument(uri);
  }

  private async chooseInterpreter(): Promise<void> {
    const chosen = await vscode.window.showOpenDialog({ title: 'Python 3.10 or newer', canSelectMany: false });
    const [file] = chosen ?? [];
    if (file !== undefined) {
      const section = vscode.workspace.getConfiguration(SECTION);
      await section.update('interpreter', file.fsPath, vscode.ConfigurationTarget.Global);
    }
  }

  private async openExample(wanted: unknown): Promise<void> {
    const folder = vscode.Uri.joinPath(this.context.extensionUri, 'examples');
    const names = (await vscode.workspace.fs.readDirectory(folder)).map(([name]) => name).sort();
    const name =
      typeof wanted === 'string'
        ? names.find((each) => each.startsWith(`${wanted}-`))
        : await vscode.window.showQuickPick(names, { title: 'Leaks to look at' });
    if (name === undefined) {
      return;
    }
    const content = Buffer.from(await vscode.workspace.fs.readFile(vscode.Uri.joinPath(folder, name))).toString('utf8');
    const document = await vscode.workspace.openTextDocument({ language: 'dockerfile', content });
    await vscode.window.showTextDocument(document);
  }
}

function activeDockerfile(): vscode.TextDocument {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined || !isDockerfile(document)) {
    throw new Error('Open a Dockerfile first.');
  }
  return document;
}

function wholeOf(document: vscode.TextDocument): vscode.Range {
  return document.validateRange(new vscode.Range(0, 0, document.lineCount, 0));
}

async function copy(command: string): Promise<void> {
  await vscode.env.clipboard.writeText(command);
  vscode.window.setStatusBarMessage(`$(check) Copied: ${command}`, 5000);
}

interface RuleSummary {
  readonly id: string;
  readonly summary: string;
}

function rulesOf(context: vscode.ExtensionContext): RuleSummary[] {
  const manifest = context.extension.packageJSON as { buildhushRules?: RuleSummary[] };
  return manifest.buildhushRules ?? [];
}
