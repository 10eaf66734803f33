import { type Chunk, RecordCursor } from "../chunk.ts";

const cursor = new RecordCursor();

/** The part of a chunk from `offset` on, over the same memory; the chunk itself when it begins there or later. */
export function trimChunk(chunk: Chunk, offset: number): Chunk {
  if (offset <= chunk.baseOffset) return chunk;
  cursor.open(chunk);
  let start = chunk.start;
  while (cursor.nextOffset < offset && cursor.next()) {
    start = cursor.valueStart < 0 ? cursor.keyEnd : cursor.valueEnd;
  }
  const skipped = cursor.nextOffset - chunk.baseOffset;
  return { ...chunk, start, baseOffset: cursor.nextOffset, count: chunk.count - skipped };
}
