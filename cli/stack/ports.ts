import { readFile, rename, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { z } from "zod";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import type { StackPorts } from "./server-plan.ts";

export const defaultPorts: StackPorts = {
  kafka: 19_092,
  controller: 19_093,
  registry: 18_081,
  connect: 18_083,
  redis: 16_379,
};

const port = z.number().int().min(1).max(65_535);
const portsSchema: z.ZodType<StackPorts> = z.strictObject({
  kafka: port,
  controller: port,
  registry: port,
  connect: port,
  redis: port,
});

/** Ports as they were wanted on the command line; 0: a free one, undefined: as before, or the default. */
export type WantedPorts = { readonly [Name in keyof StackPorts]?: number | undefined };

/** The ports of the last start; undefined where there was none. Throws OCDN_CONFIG for a damaged file. */
export async function readPorts(file: string): Promise<StackPorts | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return portsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `reading the ports of the stack: ${file} is damaged; remove it to begin with the default ports`,
      { cause: error },
    );
  }
}

export async function writePorts(file: string, ports: StackPorts): Promise<void> {
  await writeFile(`${file}.part`, JSON.stringify(ports), { mode: 0o600 });
  await rename(`${file}.part`, file);
}

/** What is wanted, else what was, else the default. A free port, once chosen, stays. Throws OCDN_USAGE for a port wanted twice. */
export async function choosePorts(
  wanted: WantedPorts,
  before: StackPorts | undefined,
): Promise<StackPorts> {
  const names = Object.keys(defaultPorts) as (keyof StackPorts)[];
  const free = await freePorts(before === undefined ? names.length : 0);
  const chosen = Object.fromEntries(
    names.map((name, index) => {
      const asked = wanted[name];
      if (asked === 0) return [name, before?.[name] ?? (free[index] as number)];
      return [name, asked ?? before?.[name] ?? defaultPorts[name]];
    }),
  ) as unknown as StackPorts;
  for (const name of names) {
    const other = names.find((one) => one !== name && chosen[one] === chosen[name]);
    if (other !== undefined) {
      throw new OpenCdnError(
        "OCDN_USAGE",
        `choosing ports: ${name} and ${other} cannot both have ${chosen[name]}`,
      );
    }
  }
  return chosen;
}

/** Throws OCDN_CONFIG where something listens on the port already. */
export async function checkFree(name: string, wanted: number): Promise<void> {
  try {
    await close(await listen(wanted));
  } catch (error) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `starting ${name}: port ${wanted} of 127.0.0.1 cannot be used (${messageOf(error)}); choose another with --${name}-port, or 0 for a free one`,
      { cause: error },
    );
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map(close));
  return ports;
}

function listen(wanted: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(wanted, "127.0.0.1", () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
