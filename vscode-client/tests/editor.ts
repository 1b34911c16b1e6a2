// Stands for the module `vscode` in tests that need no editor but its answer to which documents a filter holds.

import { minimatch } from 'minimatch';

interface Filter {
  readonly scheme?: string;
  readonly language?: string;
  readonly pattern?: string;
}

interface Document {
  readonly uri: { readonly scheme: string; readonly fsPath: string };
  readonly languageId: string;
}

export const languages = {
  match(filters: readonly Filter[], { uri, languageId }: Document): number {
    const fits = ({ scheme, language, pattern }: Filter): boolean =>
      (scheme === undefined || scheme === uri.scheme) &&
      (language === undefined || language === languageId) &&
      (pattern === undefined || minimatch(uri.fsPath, pattern, { dot: true }));
    return filters.some(fits) ? 10 : 0;
  },
};
