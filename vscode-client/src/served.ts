// Which documents the server is told of: Dockerfiles, and what builds them.

import * as vscode from 'vscode';

/** Dockerfiles, wherever they are: also those that are not saved yet. */
const DOCKERFILES: vscode.DocumentFilter[] = [
  { scheme: 'file', language: 'dockerfile' },
  { scheme: 'untitled', language: 'dockerfile' },
];

/** Files that build them, by name as the server goes by it: most YAML has nothing to do with images. */
const CALLERS: vscode.DocumentFilter[] = [
  '**/{compose,docker-compose}.{yml,yaml}',
  '**/{compose,docker-compose}[.-]*.{yml,yaml}',
  '**/*[.-]{compose,docker-compose}.{yml,yaml}',
  '**/{bake,docker-bake}.{hcl,json}',
  '**/{bake,docker-bake}[.-]*.{hcl,json}',
  '**/*[.-]{bake,docker-bake}.{hcl,json}',
  '**/.github/workflows/*.{yml,yaml}',
  '**/action.{yml,yaml}',
  '**/{.gitlab-ci,*.gitlab-ci}.{yml,yaml}',
  '**/.gitlab-ci[.-]*.{yml,yaml}',
  '**/.gitlab/ci/**/*.{yml,yaml}',
  '**/*.{sh,bash,zsh,ksh}',
  '**/{Makefile,makefile,GNUmakefile,*.mk,*.mak}',
  '**/{Makefile,makefile,GNUmakefile}.*',
].map((pattern) => ({ scheme: 'file', pattern }));

/** What gets findings. */
const SERVED: vscode.DocumentFilter[] = [...DOCKERFILES, ...CALLERS];

/** What the server is told of: also what says which files the build context holds. */
export const TOLD: vscode.DocumentFilter[] = [
  ...SERVED,
  { scheme: 'file', pattern: '**/{.dockerignore,*.dockerignore}' },
];

/** Whether a document can have findings. */
export function isServed(document: vscode.TextDocument): boolean {
  return vscode.languages.match(SERVED, document) > 0;
}

/** Whether a document is a Dockerfile that can be analysed. */
export function isDockerfile(document: vscode.TextDocument): boolean {
  return vscode.languages.match(DOCKERFILES, document) > 0;
}
