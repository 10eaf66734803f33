import { describe, expect, it } from "vitest";
import type { BgpAttributes } from "../../../schemas/generated/events.ts";
import { PackedStore } from "../../../streams/packed-store.ts";
import { AttributeTable, packedAttributesAt } from "./attribute-table.ts";
import { unpackAttributes } from "./packed-attributes.ts";
import { attributesOf } from "./testing/bgp-messages.ts";

function open(): { table: AttributeTable; attributes: PackedStore } {
  const attributes = new PackedStore("attributes");
  return { table: new AttributeTable(attributes), attributes };
}

/** Interns a set for so many routes. */
function take(table: AttributeTable, set: BgpAttributes, count: number): number {
  const id = table.intern(set);
  table.acquire(id, count, table.originAsn, table.pathLength);
  return id;
}

function idKey(id: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(id);
  return key;
}

describe("the attribute table", () => {
  it("keeps a set while routes refer to it", () => {
    const { table, attributes } = open();
    const id = take(table, attributesOf([1, 2, 3]), 2);
    expect(take(table, attributesOf([1, 2, 3]), 70_000)).toBe(id);
    table.release(id, 2);
    expect([table.load(id), table.originAsn, table.pathLength]).toEqual([true, 3, 3]);
    table.release(id, 69_999);
    expect(table.load(id)).toBe(true);
    table.release(id, 1);
    expect([table.load(id), attributes.size]).toEqual([false, 0]);
  });

  it("does not keep a set that no route took", () => {
    const { table, attributes } = open();
    take(table, attributesOf([4]), 0);
    expect(attributes.size).toBe(0);
  });

  it("keeps two sets apart whose hashes are equal", () => {
    const one = { ...attributesOf([1, 2, 3]), multiExitDisc: 15_640_442, localPref: 14_765_874 };
    const other = { ...one, multiExitDisc: 7_452_749, localPref: 241_944_670 };
    expect(open().table.intern(other)).toBe(open().table.intern(one));
    const { table, attributes } = open();
    const first = take(table, one, 1);
    const second = take(table, other, 1);
    expect(second).toBe(first + 1);
    expect(attributes.find(idKey(second), 0, 4)).toBe(true);
    const { bytes, valueStart, valueEnd } = attributes;
    const packed = bytes.subarray(valueStart + packedAttributesAt, valueEnd);
    expect(unpackAttributes(packed)).toEqual(other);
    table.release(first, 1);
    expect(table.load(second)).toBe(true);
  });
});
