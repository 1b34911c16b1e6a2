// Bundles the extension, or with `tests` the tests of its modules that need no editor, into dist/.
import { build } from 'esbuild';
import { cp, readdir, rm } from 'node:fs/promises';

const tests = process.argv.includes('tests');
const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning' };

if (tests) {
  const files = (await readdir('tests')).filter((name) => name.endsWith('.test.ts'));
  await rm('dist/tests', { recursive: true, force: true });
  await build({ ...common, entryPoints: files.map((name) => `tests/${name}`), outdir: 'dist/tests', alias: { vscode: './tests/editor.ts' } });
} else {
  await build({ ...common, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.js', external: ['vscode'], minify: true });
  // The walkthrough's examples are those of the repository.
  await rm('examples', { recursive: true, force: true });
  await cp('../server/examples', 'examples', { recursive: true, filter: (name) => !name.endsWith('.md') });
  await cp('../LICENSE', 'LICENSE');
}
