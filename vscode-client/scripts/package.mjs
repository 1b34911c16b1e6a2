// Makes the VSIX of each platform named: node scripts/package.mjs [linux-x64 …]. PYTHON names the Python whose pip fetches wheels.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';

const targets = process.argv.length > 2 ? process.argv.slice(2) : ['linux-x64'];
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

// vsce looks for secrets in each of 1600 files, a minute long; all of them are public: this repository's and those of pinned wheels.
const withoutScan = ['--allow-package-all-secrets', '--allow-package-env-file'];

run(process.execPath, ['scripts/build.mjs']);
mkdirSync('dist', { recursive: true });
for (const target of targets) {
  const vsix = `dist/buildhush-${target}-${version}.vsix`;
  run(process.env.PYTHON ?? 'python3', ['scripts/bundle_server.py', '--target', target]);
  run(process.execPath, [
    'node_modules/@vscode/vsce/vsce', 'package', '--target', target, '--no-dependencies', '--allow-missing-repository',
    '--no-rewrite-relative-links', ...withoutScan, '--out', vsix,
  ]);
  console.log(`vscode-client/${vsix}: ${(statSync(vsix).size / 1e6).toFixed(1)} MB`);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    throw error ?? new Error(`${command} ended with status ${status}`);
  }
}
