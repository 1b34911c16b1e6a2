// Starts the server and connects it with the editor; everything about Dockerfiles is the server's.

import * as vscode from 'vscode';

import { Commands } from './commands';
import { FIXED_SCHEME, FixedDocuments, RULE_SCHEME, RuleDocuments } from './documents';
import { Server } from './server';
import { SECTION, START_SETTINGS } from './settings';
import { Status } from './status';

let running: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('buildhush', { log: true });
  const status = new Status();
  const server = new Server(context, log, status, Commands.finished);
  const fixed = new FixedDocuments();
  running = server;
  context.subscriptions.push(
    log,
    status,
    server,
    ...new Commands(context, server, fixed, log).register(),
    vscode.workspace.registerTextDocumentContentProvider(RULE_SCHEME, new RuleDocuments(server)),
    vscode.workspace.registerTextDocumentContentProvider(FIXED_SCHEME, fixed),
    vscode.workspace.onDidCloseTextDocument((document) => fixed.forget(document.uri)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (START_SETTINGS.some((name) => event.affectsConfiguration(`${SECTION}.${name}`))) {
        void server.settingsChanged();
      }
    }),
    // A workspace that has become trusted may choose the interpreter.
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.settingsChanged()),
    server.startWhenNeeded(),
  );
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}
