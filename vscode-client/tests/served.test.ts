import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as vscode from 'vscode';

import { TOLD, isDockerfile, isServed } from '../src/served';
import { languages } from './editor';
import samples from './served.json';

const document = (path: string, languageId = 'yaml', scheme = 'file'): vscode.TextDocument =>
  ({ uri: { scheme, path, fsPath: path }, languageId }) as unknown as vscode.TextDocument;
const isTold = (path: string, languageId?: string): boolean => languages.match(TOLD as object[], document(path, languageId)) > 0;

test('the files that the server takes for callers of a build are served', () => {
  for (const path of samples['builds images']) {
    assert.ok(isServed(document(path)), path);
    assert.ok(isTold(path), path);
    assert.ok(!isDockerfile(document(path)), path);
  }
});

test('a list of what the build context leaves out is told, and gets no findings of its own', () => {
  for (const path of samples['says what the context holds']) {
    assert.ok(isTold(path, 'ignore'), path);
    assert.ok(!isServed(document(path, 'ignore')), path);
  }
});

test('any other file starts no server', () => {
  for (const path of samples.neither) {
    assert.ok(!isServed(document(path)), path);
    assert.ok(!isTold(path), path);
  }
});

test('a Dockerfile is one by its language, whatever its name, and before it is saved', () => {
  for (const path of ['/app/Dockerfile', '/app/Containerfile.dev', '/app/image.txt']) {
    assert.ok(isDockerfile(document(path, 'dockerfile')), path);
    assert.ok(isServed(document(path, 'dockerfile')), path);
  }
  assert.ok(isDockerfile(document('Untitled-1', 'dockerfile', 'untitled')));
  assert.ok(!isDockerfile(document('/app/Dockerfile', 'plaintext')));
});

test('an earlier version, the other side of a diff and a file that is not on the disk are left alone', () => {
  for (const scheme of ['git', 'buildhush-fixed', 'vscode-vfs']) {
    assert.ok(!isServed(document('/app/Dockerfile', 'dockerfile', scheme)), scheme);
    assert.ok(!isServed(document('/app/compose.yaml', 'yaml', scheme)), scheme);
  }
  assert.ok(!isServed(document('/app/compose.yaml', 'yaml', 'untitled')));
});
