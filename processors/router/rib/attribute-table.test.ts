import { describe, expect, it } from "vitest";
import { PackedStore } from "../../../streams/packed-store.ts";
import { AttributeTable } from "./attribute-table.ts";
import { unpackAttributes } from "./packed-attributes.ts";
import { attributesOf } from "./testing/bgp-messages.ts";

function open(): { table: AttributeTable; attributes: PackedStore; references: PackedStore } {
  const attributes = new PackedStore("attributes");
  const references = new PackedStore("references");
  return { table: new AttributeTable(attributes, references), attributes, references };
}

function idKey(id: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(id);
  return key;
}

describe("the attribute table", () => {
  it("keeps a set while routes refer to it", () => {
    const { table, attributes, references } = open();
    const id = table.intern(attributesOf([1, 2, 3]));
    table.acquire(id, 2);
    expect(table.intern(attributesOf([1, 2, 3]))).toBe(id);
    table.acquire(id, 1);
    table.release(id, 2);
    expect([table.load(id), table.originAsn, table.pathLength]).toEqual([true, 3, 3]);
    table.release(id, 1);
    expect([table.load(id), attributes.size, references.size]).toEqual([false, 0, 0]);
  });

  it("drops a set that no route took", () => {
    const { table, attributes } = open();
    table.acquire(table.intern(attributesOf([4])), 0);
    expect(attributes.size).toBe(0);
  });

  it("keeps two sets apart whose hashes are equal", () => {
    const one = { ...attributesOf([1, 2, 3]), multiExitDisc: 15_640_442, localPref: 14_765_874 };
    const other = { ...one, multiExitDisc: 7_452_749, localPref: 241_944_670 };
    const alone = open();
    expect(alone.table.intern(other)).toBe(open().table.intern(one));
    const { table, attributes } = open();
    const first = table.intern(one);
    table.acquire(first, 1);
    const second = table.intern(other);
    table.acquire(second, 1);
    expect(second).toBe(first + 1);
    expect(attributes.find(idKey(second), 0, 4)).toBe(true);
    const packed = attributes.bytes.subarray(attributes.valueStart, attributes.valueEnd);
    expect(unpackAttributes(packed)).toEqual(other);
    table.release(first, 1);
    expect(table.load(second)).toBe(true);
  });
});
