// VS Code in the browser on the example Dockerfiles, until Ctrl+C: node try.mjs EDITORS VSIX EXAMPLES [PORT].

import fs from 'node:fs';
import path from 'node:path';
import { installExtensions, startCodeServer } from './workbench.mjs';

const [place, vsix, examples, port = '0'] = process.argv.slice(2);
const names = fs.readdirSync(examples).filter((name) => name.endsWith('Dockerfile'));
const files = Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(examples, name), 'utf8')]));
const server = await startCodeServer({ place, extensions: await installExtensions(place, [vsix]), files, port: Number(port), settings: { 'git.enabled': true } });
console.log(`VS Code with buildhush: ${server.address}\nThe files are in ${server.project}; they are removed at the end. Ctrl+C ends it.`);
setInterval(() => undefined, 60_000);
