const name = /^[A-Za-z_][A-Za-z0-9_]*$/;
const maxCharacters = 65_536;

/**
 * Reads lines of `NAME=value` as Docker Compose reads an `env_file` of plain values: empty lines and lines that begin
 * with `#` say nothing, everything behind the first `=` is the value. Values with quotes, `$` or spaces at their ends
 * mean another thing there, so they are refused. Throws SyntaxError naming the line.
 */
export function parseEnvFile(text: string): Map<string, string> {
  if (text.length > maxCharacters) throw new SyntaxError(`longer than ${maxCharacters} characters`);
  const values = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const key = line.slice(0, Math.max(at, 0));
    const value = line.slice(at + 1);
    if (!name.test(key)) throw new SyntaxError(`line ${index + 1}: NAME=value is wanted`);
    if (values.has(key)) throw new SyntaxError(`line ${index + 1}: ${key} is there twice`);
    if (value.trim() !== value || /["'`$\\]| #/.test(value)) {
      throw new SyntaxError(`line ${index + 1}: only plain text is read the same everywhere`);
    }
    values.set(key, value);
  }
  return values;
}

/** The words of a value such as `-Xms64m -Xmx256m`. */
export function wordsOf(value: string | undefined): string[] {
  return (value ?? "").split(/\s+/).filter((word) => word !== "");
}
