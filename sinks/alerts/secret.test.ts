import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSecret } from "./secret.ts";

const folder = mkdtempSync(join(tmpdir(), "ocdn-secret-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string, mode: number): string {
  const file = join(folder, "secret");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

describe("the webhook's secret", () => {
  it("is the file's text without white space around it", async () => {
    const secret = await readSecret(fileOf(" quiet\n", 0o600));
    expect(secret.export().toString()).toBe("quiet");
  });

  it.each([
    ["quiet", 0o640, "others may read it"],
    [" \n", 0o600, "it is empty"],
    ["x".repeat(5_000), 0o600, "it has 5000 bytes"],
  ])("is refused without being shown (%#)", async (text, mode, reason) => {
    const failed = await readSecret(fileOf(text, mode)).catch((error: Error) => error);
    expect(failed).toMatchObject({ code: "OCDN_CONFIG" });
    expect(String(failed)).toContain(reason);
    expect(String(failed)).not.toContain("quiet");
  });

  it("is asked for by a sentence when there is no file", async () => {
    await expect(readSecret(join(folder, "none"))).rejects.toMatchObject({ code: "OCDN_CONFIG" });
  });
});
