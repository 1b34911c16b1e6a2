// Which Python runs the server: candidates in order, each asked what it is, the first that can do it taken.
// Nothing here knows the editor, so that it can be tested alone.

import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import * as path from 'node:path';

export const OLDEST_PYTHON: readonly [number, number] = [3, 10];

export type ImportStrategy = 'useBundled' | 'fromEnvironment';
export type Origin = 'setting' | 'environment' | 'path';

/** A Python to ask. */
export interface Candidate {
  readonly command: string;
  readonly args: readonly string[];
  readonly origin: Origin;
}

/** What `bundled/start.py --probe` says about an interpreter. */
export interface Probe {
  readonly executable: string;
  readonly version: readonly [number, number, number];
  readonly implementation: string;
  readonly bundled: boolean;
  readonly installed: string | null;
}

/** An interpreter that can run the server. */
export interface Interpreter {
  readonly executable: string;
  readonly version: string;
  readonly origin: Origin;
}

/** Why a candidate can't run the server, in words for the user. */
export interface Refusal {
  readonly candidate: Candidate;
  readonly reason: string;
}

export type Choice = { readonly interpreter: Interpreter } | { readonly refusals: readonly Refusal[] };
export type Ask = (candidate: Candidate) => Promise<Probe | undefined>;

/** What is looked for on PATH, the usual name first, then the versions that the server is made for, newest first. */
export function pathCandidates(platform: NodeJS.Platform): Candidate[] {
  const names: (readonly [string, ...string[]])[] =
    platform === 'win32'
      ? [['py', '-3'], ['python'], ['python3']]
      : ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'].map((name) => [name]);
  return names.map(([command, ...args]) => ({ command, args, origin: 'path' }));
}

/** The first candidate that can run the server; one that the user has set is not passed over for another. */
export async function choose(candidates: readonly Candidate[], ask: Ask, strategy: ImportStrategy): Promise<Choice> {
  const refusals: Refusal[] = [];
  for (const candidate of candidates) {
    const probe = await ask(candidate);
    const reason = refusalReason(probe, strategy);
    if (probe !== undefined && reason === undefined) {
      return {
        interpreter: { executable: probe.executable, version: probe.version.join('.'), origin: candidate.origin },
      };
    }
    refusals.push({ candidate, reason: reason ?? '' });
    if (candidate.origin === 'setting') {
      break;
    }
  }
  return { refusals };
}

/** Why an interpreter can't run the server; undefined when it can. */
export function refusalReason(probe: Probe | undefined, strategy: ImportStrategy): string | undefined {
  if (probe === undefined) {
    return 'it is not there or does not start';
  }
  const [major, minor] = probe.version;
  if (major < OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor < OLDEST_PYTHON[1])) {
    return `it is Python ${major}.${minor}, and 3.10 is the oldest that works`;
  }
  if (!probe.bundled && (strategy === 'useBundled' || probe.installed === null)) {
    return `the extension brings nothing along for ${probe.implementation} ${major}.${minor}`;
  }
  return undefined;
}

/** Asks an interpreter by running the start script with it; undefined when it does not answer. */
export function askInterpreter(candidate: Candidate, startScript: string, strategy: ImportStrategy): Promise<Probe | undefined> {
  const args = [...candidate.args, ...isolation(strategy), startScript, '--probe'];
  return new Promise((resolve) => {
    // Not in the workspace: version managers would choose by its files, and nothing of it must be imported.
    const options = { timeout: 10_000, cwd: path.dirname(startScript), windowsHide: true };
    execFile(candidate.command, args, options, (error, output) => {
      resolve(error === null ? readProbe(output) : undefined);
    });
  });
}

/** Python's own options: with the bundled libraries nothing of the user's site may shadow them. */
export function isolation(strategy: ImportStrategy): string[] {
  return strategy === 'useBundled' ? ['-I'] : [];
}

/** Reads the answer of the start script. */
export function readProbe(output: string): Probe | undefined {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    return undefined;
  }
  return isProbe(value) ? value : undefined;
}

function isProbe(value: unknown): value is Probe {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const probe = value as Partial<Record<keyof Probe, unknown>>;
  return (
    typeof probe.executable === 'string' &&
    probe.executable !== '' &&
    Array.isArray(probe.version) &&
    probe.version.length === 3 &&
    probe.version.every((part) => typeof part === 'number') &&
    typeof probe.implementation === 'string' &&
    typeof probe.bundled === 'boolean' &&
    (probe.installed === null || typeof probe.installed === 'string')
  );
}

/** The file that a command names, searched on PATH; undefined when there is none. */
export function findOnPath(command: string, searchPath: string, platform: NodeJS.Platform): string | undefined {
  if (path.isAbsolute(command)) {
    return isFile(command) ? command : undefined;
  }
  const endings = platform === 'win32' ? ['.exe', '.bat', '.cmd'] : [''];
  // A relative folder on PATH would make the workspace choose what runs.
  const folders = searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const files = folders.flatMap((folder) => endings.map((ending) => path.join(folder, command + ending)));
  return files.find(isFile);
}

/** When a file was written last, in milliseconds; 0 when it is gone. */
export function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Whether a version (1.2.3) is older than another; what can't be read is not older. */
export function isOlder(version: string, than: string): boolean {
  const parts = (text: string): number[] => text.split(/[.+-]/, 3).map((part) => Number.parseInt(part, 10));
  const wanted = parts(than);
  for (const [index, part] of parts(version).entries()) {
    const other = wanted[index] ?? 0;
    if (Number.isNaN(part) || Number.isNaN(other) || part > other) {
      return false;
    }
    if (part < other) {
      return true;
    }
  }
  return false;
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}
