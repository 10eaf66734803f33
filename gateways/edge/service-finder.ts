import type { PolicyTable } from "./fleet-tables.ts";
import { hostOf } from "./host.ts";
import { maxCachedHosts } from "./limits.ts";

/** Finds the service of a Host header: the one whose policy names the host, or the default one. */
export class ServiceFinder {
  readonly #policies: PolicyTable;
  readonly #defaultService: string | undefined;
  readonly #cache = new Map<string, string | undefined>();
  #generation = -1;

  constructor(policies: PolicyTable, defaultService: string | undefined) {
    this.#policies = policies;
    this.#defaultService = defaultService;
  }

  /** The service, or undefined when no policy names the host and there is no default. */
  find(host: string | undefined): string | undefined {
    if (host === undefined) return this.#defaultService;
    if (this.#generation !== this.#policies.generation || this.#cache.size >= maxCachedHosts) {
      this.#generation = this.#policies.generation;
      this.#cache.clear();
    }
    const known = this.#cache.get(host);
    if (known !== undefined || this.#cache.has(host)) return known;
    const name = hostOf(host);
    const found = name === undefined ? undefined : this.#policies.serviceOf(name);
    const service = found ?? this.#defaultService;
    this.#cache.set(host, service);
    return service;
  }
}
