import { stat } from "node:fs/promises";

export interface FileWatchOptions {
  readonly files: readonly string[];
  readonly pollMs: number;
  /** Called when a file changed and then stayed as it is for one more look; never twice at once. */
  readonly onChange: () => Promise<void>;
}

/**
 * Watches a few files by looking at them: size, time and inode. That sees what change notices
 * miss: a file that is replaced by a rename, a link that moves, a network file system. A file that
 * is still being written is waited for.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  /** How the files looked when they were last loaded, and at the last look. */
  #loaded: string;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: FileWatchOptions, state: string) {
    this.#options = options;
    this.#loaded = state;
    this.#seen = state;
    this.#arm();
  }

  /** Begins to watch; the files as they are now count as loaded. */
  static async start(options: FileWatchOptions): Promise<FileWatch> {
    return new FileWatch(options, await stateOf(options.files));
  }

  /** One look, now: true when it found a settled change and `onChange` was called. */
  async look(): Promise<boolean> {
    const state = await stateOf(this.#options.files);
    const settled = state === this.#seen;
    this.#seen = state;
    if (this.#closed || !settled || state === this.#loaded) return false;
    this.#loaded = state;
    await this.#options.onChange();
    return true;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.look()
        .catch(() => undefined)
        .finally(() => {
          if (!this.#closed) this.#arm();
        });
    }, this.#options.pollMs).unref();
  }
}

async function stateOf(files: readonly string[]): Promise<string> {
  const states = await Promise.all(files.map(stateOfFile));
  return states.join("\n");
}

async function stateOfFile(file: string): Promise<string> {
  try {
    const { size, mtimeMs, ino, mode } = await stat(file);
    return `${size} ${mtimeMs} ${ino} ${mode}`;
  } catch {
    return "absent";
  }
}
