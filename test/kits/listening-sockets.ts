import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

/** State `TCP_LISTEN` of /proc/net/tcp. */
const listening = "0A";

/** The TCP sockets on which a process listens, IPv4 and IPv6, from /proc. */
export function listeningSockets(pid: number): ListeningSocket[] {
  const own = new Set(inodesOf(pid));
  return ["tcp", "tcp6"].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, "utf8")
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === listening && own.has(fields[9] ?? ""))
      .map((fields) => {
        const [address = "", port = ""] = (fields[1] ?? "").split(":");
        return {
          address: addressOf(address),
          port: Number.parseInt(port, 16),
          inode: fields[9] ?? "",
        };
      }),
  );
}

/** Whether an address cannot be reached from another machine. */
export function isLoopback(address: string): boolean {
  return /^127\./.test(address) || address === "::1" || /^::ffff:127\./.test(address);
}

function inodesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.slice(1) ?? [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

/** Words of four bytes in the order of a little-endian machine, as text. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16));
  if (numbers.length === 4) return numbers.join(".");
  const start = numbers.slice(0, 12);
  if (start.slice(0, 10).every((byte) => byte === 0) && start[10] === 255 && start[11] === 255)
    return `::ffff:${numbers.slice(12).join(".")}`;
  if (numbers.slice(0, 15).every((byte) => byte === 0)) return numbers[15] === 1 ? "::1" : "::";
  return bytes.join(":");
}
