import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { type Logger, pino } from "pino";
import { codeOf, messageOf, OpenCdnError } from "./errors.ts";

/** A gateway, node or vantage process that runs. */
export interface Running {
  /** What others must know to use it: ports, names. Printed in the ready line. */
  readonly ready: Readonly<Record<string, string | number>>;
  /** Stops in an orderly way; bounded. */
  close(): Promise<void>;
}

export interface ShellOptions {
  readonly role: string;
  /** Checks the raw configuration, starts, and resolves when it listens. */
  readonly run: (config: unknown, logger: Logger) => Promise<Running>;
}

/** Largest configuration file. */
const maxConfigBytes = 1_048_576;
/** An orderly stop that takes longer is ended. */
const stopMs = 8_000;

/** Whether this module is the program that was started. */
export function isMain(moduleUrl: string): boolean {
  const program = process.argv[1];
  return program !== undefined && moduleUrl === pathToFileURL(program).href;
}

/**
 * Runs one role as a process of its own: `--config FILE` (JSON), one line `{"event":"ready",…}` on stdout (and
 * as an IPC message to a parent), log lines on stderr, an orderly stop on SIGTERM, SIGINT or when the parent is
 * gone. Exit codes: 0 stopped, 1 failed, 2 called wrongly or a configuration that is not valid.
 */
export async function runAsProcess({ role, run }: ShellOptions): Promise<void> {
  const logger = pino(
    { base: { role, pid: process.pid } },
    pino.destination({ fd: 2, sync: true }),
  );
  try {
    const running = await run(await configOf(process.argv.slice(2)), logger);
    stopOrderly(running, logger);
    const line = { event: "ready", role, pid: process.pid, ...running.ready };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    process.send?.(line);
  } catch (error) {
    logger.fatal({ code: codeOf(error) }, messageOf(error));
    process.exit(isCallersFault(error) ? 2 : 1);
  }
}

async function configOf(argv: readonly string[]): Promise<unknown> {
  const [option, file] = argv;
  if (option !== "--config" || file === undefined || argv.length !== 2) {
    throw new OpenCdnError("OCDN_USAGE", "starting: call it with --config FILE");
  }
  try {
    const bytes = await readFile(file);
    if (bytes.length > maxConfigBytes) throw new Error(`more than ${maxConfigBytes} bytes`);
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    const text = `reading the configuration ${file}: ${messageOf(error)}`;
    throw new OpenCdnError("OCDN_CONFIG", text, { cause: error });
  }
}

function stopOrderly(running: Running, logger: Logger): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), stopMs).unref();
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ code: codeOf(error) }, `stopping: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  // A terminal sends Ctrl-C to all processes at once; one that has a parent waits for the parent's word, which comes
  // in the right order.
  process.on("SIGINT", process.send === undefined ? stop : () => {});
  if (process.send !== undefined) process.on("disconnect", stop);
}

function isCallersFault(error: unknown): boolean {
  const code = codeOf(error);
  return code === "OCDN_USAGE" || code === "OCDN_CONFIG";
}
