// The item in the status bar: what the server does, and the way to everything that can be done.

import * as vscode from 'vscode';

import { isServed } from './served';

export type State = 'starting' | 'idle' | 'analysing' | 'error' | 'stopped';

const ICONS: Record<State, string> = {
  starting: '$(loading~spin)',
  idle: '$(shield)',
  analysing: '$(sync~spin)',
  error: '$(error)',
  stopped: '$(circle-slash)',
};

/** How long an analysis must take before the item says so, in milliseconds: what is over at once only flickers. */
const WORTH_SHOWING = 200;

export class Status implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly listeners: vscode.Disposable[];
  private state: State = 'stopped';
  private message = '';
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    this.item = vscode.window.createStatusBarItem('buildhush.status', vscode.StatusBarAlignment.Right, 90);
    this.item.name = 'buildhush';
    this.item.command = 'buildhush.showMenu';
    this.listeners = [
      vscode.window.onDidChangeActiveTextEditor(() => this.show()),
      vscode.languages.onDidChangeDiagnostics(() => this.show()),
    ];
    this.show();
  }

  /** Shows a state; `message` says what is wrong. */
  set(state: State, message = ''): void {
    // An error stays until the server is started or stopped again.
    if (this.state === 'error' && (state === 'idle' || state === 'analysing')) {
      return;
    }
    this.state = state;
    this.message = message;
    clearTimeout(this.timer);
    if (state === 'analysing') {
      this.timer = setTimeout(() => this.show(), WORTH_SHOWING);
    } else {
      this.show();
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
    this.listeners.forEach((listener) => void listener.dispose());
  }

  private show(): void {
    const document = vscode.window.activeTextEditor?.document;
    if (document === undefined || !isServed(document)) {
      this.item.hide();
      return;
    }
    const findings = vscode.languages.getDiagnostics(document.uri).filter(({ source }) => source === 'buildhush').length;
    const count = this.state === 'idle' && findings > 0 ? ` ${findings}` : '';
    this.item.text = `${ICONS[this.state]} buildhush${count}`;
    this.item.tooltip = this.tooltip(findings);
    this.item.backgroundColor =
      this.state === 'error' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
    this.item.accessibilityInformation = { label: `buildhush: ${this.tooltip(findings)}`, role: 'button' };
    this.item.show();
  }

  private tooltip(findings: number): string {
    switch (this.state) {
      case 'starting':
        return 'The server is starting.';
      case 'stopped':
        return 'The server does not run.';
      case 'error':
        return this.message;
      case 'analysing':
        return 'Following secrets…';
      case 'idle':
        return findings === 0 ? 'No leak found in this file.' : `${findings} ${findings === 1 ? 'finding' : 'findings'} in this file.`;
    }
  }
}
