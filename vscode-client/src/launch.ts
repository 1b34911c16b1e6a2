// From settings to the command line that runs buildhush.

import * as vscode from 'vscode';

import { environmentCandidates } from './environments';
import {
  type Candidate,
  type Probe,
  type Refusal,
  askInterpreter,
  choose,
  findOnPath,
  isolation,
  modified,
  pathCandidates,
} from './interpreter';
import type { StartSettings } from './settings';

/** How to run buildhush: append its arguments. `described`: for the log. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly described: string;
}

/** buildhush can't be run; the message is for the user. */
export class CannotLaunch extends Error {
  constructor(
    message: string,
    readonly lacksPython: boolean,
  ) {
    super(message);
  }
}

type Known = Record<string, { readonly modified: number; readonly probe: Probe }>;
const KNOWN = 'interpreters';

/** Finds out how to run buildhush. Throws CannotLaunch. */
export async function findLaunch(context: vscode.ExtensionContext, settings: StartSettings): Promise<Launch> {
  if (settings.path !== undefined) {
    const program = findOnPath(settings.path, '', process.platform);
    if (program === undefined) {
      throw new CannotLaunch(`There is no file ${settings.path}, which the setting buildhush.path names.`, false);
    }
    return { command: program, args: [], described: `${program} (setting buildhush.path)` };
  }
  const script = vscode.Uri.joinPath(context.extensionUri, 'bundled', 'start.py').fsPath;
  const strategy = settings.importStrategy;
  const ask = (candidate: Candidate): Promise<Probe | undefined> => askOnce(context, candidate, script, strategy);
  const choice = await choose(await candidates(settings), ask, strategy);
  if ('refusals' in choice) {
    throw new CannotLaunch(refusalMessage(choice.refusals), true);
  }
  const { executable, version, origin } = choice.interpreter;
  return {
    command: executable,
    args: [...isolation(strategy), script, strategy],
    described: `Python ${version}, ${executable} (${origin}), ${strategy}`,
  };
}

async function candidates(settings: StartSettings): Promise<Candidate[]> {
  if (settings.interpreter !== undefined) {
    return [{ command: settings.interpreter, args: [], origin: 'setting' }];
  }
  return [...(await environmentCandidates()), ...pathCandidates(process.platform)];
}

// Asking takes a start of Python. What an unchanged file has answered once holds until the extension is updated.
async function askOnce(
  context: vscode.ExtensionContext,
  candidate: Candidate,
  script: string,
  strategy: StartSettings['importStrategy'],
): Promise<Probe | undefined> {
  const file = findOnPath(candidate.command, process.env['PATH'] ?? '', process.platform);
  if (file === undefined) {
    return undefined;
  }
  const found = { ...candidate, command: file };
  if (strategy === 'fromEnvironment') {
    return askInterpreter(found, script, strategy); // What is installed may change while the interpreter does not.
  }
  const key = [script, file, ...candidate.args].join('\n');
  const known = context.globalState.get<Known>(KNOWN, {});
  const earlier = known[key];
  if (earlier?.modified === modified(file) && modified(earlier.probe.executable) > 0) {
    return earlier.probe;
  }
  const probe = await askInterpreter(found, script, strategy);
  if (probe !== undefined) {
    const ofThisVersion = Object.entries(known).filter(([other]) => other.startsWith(`${script}\n`));
    const updated = { ...Object.fromEntries(ofThisVersion), [key]: { modified: modified(file), probe } };
    void context.globalState.update(KNOWN, updated);
  }
  return probe;
}

function refusalMessage(refusals: readonly Refusal[]): string {
  const [first] = refusals;
  if (first?.candidate.origin === 'setting') {
    return `The interpreter ${first.candidate.command} of the setting buildhush.interpreter can't run buildhush: ${first.reason}.`;
  }
  const found = refusals.filter(({ reason }) => reason.startsWith('it is Python') || reason.startsWith('the extension'));
  const tried = found.map(({ candidate, reason }) => `${candidate.command}: ${reason}`).join('; ');
  return `buildhush needs Python 3.10 or newer, and found none${tried === '' ? '' : ` (${tried})`}.`;
}
