/** Thrown for bytes that cannot be decompressed; what came before was given. */
export class CompressionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CompressionError";
  }
}
