// The interpreter that the user has chosen in Microsoft's Python extensions, when one of them is there.

import * as vscode from 'vscode';

import type { Candidate } from './interpreter';

/** How long another extension may take to start before we do without it, in milliseconds. */
const LONGEST_WAIT = 2000;

interface EnvironmentsApi {
  getEnvironment?(scope: vscode.Uri | undefined): Promise<{ execInfo?: { run?: { executable?: string } } } | undefined>;
}

interface PythonApi {
  environments?: {
    getActiveEnvironmentPath?(resource?: vscode.Uri): { path?: string } | undefined;
    resolveEnvironment?(environment: unknown): Promise<{ executable?: { uri?: vscode.Uri } } | undefined>;
  };
}

/** The chosen interpreter as a candidate. In an untrusted workspace there is none: it may be a program of the workspace. */
export async function environmentCandidates(): Promise<Candidate[]> {
  if (!vscode.workspace.isTrusted) {
    return [];
  }
  const resource = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = (await fromEnvironments(resource)) ?? (await fromPython(resource));
  return file === undefined ? [] : [{ command: file, args: [], origin: 'environment' }];
}

async function fromEnvironments(resource: vscode.Uri | undefined): Promise<string | undefined> {
  const api = await exportsOf<EnvironmentsApi>('ms-python.vscode-python-envs');
  const found = await inTime(api?.getEnvironment?.(resource));
  return found?.execInfo?.run?.executable;
}

async function fromPython(resource: vscode.Uri | undefined): Promise<string | undefined> {
  const environments = (await exportsOf<PythonApi>('ms-python.python'))?.environments;
  const active = environments?.getActiveEnvironmentPath?.(resource);
  if (active === undefined) {
    return undefined;
  }
  return (await inTime(environments?.resolveEnvironment?.(active)))?.executable?.uri?.fsPath;
}

async function exportsOf<Api>(identifier: string): Promise<Api | undefined> {
  const extension = vscode.extensions.getExtension<Api>(identifier);
  return extension === undefined ? undefined : await inTime(extension.activate());
}

async function inTime<Value>(promise: PromiseLike<Value> | undefined): Promise<Value | undefined> {
  if (promise === undefined) {
    return undefined;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), LONGEST_WAIT);
  });
  try {
    return await Promise.race([promise, late]);
  } catch {
    return undefined; // Their failure is not ours: the next candidate is asked.
  } finally {
    clearTimeout(timer);
  }
}
