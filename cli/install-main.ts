import { chmod, mkdir, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { prepareInstalledGeo } from "../gateways/site/main.ts";
import { packageFolder } from "./settings.ts";

/**
 * What the installation does after the build: makes `npx opencdn` find the command in a checkout, and compiles the geo
 * table, so that the first start need not. The link is made here and not by a `bin` entry, for npx would then install
 * the checkout into its cache, which builds everything again and takes seconds at every call.
 */
async function install(): Promise<void> {
  const program = path.join(packageFolder(), "dist/cli/main.js");
  await chmod(program, 0o755);
  const programs = path.join(packageFolder(), "node_modules/.bin");
  await mkdir(programs, { recursive: true });
  const link = path.join(programs, "opencdn");
  await rm(link, { force: true });
  await symlink(path.relative(programs, program), link);
  await prepareInstalledGeo();
}

await install();
