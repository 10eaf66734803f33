import { connect } from "node:net";

/** Rejects unless a GET of the URL is answered with 200. */
export async function checkHttp(url: string, withinMs: number): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(withinMs), redirect: "error" });
  await response.body?.cancel();
  if (response.status !== 200) throw new Error(`answered ${response.status}`);
}

/** Rejects unless the broker on this port names itself as the controller's leader and answers. */
export async function checkKafka(port: number, withinMs: number): Promise<void> {
  const { Kafka, logLevel } = await import("kafkajs");
  const admin = new Kafka({
    clientId: "opencdn-stack",
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    connectionTimeout: withinMs,
    requestTimeout: withinMs,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length === 0) throw new Error("no broker is registered");
  } finally {
    await admin.disconnect();
  }
}

/** Rejects unless Redis on this port answers PING. */
export function checkRedis(port: number, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    const end = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    let answer = "";
    socket.setTimeout(withinMs, () => end(new Error("no answer in time")));
    socket.on("error", end).on("close", () => end(new Error("the connection was closed")));
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer = (answer + part).slice(0, 200);
      if (answer.startsWith("+PONG\r\n")) end();
      else if (answer.includes("\r\n")) end(new Error(`answered ${answer.split("\r\n")[0]}`));
    });
    socket.write("PING\r\n");
  });
}
