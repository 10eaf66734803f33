import fs from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isDataFolder, prepareFolder } from "./data-folder.ts";
import { newFolder, openLog, removeFolders } from "./testing/log-fixture.ts";

afterAll(removeFolders);

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  fs.mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

describe("a data folder", () => {
  it("is made where nothing or an empty folder is, and found again", async () => {
    for (const folder of [newFolder(), folderWith({})]) {
      expect(isDataFolder(folder)).toBe(false);
      prepareFolder(folder);
      prepareFolder(folder);
      expect(isDataFolder(folder)).toBe(true);
    }
  });

  it("is made again where the machine stopped while it was made", () => {
    const folder = folderWith({ "FORMAT.new": "opencdn lo" });
    prepareFolder(folder);
    expect(isDataFolder(folder)).toBe(true);
  });

  it("of a newer version is refused in one sentence, and left alone", async () => {
    const folder = folderWith({ FORMAT: "opencdn log 2\n" });
    await expect(openLog(folder)).rejects.toMatchObject({
      code: "OCDN_FOLDER_NEWER",
      message: `opening ${folder}: it was written by a newer version (format 2, this one reads 1); use that version`,
    });
    expect(fs.readdirSync(folder)).toEqual(["FORMAT"]);
  });

  it("is not made where something else lies", async () => {
    const folder = folderWith({ "notes.txt": "mine" });
    await expect(openLog(folder)).rejects.toMatchObject({
      code: "OCDN_BAD_INPUT",
      message: `opening ${folder}: it holds notes.txt and is no data folder; choose an empty one`,
    });
    expect(fs.readdirSync(folder)).toEqual(["notes.txt"]);
  });

  it.each(["", "opencdn log 0\n", "opencdn log 1", "something\n", "x".repeat(10_000)])(
    "is not one with the format file %j",
    (text) => {
      expect(() => prepareFolder(folderWith({ FORMAT: text }))).toThrow("is not ours");
    },
  );

  it("can't be a file", () => {
    const file = path.join(folderWith({ file: "" }), "file");
    expect(() => prepareFolder(file)).toThrow(/^opening the data folder .*EEXIST/);
  });
});
