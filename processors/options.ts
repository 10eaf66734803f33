/** What a person writes of the options `T` of a processor: any of them, the rest are defaults. */
export type PartialOptions<T> = { readonly [K in keyof T]?: T[K] | undefined };
