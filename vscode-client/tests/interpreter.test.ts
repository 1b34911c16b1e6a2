import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';

import {
  type Candidate,
  type Probe,
  askInterpreter,
  choose,
  findOnPath,
  isOlder,
  pathCandidates,
  readProbe,
} from '../src/interpreter';

const probe = (minor: number, changes: Partial<Probe> = {}): Probe => ({
  executable: `/usr/bin/python3.${minor}`,
  version: [3, minor, 0],
  implementation: 'cpython',
  bundled: true,
  installed: null,
  ...changes,
});
const candidate = (command: string, origin: Candidate['origin'] = 'path'): Candidate => ({ command, args: [], origin });
const answers = (known: Record<string, Probe>) => (asked: Candidate): Promise<Probe | undefined> =>
  Promise.resolve(known[asked.command]);

test('the first that can do it is taken, however many before it can not', async () => {
  const ask = answers({ old: probe(9), good: probe(12), better: probe(13) });
  const choice = await choose(['gone', 'old', 'good', 'better'].map((name) => candidate(name)), ask, 'useBundled');
  assert.deepEqual(choice, { interpreter: { executable: '/usr/bin/python3.12', version: '3.12.0', origin: 'path' } });
});

test('one that the user has set is not passed over', async () => {
  const ask = answers({ set: probe(9), python3: probe(12) });
  const choice = await choose([candidate('set', 'setting'), candidate('python3')], ask, 'useBundled');
  assert.ok('refusals' in choice);
  assert.match(choice.refusals[0]?.reason ?? '', /Python 3\.9, and 3\.10 is the oldest/);
  assert.equal(choice.refusals.length, 1);
});

test('without bundled libraries only an installed server helps, and only when it is wanted', async () => {
  const pypy = probe(11, { implementation: 'pypy', bundled: false, installed: '0.1.0' });
  const run = (strategy: 'useBundled' | 'fromEnvironment') => choose([candidate('pypy')], answers({ pypy }), strategy);
  assert.ok('refusals' in (await run('useBundled')));
  assert.ok('interpreter' in (await run('fromEnvironment')));
});

test('what is no answer counts as none', () => {
  for (const text of ['', 'Python 3.12', '{}', '{"executable": "", "version": [3, 12, 1]}', 'null']) {
    assert.equal(readProbe(text), undefined, text);
  }
  assert.deepEqual(readProbe(JSON.stringify(probe(12))), probe(12));
});

test('the start script answers, and a program that is no Python does not', async () => {
  const script = path.resolve('bundled/start.py');
  const answer = await askInterpreter(candidate('python3'), script, 'useBundled');
  assert.equal(answer?.implementation, 'cpython');
  assert.ok(path.isAbsolute(answer.executable));
  assert.equal(await askInterpreter(candidate(process.execPath), script, 'useBundled'), undefined);
  assert.equal(await askInterpreter(candidate('/nowhere/python3'), script, 'useBundled'), undefined);
});

test('a relative folder on PATH is not searched', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'buildhush-'));
  try {
    writeFileSync(path.join(folder, 'python3'), '');
    assert.equal(findOnPath('python3', folder, 'linux'), path.join(folder, 'python3'));
    assert.equal(findOnPath('python3', path.relative(process.cwd(), folder), 'linux'), undefined);
    assert.equal(findOnPath('python3', '/nowhere', 'linux'), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('PATH is searched for the usual name first', () => {
  assert.equal(pathCandidates('linux')[0]?.command, 'python3');
  assert.deepEqual(pathCandidates('win32')[0], { command: 'py', args: ['-3'], origin: 'path' });
});

test('versions are compared by their numbers', () => {
  assert.ok(isOlder('0.0.9', '0.1.0'));
  assert.ok(isOlder('0.9.0', '0.10.0'));
  for (const version of ['0.1.0', '0.1.1', '0.2', '1.0.0', '0.1.0.dev1', 'unknown']) {
    assert.ok(!isOlder(version, '0.1.0'), version);
  }
});
