// The extension in the real workbench, used as a person does: pointer, keyboard, and the files that result.
// node vscode.mjs EDITORS VSIX [FOLDER-FOR-SCREENSHOTS]. Status 0: all passed.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openWorkbench, startCodeServer } from './workbench.mjs';

const [place, vsix, screenshots] = process.argv.slice(2);
const failures = fs.mkdtempSync(path.join(os.tmpdir(), 'buildhush-failures-'));

const FILES = {
  'argument/Dockerfile': 'FROM node:22\nWORKDIR /app\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n',
  'layer/Dockerfile': '# syntax=docker/dockerfile:1\nFROM alpine:3.20\nWORKDIR /app\nRUN --mount=type=secret,id=mysecret \\\n    SECRET=$(cat /run/secrets/mysecret) && \\\n    echo "Secret is $SECRET" >> /app/secret.txt\n',
  'temporary/Dockerfile': 'FROM debian:12\nRUN --mount=type=secret,id=k \\\n    cp /run/secrets/k /tmp/k && \\\n    deploy /tmp/k\n',
  'mount/Dockerfile': 'FROM debian:12\nRUN --mount=type=secret,id=signing_key sign < /run/secrets/signing_key\nRUN --mount=type=secret,id= sign\nRUN --mount=type=secret,id=signing_key publish < /run/secrets/signing_key\n',
  'quiet/Dockerfile': 'FROM node:22\nARG NPM_TOKEN\nARG OTHER_PASSWORD\nRUN npm ci --token=$NPM_TOKEN --password=$OTHER_PASSWORD\n',
  '.vscode/settings.json': '{}',
  'quiet/.buildhush.toml': 'public-names = ["NPM_TOKEN"]\n',
};
const FIXED = {
  argument: '# syntax=docker/dockerfile:1\nFROM node:22\nWORKDIR /app\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci --token=$NPM_TOKEN\n',
  temporary: 'FROM debian:12\nRUN --mount=type=secret,id=k \\\n    cp /run/secrets/k /tmp/k && \\\n    deploy /tmp/k && \\\n    rm -f /tmp/k\n',
};

const began = Date.now();
const figures = {};
const say = (text) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s] ${text}`);

/** One window, with what a person does in it. */
class Window {
  constructor(server, page) {
    this.server = server;
    this.page = page;
  }

  editor(name) {
    return this.page.locator(`.editor-instance .monaco-editor[data-uri^="vscode-remote:"][data-uri$="/${name}"]`).last();
  }

  squiggles(name, severity = 'error') {
    return this.editor(name).locator(`.cdr.squiggly-${severity}`);
  }

  /** Waits until a file has at least one squiggle, or none. */
  async marked(name, isMarked = true, severity = 'error') {
    await (isMarked ? this.squiggles(name, severity).first().waitFor({ state: 'attached' }) : until(async () => (await this.squiggles(name, severity).count()) === 0, `${name} has no squiggle`));
  }

  line(name, text) {
    return this.editor(name).locator('.view-line', { hasText: text }).first();
  }

  async open(name) {
    await this.page.keyboard.press('Control+P');
    await this.page.locator('.quick-input-widget .input').first().fill(name);
    await this.page.locator('.quick-input-list .monaco-list-row').first().waitFor();
    await this.page.waitForTimeout(200);
    await this.page.keyboard.press('Enter');
    await this.editor(name).locator('.view-line').first().waitFor();
  }

  async command(title) {
    await this.page.keyboard.press('F1');
    await this.page.locator('.quick-input-widget .input').first().fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().waitFor();
    await this.page.keyboard.press('Enter');
  }

  /** Puts the caret before the first occurrence of a text in the saved file. */
  async caretOn(name, text) {
    const before = this.server.read(name).split(text, 1)[0].split('\n');
    await this.line(name, 'FROM').click();
    await this.page.keyboard.press('Control+G');
    await this.page.locator('.quick-input-widget .input').first().fill(`:${before.length}:${before.at(-1).length + 1}`);
    await this.page.waitForTimeout(100);
    await this.page.keyboard.press('Enter');
  }

  async text(name) {
    const lines = await this.editor(name).locator('.view-line').allInnerTexts();
    return lines.map((line) => line.replaceAll('\u00a0', ' ')).join('\n');
  }

  async save(name, expected) {
    await this.page.keyboard.press('Control+S');
    await until(async () => this.server.read(name) === expected, () => `${name} is saved as expected, not as\n${this.server.read(name)}`);
  }

  async picture(name) {
    if (screenshots) {
      await this.page.waitForTimeout(700); // What fades in must be there.
      await this.page.screenshot({ path: path.join(screenshots, name), clip: PICTURES[name] });
    }
  }
}

const PICTURES = {
  'hover.png': { x: 48, y: 30, width: 1000, height: 560 },
  'quick-fix.png': { x: 48, y: 30, width: 1000, height: 380 },
  'fixed-file.png': { x: 48, y: 30, width: 1232, height: 300 },
};

async function until(condition, what, limit = 20_000) {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not so: ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The processes of the group whose command line holds a text. */
function processes(group, text) {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === group && command.includes(text);
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

const TESTS = {
  async 'a leak is underlined, soon after the file is opened'(window) {
    const opened = Date.now();
    await window.open('argument/Dockerfile');
    await window.marked('argument/Dockerfile');
    figures['first file: from the key that opens it to the squiggle, server start included, ms'] = Date.now() - opened;
    const again = Date.now();
    await window.open('layer/Dockerfile');
    await window.marked('layer/Dockerfile');
    figures['second file, ms'] = Date.now() - again;
  },

  async 'the status bar counts the findings'(window) {
    await window.page.locator('.statusbar-item', { hasText: /buildhush \d/ }).waitFor();
  },

  async 'a hover shows the way of the secret and the documentation'(window) {
    await window.open('layer/Dockerfile');
    await window.marked('layer/Dockerfile');
    const mark = await window.squiggles('layer/Dockerfile').first().boundingBox();
    await window.page.mouse.move(mark.x + 20, mark.y + 6, { steps: 4 });
    const hover = window.page.locator('.monaco-hover:not(.hidden) .monaco-hover-content').first();
    await hover.locator('strong', { hasText: 'secret-written-to-layer' }).first().waitFor();
    const html = await hover.innerHTML();
    assert.match(html, /<ol>/);
    assert.match(html, /<code>\/app\/secret\.txt<\/code>/);
    await window.picture('hover.png');
    await window.page.keyboard.press('Escape');
    await window.page.mouse.move(5, 500);
  },

  async 'the problem has its trail as related places'(window) {
    await window.command('View: Focus Problems');
    const rows = window.page.locator('.markers-panel-container .monaco-list-row');
    await rows.filter({ hasText: 'is written to' }).first().waitFor();
    await rows.filter({ hasText: 'is mounted at' }).first().waitFor();
    await window.command('View: Hide Panel');
  },

  async 'a quick fix by keyboard gives the file that it promises'(window) {
    await window.open('argument/Dockerfile');
    await window.marked('argument/Dockerfile');
    await window.caretOn('argument/Dockerfile', 'NPM_TOKEN');
    await window.page.keyboard.press('Control+.');
    await window.page.locator('.action-widget .monaco-list-row', { hasText: 'as a build secret' }).waitFor();
    await window.picture('quick-fix.png');
    await window.page.keyboard.press('Enter');
    await window.line('argument/Dockerfile', '--mount=type=secret').waitFor();
    await window.marked('argument/Dockerfile', false);
    await window.save('argument/Dockerfile', FIXED.argument);
  },

  async 'the code lens copies the build command'(window) {
    await window.open('argument/Dockerfile');
    const lens = window.editor('argument/Dockerfile').locator('.codelens-decoration a', { hasText: /^docker (buildx )?build/ }).first();
    await lens.click();
    await window.page.locator('.statusbar-item', { hasText: /Copied: docker (buildx )?build .*--secret id=npm_token/ }).waitFor();
    const copied = await window.page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /^docker (buildx )?build .*--secret id=npm_token,env=NPM_TOKEN/);
  },

  async 'all fixes are shown as a diff, and taken over'(window) {
    const before = window.server.read('temporary/Dockerfile');
    await window.open('temporary/Dockerfile');
    await window.marked('temporary/Dockerfile');
    await window.command('buildhush: Show the Fixed File as a Diff');
    await window.page.locator('.monaco-diff-editor .view-line', { hasText: 'rm -f /tmp/k' }).first().waitFor();
    await window.picture('fixed-file.png');
    await window.page.locator('.editor-actions a[aria-label*="Apply These Fixes"]').click();
    await window.page.locator('.monaco-diff-editor').waitFor({ state: 'detached' });
    await window.line('temporary/Dockerfile', 'rm -f /tmp/k').waitFor();
    await window.save('temporary/Dockerfile', FIXED.temporary);
    await window.page.keyboard.press('Control+Z');
    await window.save('temporary/Dockerfile', before);
  },

  async 'fix all makes what is safe'(window) {
    await window.open('temporary/Dockerfile');
    await window.marked('temporary/Dockerfile');
    await window.command('buildhush: Fix All in This File');
    await window.line('temporary/Dockerfile', 'rm -f /tmp/k').waitFor();
    await window.save('temporary/Dockerfile', FIXED.temporary);
  },

  async 'completion offers the ids of other mounts'(window) {
    await window.open('mount/Dockerfile');
    await window.caretOn('mount/Dockerfile', ' sign\n');
    await window.page.keyboard.press('Control+Space');
    // The list takes keys only when its row has the focus.
    await window.page.locator('.suggest-widget.visible .monaco-list-row.focused', { hasText: 'signing_key' }).waitFor();
    await window.page.keyboard.press('Enter');
    await until(async () => /id=signing_key sign$/m.test(await window.text('mount/Dockerfile')), 'the id is taken over');
    await window.page.keyboard.press('Control+S');
  },

  async 'renaming a mount renames it everywhere'(window) {
    await window.caretOn('mount/Dockerfile', 'signing_key');
    await window.page.keyboard.press('F2');
    const input = window.page.locator('.rename-box input');
    await input.waitFor();
    await input.fill('release_key');
    await window.page.keyboard.press('Enter');
    await window.line('mount/Dockerfile', 'release_key').waitFor();
    await until(async () => !(await window.text('mount/Dockerfile')).includes('signing_key'), 'the old name is gone');
    assert.equal((await window.text('mount/Dockerfile')).match(/id=release_key/g)?.length, 3);
    await window.page.keyboard.press('Control+S');
  },

  async 'folders have their own configuration'(window) {
    await window.open('quiet/Dockerfile');
    await window.marked('quiet/Dockerfile');
    assert.equal(await window.squiggles('quiet/Dockerfile').count(), 1);
  },

  async 'a setting holds at once'(window) {
    await window.open('quiet/Dockerfile');
    await window.marked('quiet/Dockerfile');
    window.server.write('.vscode/settings.json', '{ "buildhush.ignore": ["secret-in-arg"] }');
    await window.marked('quiet/Dockerfile', false);
    window.server.write('.vscode/settings.json', '{}');
    await window.marked('quiet/Dockerfile');
  },

  async 'a rule is explained in the editor'(window) {
    await window.command('buildhush: Open a Rule');
    await window.page.locator('.quick-input-widget', { hasText: 'Rules of buildhush' }).locator('.input').first().fill('secret-in-env');
    await window.page.locator('.quick-input-list .monaco-list-row', { hasText: 'secret-in-env' }).first().waitFor();
    await window.page.keyboard.press('Enter');
    await window.page.locator('.tab', { hasText: 'secret-in-env.md' }).waitFor();
    const shown = window.page.frameLocator('iframe.webview').frameLocator('iframe').locator('h1', { hasText: 'secret-in-env' });
    await shown.waitFor();
    await window.page.keyboard.press('Control+F4');
  },

  async 'examples open without a file'(window) {
    await window.command('buildhush: Open an Example');
    await window.page.locator('.quick-input-list .monaco-list-row', { hasText: 'build-argument' }).first().click();
    await window.page.locator('.editor-instance .monaco-editor[data-uri^="untitled:"] .cdr.squiggly-error').first().waitFor({ state: 'attached' });
  },

  async 'a server that is killed comes back'(window) {
    await window.open('quiet/Dockerfile');
    await window.marked('quiet/Dockerfile');
    const [pid] = processes(window.server.group, 'start.py');
    assert.ok(pid, 'the server is a process of the editor');
    const killed = Date.now();
    process.kill(pid, 'SIGKILL');
    await until(async () => processes(window.server.group, 'start.py').some((other) => other !== pid), 'another server runs');
    await window.caretOn('quiet/Dockerfile', 'OTHER_PASSWORD');
    await window.page.keyboard.press('End');
    await window.page.keyboard.type('\nENV SECOND_PASSWORD=x1');
    await until(async () => (await window.squiggles('quiet/Dockerfile').count()) >= 2, 'the new server sees what is typed');
    figures['server killed, started again, text typed and underlined, ms'] = Date.now() - killed;
  },

  async 'activation does not keep the editor waiting'(window) {
    await window.command('Developer: Show Running Extensions');
    const row = window.page.locator('.runtime-extensions-editor .monaco-list-row', { hasText: 'buildhush' });
    await row.waitFor();
    // The server starts afterwards; code-server without native modules keeps no log that would say how long that took.
    const activation = Number(/Activation: (\d+)\s?ms/.exec(await row.innerText())?.[1]);
    assert.ok(activation < 1000, `activation took ${activation} ms`);
    figures['activation of the extension, ms'] = activation;
  },
};

/** Windows that need a code-server of their own. */
const SEPARATE = {
  async 'an untrusted workspace is analysed, and can\'t choose what runs'() {
    const trap = path.join(failures, 'ran');
    const files = {
      ...FILES,
      'evil.sh': `#!/bin/sh\ntouch ${trap}\n`,
      '.vscode/settings.json': JSON.stringify({ 'buildhush.path': '${workspaceFolder}/evil.sh', 'buildhush.interpreter': '${workspaceFolder}/evil.sh' }),
    };
    const settings = { 'security.workspace.trust.startupPrompt': 'never', 'security.workspace.trust.enabled': true, 'security.workspace.trust.banner': 'never' };
    await inWindow({ files, settings, args: [] }, async (window) => {
      fs.chmodSync(path.join(window.server.project, 'evil.sh'), 0o755);
      await window.page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
      await window.open('layer/Dockerfile');
      await window.marked('layer/Dockerfile');
      assert.equal(fs.existsSync(trap), false);
    });
  },

  async 'a Python that is not there is named, with a way out'() {
    await inWindow({ files: FILES, machine: { 'buildhush.interpreter': '/nowhere/python3' } }, async (window) => {
      await window.open('layer/Dockerfile');
      const notice = window.page.locator('.notification-list-item', { hasText: 'The interpreter /nowhere/python3' });
      await notice.waitFor();
      await notice.locator('.monaco-button', { hasText: 'Choose interpreter' }).waitFor();
      await window.page.locator('.statusbar-item[aria-label*="/nowhere/python3"]').waitFor();
    });
  },

  async 'a server that is too old is named, with a way out'() {
    // The bundled server, which says that it is of an earlier version.
    const old = path.join(failures, 'old-buildhush');
    const python = process.env.PYTHON ?? 'python3';
    fs.writeFileSync(`${old}.py`, `import os, sys\nlibraries = sys.argv.pop(1)\nsys.path[:0] = [os.path.join(libraries, name) for name in ("any", f"cp3{sys.version_info[1]}")]\nimport buildhush\nbuildhush.__version__ = "0.0.9"\nfrom buildhush.cli.main import main\nsys.exit(main())\n`);
    await inWindow({ files: FILES, machine: { 'buildhush.path': old } }, async (window) => {
      const [libraries] = fs.globSync(path.join(window.server.home, 'extensions/*/bundled/libs'));
      fs.writeFileSync(old, `#!/bin/sh\nexec ${python} -I ${old}.py ${libraries} "$@"\n`, { mode: 0o755 });
      fs.chmodSync(old, 0o755);
      await window.open('layer/Dockerfile');
      await window.page.locator('.notification-list-item', { hasText: 'is version 0.0.9' }).locator('.monaco-button', { hasText: 'Use the bundled server' }).waitFor();
    });
  },
};

async function inWindow(options, use) {
  const server = await startCodeServer({ place, vsix, ...options });
  const { browser, page, outside } = await openWorkbench({ place, address: server.address });
  const window = new Window(server, page);
  try {
    await use(window);
  } catch (error) {
    await page.screenshot({ path: path.join(failures, 'failure.png') });
    throw error;
  } finally {
    await browser.close();
    server.stop();
  }
  return outside;
}

let failed = 0;
async function test(name, run) {
  if (process.env.ONLY && !name.includes(process.env.ONLY)) return;
  try {
    await run();
    say(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    say(`FAIL  ${name}\n${error.stack}`);
  }
}

await inWindow({ files: FILES }, async (window) => {
  say('the workbench is there');
  await window.page.keyboard.press('Control+B');
  for (const [name, run] of Object.entries(TESTS)) {
    await test(name, async () => {
      try {
        await run(window);
      } catch (error) {
        await window.page.screenshot({ path: path.join(failures, `${name.replaceAll(/\W+/g, '-')}.png`) });
        throw error;
      }
    });
  }
});
for (const [name, run] of Object.entries(SEPARATE)) {
  await test(name, run);
}
for (const [what, figure] of Object.entries(figures)) say(`${what}: ${figure}`);
if (failed) {
  say(`${failed} failed; screenshots in ${failures}`);
} else {
  fs.rmSync(failures, { recursive: true });
}
process.exit(failed ? 1 : 0);
