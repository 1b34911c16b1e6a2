// The settings, as the user has set them.

import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';

import type { ImportStrategy } from './interpreter';

export const SECTION = 'buildhush';

/** Settings that the server does not know: they say how it is started. */
export const START_SETTINGS = ['path', 'interpreter', 'importStrategy'] as const;

/** How the server is to be started. `path`, `interpreter`: absolute, undefined when not set. */
export interface StartSettings {
  readonly path: string | undefined;
  readonly interpreter: string | undefined;
  readonly importStrategy: ImportStrategy;
}

/** How the server is to be started; in an untrusted workspace VS Code leaves out what that workspace says about it. */
export function startSettings(): StartSettings {
  const section = vscode.workspace.getConfiguration(SECTION);
  return {
    path: expanded(section.get<string>('path', '')),
    interpreter: expanded(section.get<string>('interpreter', '')),
    importStrategy: section.get<string>('importStrategy') === 'fromEnvironment' ? 'fromEnvironment' : 'useBundled',
  };
}

/**
 * Only what is set somewhere, for a folder or for the whole window: a default of the editor must not hide what
 * `.buildhush.toml` says.
 */
export function explicitlySet(section: string, folder: vscode.Uri | undefined): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(section, folder ?? null); // Undefined: the active editor's.
  const found: Record<string, unknown> = {};
  for (const key of ['select', 'ignore', 'severity', 'secretNames', 'publicNames', 'requireReason', 'commands']) {
    const where = configuration.inspect(key);
    if ([where?.globalValue, where?.workspaceValue, where?.workspaceFolderValue].some((value) => value !== undefined)) {
      found[key] = configuration.get(key);
    }
  }
  return found;
}

function expanded(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') {
    return undefined;
  }
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? os.homedir();
  const named = trimmed.replace(/^~(?=$|[\\/])/, os.homedir()).replaceAll('${workspaceFolder}', folder);
  return path.resolve(folder, named);
}
