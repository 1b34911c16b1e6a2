// The server's life: started, watched, restarted, and what it says passed on.

import * as vscode from 'vscode';
import {
  CloseAction,
  DidChangeConfigurationNotification,
  type CloseHandlerResult,
  type DocumentSelector,
  ErrorAction,
  type ErrorHandler,
  type ErrorHandlerResult,
  ExecuteCommandRequest,
  LanguageClient,
  type LanguageClientOptions,
  type ServerOptions,
  State,
} from 'vscode-languageclient/node';

import { isOlder } from './interpreter';
import { CannotLaunch, type Launch, findLaunch } from './launch';
import { TOLD, isServed } from './served';
import { SECTION, explicitlySet, startSettings } from './settings';
import type { Status } from './status';

/** The oldest server that this extension works with. */
export const OLDEST_SERVER = '0.1.0';

/** So many crashes within so many milliseconds are too many. */
const MOST_CRASHES = 4;
const CRASH_WINDOW = 3 * 60 * 1000;

/** The one server of a window. */
export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private launched: Launch | undefined;
  private crashes: number[] = [];
  private hasRun = false;
  private isWanted = false;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly status: Status,
    private readonly executeCommand: (command: string, args: unknown[], result: unknown) => void,
  ) {}

  /** How buildhush is run at the moment; undefined when it can't be. */
  get launch(): Launch | undefined {
    return this.launched;
  }

  /** Starts the server as soon as a document is open that it serves; what the result holds is to be disposed of. */
  startWhenNeeded(): vscode.Disposable {
    const look = (document: vscode.TextDocument): void => {
      if (!this.isWanted && isServed(document)) {
        void this.restart();
      }
    };
    vscode.workspace.textDocuments.forEach(look);
    return vscode.workspace.onDidOpenTextDocument(look);
  }

  /** Reads the settings anew for a server that was needed already. */
  async settingsChanged(): Promise<void> {
    if (this.isWanted) {
      await this.restart();
    }
  }

  /** Stops the server if it runs, reads the settings anew and starts it. Calls are served one after the other. */
  restart(): Promise<void> {
    this.isWanted = true;
    this.crashes = [];
    this.queue = this.queue.then(async () => {
      await this.stopNow();
      await this.startNow();
    });
    return this.queue;
  }

  /** Runs a command of the server. Throws when the server does not run. */
  async execute(command: string, ...args: unknown[]): Promise<unknown> {
    await (this.isWanted ? this.queue : this.restart());
    if (this.client === undefined) {
      throw new Error('The server does not run.');
    }
    return this.client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
  }

  async stop(): Promise<void> {
    this.queue = this.queue.then(() => this.stopNow());
    await this.queue;
  }

  dispose(): void {
    void this.stop();
  }

  private async startNow(): Promise<void> {
    this.status.set('starting');
    const began = Date.now();
    try {
      this.launched = await findLaunch(this.context, startSettings());
    } catch (error) {
      this.launched = undefined;
      this.status.set('error', messageOf(error));
      void this.explain(error);
      return;
    }
    this.log.info(`starting the server with ${this.launched.described}`);
    const { command, args } = this.launched;
    const run = { command, args: [...args, 'lsp'], options: { cwd: this.context.extensionPath } };
    const serverOptions: ServerOptions = { run, debug: { ...run, args: [...run.args, '--log-level', 'debug'] } };
    this.client = new LanguageClient(SECTION, 'buildhush', serverOptions, this.clientOptions());
    this.hasRun = false;
    this.client.onDidChangeState(({ newState }) => {
      if (newState !== State.Stopped) {
        this.status.set(newState === State.Running ? 'idle' : 'starting');
      }
    });
    try {
      await this.client.start();
    } catch (error) {
      this.log.error(messageOf(error));
      this.status.set('error', messageOf(error));
      void this.offerLog(`The buildhush server does not start: ${messageOf(error)}`);
      return;
    }
    this.hasRun = true;
    this.log.info(`the server runs, ${Date.now() - began} ms after the start began`);
    void this.checkVersion(this.client.initializeResult?.serverInfo?.version);
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.status.set('stopped');
    try {
      await client?.dispose(2000);
    } catch (error) {
      this.log.warn(messageOf(error)); // It is gone already, or was never there.
    }
  }

  private clientOptions(): LanguageClientOptions {
    return {
      documentSelector: TOLD as DocumentSelector,
      outputChannel: this.log,
      errorHandler: this.errorHandler(),
      initializationFailedHandler: () => false,
      middleware: {
        provideDiagnostics: async (document, previous, token, next) => {
          this.status.set('analysing');
          try {
            const report = await next(document, previous, token);
            if (report !== undefined && report !== null && 'items' in report) {
              report.items.forEach(linkToDocumentation);
            }
            return report;
          } finally {
            this.status.set('idle');
          }
        },
        handleDiagnostics: (uri, diagnostics, next) => {
          diagnostics.forEach(linkToDocumentation);
          next(uri, diagnostics);
        },
        executeCommand: async (command, args, next) => {
          if (command === 'buildhush.verify') {
            // A build runs what the workspace says: only in one that is trusted, and where its user can watch it.
            return vscode.commands.executeCommand('buildhush.verifyFile');
          }
          const result: unknown = await next(command, args);
          this.executeCommand(command, args, result);
          return result;
        },
        workspace: {
          // The client would send everything, also what is not set. Without anything, the server asks.
          didChangeConfiguration: async () => {
            await this.client?.sendNotification(DidChangeConfigurationNotification.type, { settings: null });
          },
          configuration: (params) =>
            params.items.map(({ section, scopeUri }) =>
              explicitlySet(section ?? SECTION, scopeUri === undefined ? undefined : vscode.Uri.parse(scopeUri)),
            ),
        },
      },
    };
  }

  private errorHandler(): ErrorHandler {
    return {
      error: (error): ErrorHandlerResult => {
        this.log.error(error.message);
        return { action: ErrorAction.Continue, handled: true };
      },
      closed: (): CloseHandlerResult => {
        // One that never came up would not do so a second time; the start itself says what is wrong.
        if (!this.hasRun) {
          return { action: CloseAction.DoNotRestart, handled: true };
        }
        const now = Date.now();
        this.crashes = [...this.crashes.filter((time) => now - time < CRASH_WINDOW), now];
        if (this.crashes.length <= MOST_CRASHES) {
          this.log.warn('the server ended unexpectedly and is started again');
          return { action: CloseAction.Restart, handled: true };
        }
        const message = `The buildhush server crashed ${this.crashes.length} times in three minutes and is not started again.`;
        this.status.set('error', message);
        void this.offerLog(message);
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    };
  }

  private async checkVersion(version: string | undefined): Promise<void> {
    if (version === undefined || !isOlder(version, OLDEST_SERVER)) {
      return;
    }
    const message = `This buildhush server is version ${version}; the extension needs ${OLDEST_SERVER} or newer.`;
    this.status.set('error', message);
    const bundled = 'Use the bundled server';
    if ((await vscode.window.showWarningMessage(message, bundled, 'Open settings')) === bundled) {
      const section = vscode.workspace.getConfiguration(SECTION);
      await section.update('path', undefined, vscode.ConfigurationTarget.Global);
      await section.update('importStrategy', 'useBundled', vscode.ConfigurationTarget.Global);
    }
  }

  private async explain(error: unknown): Promise<void> {
    const choose = 'Choose interpreter…';
    const install = 'Get Python';
    const settings = 'Open settings';
    const buttons = error instanceof CannotLaunch && error.lacksPython ? [choose, install, settings] : [settings];
    this.log.error(messageOf(error));
    const chosen = await vscode.window.showErrorMessage(messageOf(error), ...buttons);
    if (chosen === choose) {
      await vscode.commands.executeCommand('buildhush.chooseInterpreter');
    } else if (chosen === install) {
      await vscode.env.openExternal(vscode.Uri.parse('https://www.python.org/downloads/'));
    } else if (chosen === settings) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'buildhush.');
    }
  }

  private async offerLog(message: string): Promise<void> {
    const restart = 'Restart';
    const log = 'Show log';
    const chosen = await vscode.window.showErrorMessage(message, restart, log);
    if (chosen === restart) {
      await this.restart();
    } else if (chosen === log) {
      this.log.show();
    }
  }
}

// The documentation is part of the server, so the link of a finding opens it offline.
function linkToDocumentation(diagnostic: vscode.Diagnostic): void {
  const { code } = diagnostic;
  if (typeof code === 'object' && typeof code.value === 'string') {
    const argument = encodeURIComponent(JSON.stringify([code.value]));
    diagnostic.code = { value: code.value, target: vscode.Uri.parse(`command:buildhush.openRule?${argument}`) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
