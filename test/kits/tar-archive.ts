/** A ustar archive of these files, for tests. */
export function tarOf(files: readonly (readonly [name: string, content: string])[]): Uint8Array {
  const parts: Buffer[] = [];
  for (const [name, content] of files) {
    const body = Buffer.from(content, "latin1");
    const header = Buffer.alloc(512);
    header.write(name, 0, 100, "latin1");
    header.write(body.length.toString(8).padStart(11, "0"), 124, "latin1");
    header.write("        0", 148, "latin1");
    header.write("ustar\0", 257, "latin1");
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    parts.push(header, body, Buffer.alloc((512 - (body.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1_024)]);
}
