import { afterEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { readSettings, settingsSchema } from "../settings.ts";
import { printConfig } from "./config.ts";

describe("opencdn config", () => {
  afterEach(() => vi.restoreAllMocks());

  it("prints YAML that reads back as the same settings", async () => {
    let text = "";
    vi.spyOn(process.stdout, "write").mockImplementation((piece) => {
      text += String(piece);
      return true;
    });
    const settings = await readSettings(undefined, { data: "/tmp/x", port: 9_000 });
    printConfig(settings, { json: false });
    expect(settingsSchema.parse(parse(text))).toEqual(settings);
    expect(text).toContain("# Folder of everything that is kept.");
    expect(text).toContain("#   webhook");
  });

  it("refuses an option that a part does not have", async () => {
    const settings = await readSettings(undefined, { edge: { debugHeader: true } });
    expect(() => printConfig(settings, { json: true })).toThrow(
      /debugHeader, did you mean debugHeaders/,
    );
  });
});
