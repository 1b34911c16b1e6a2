// Documents without a file: a rule's documentation, and a Dockerfile as it would be after its fixes.

import { spawn } from 'node:child_process';
import * as vscode from 'vscode';

import type { Launch } from './launch';
import type { Server } from './server';

export const RULE_SCHEME = 'buildhush-rule';
export const FIXED_SCHEME = 'buildhush-fixed';

/** How long the command line may take for one file, in milliseconds. */
const LONGEST = 30_000;

/** The documentation of rules; the path is the rule's id with the ending `.md`. */
export class RuleDocuments implements vscode.TextDocumentContentProvider {
  constructor(private readonly server: Server) {}

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const rule = uri.path.replace(/^\//, '').replace(/\.md$/, '');
    const text = await this.server.execute('buildhush.showDocument', rule);
    return typeof text === 'string' ? text : '';
  }
}

export function ruleUri(rule: string): vscode.Uri {
  return vscode.Uri.from({ scheme: RULE_SCHEME, path: `/${rule}.md` });
}

/** What the last repair made of each document. */
export class FixedDocuments implements vscode.TextDocumentContentProvider {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly texts = new Map<string, { readonly text: string; readonly of: vscode.Uri; readonly version: number }>();
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString())?.text ?? '';
  }

  /** Keeps the repaired text of a document and returns where it is shown. */
  put(document: vscode.TextDocument, text: string): vscode.Uri {
    // The name is what the editor takes the language from.
    const ending = /(docker|container)file/i.test(document.uri.path) ? '' : '.dockerfile';
    const named = `/${document.uri.path.replace(/^\//, '')}${ending}`;
    const uri = vscode.Uri.from({ scheme: FIXED_SCHEME, path: named, query: document.uri.toString() });
    this.texts.set(uri.toString(), { text, of: document.uri, version: document.version });
    this.changed.fire(uri);
    return uri;
  }

  /** What was repaired, undefined for any other document. */
  get(uri: vscode.Uri): { readonly text: string; readonly of: vscode.Uri; readonly version: number } | undefined {
    return this.texts.get(uri.toString());
  }

  forget(uri: vscode.Uri): void {
    this.texts.delete(uri.toString());
  }
}

/** The text of a document after all fixes that keep the build's behaviour, and what was done, line by line. */
export async function repaired(launch: Launch, document: vscode.TextDocument): Promise<{ text: string; notes: string }> {
  const args = [...launch.args, 'fix', '-'];
  if (document.uri.scheme === 'file') {
    args.push('--stdin-filename', document.uri.fsPath);
  }
  const section = vscode.workspace.getConfiguration('buildhush', document.uri);
  for (const option of ['select', 'ignore'] as const) {
    const rules = section.get<string[]>(option, []);
    if (rules.length > 0) {
      args.push(`--${option}`, rules.join(','));
    }
  }
  return new Promise((resolve, reject) => {
    const child = spawn(launch.command, args, { timeout: LONGEST, windowsHide: true });
    const output: Buffer[] = [];
    const notes: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => output.push(part));
    child.stderr.on('data', (part: Buffer) => notes.push(part));
    child.on('error', reject);
    child.on('close', (status) => {
      const said = Buffer.concat(notes).toString('utf8');
      if (status === 0 || status === 1) {
        resolve({ text: Buffer.concat(output).toString('utf8'), notes: said });
      } else {
        reject(new Error(said.trim() || `buildhush fix ended with status ${status ?? 'none'}`));
      }
    });
    child.stdin.on('error', () => undefined); // The reason is in what it says on standard error.
    child.stdin.end(document.getText(), 'utf8');
  });
}
