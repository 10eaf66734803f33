import type { StoreChanges } from "./commit.ts";
import { OpenCdnError } from "./errors.ts";
import { PackedStore } from "./packed-store.ts";
import type { Processor } from "./processor.ts";
import { RecordStoreView } from "./record-store.ts";
import { type RecordStore, type RecordStoreSpec, type StoreSpec, storeSpec } from "./store.ts";

/** Times and timers of a task are kept in stores of their own, so that they are undone and digested too. */
export const timeStore: StoreSpec = storeSpec("~time");
export const timerStore: StoreSpec = storeSpec("~timers");

export interface SealedStores {
  readonly changes: StoreChanges[];
  /** The stores that changed, sorted by name; the others are as the entry before says. */
  readonly digests: readonly {
    readonly store: string;
    readonly entries: number;
    readonly digest: Buffer;
  }[];
}

/** The stores of one task. */
export class TaskStores {
  readonly #byName = new Map<string, PackedStore>();
  readonly #all: PackedStore[] = [];
  readonly #views = new Map<string, RecordStoreView<never>>();

  constructor(processor: Processor) {
    const names = [timeStore, timerStore, ...processor.stores].map((spec) => spec.name).sort();
    for (const name of names) {
      if (this.#byName.has(name)) {
        throw new OpenCdnError("OCDN_UNDECLARED", `${processor.name}: two stores called ${name}`);
      }
      const store = new PackedStore(name);
      this.#byName.set(name, store);
      this.#all.push(store);
    }
  }

  packed(spec: StoreSpec): PackedStore {
    const store = this.#byName.get(spec.name);
    if (store === undefined) {
      throw new OpenCdnError("OCDN_UNDECLARED", `opening store ${spec.name}: not declared`);
    }
    return store;
  }

  records<T>(spec: RecordStoreSpec<T>): RecordStore<T> {
    let view = this.#views.get(spec.name) as RecordStoreView<T> | undefined;
    if (view === undefined) {
      view = new RecordStoreView(this.packed(spec), spec.schema);
      this.#views.set(spec.name, view as RecordStoreView<never>);
    }
    return view;
  }

  load(load: (store: string, put: (key: Uint8Array, value: Uint8Array) => void) => void): void {
    for (const [name, store] of this.#byName) load(name, (key, value) => store.load(key, value));
  }

  mark(): void {
    for (const store of this.#all) store.mark();
  }

  rollbackToMark(): void {
    for (const store of this.#all) store.rollbackToMark();
  }

  seal(): SealedStores {
    const changes: StoreChanges[] = [];
    const digests: SealedStores["digests"][number][] = [];
    for (const store of this.#all) {
      const { changes: changed, entries, digest } = store.seal();
      if (changed.count === 0) continue;
      changes.push(changed);
      digests.push({ store: store.name, entries, digest: Buffer.from(digest) });
    }
    return { changes, digests };
  }

  committed(): void {
    for (const store of this.#all) store.committed();
  }

  abort(): void {
    for (const store of this.#all) store.abort();
  }
}
