import { describe, expect, it } from "vitest";
import { registryError } from "./registry-error.ts";

function thrown(message: string, more: object): Error {
  return Object.assign(new Error(message), more);
}

describe("registryError", () => {
  it("puts a refusal into one sentence, without the Java class", () => {
    const error = registryError(
      "registering the schema of a.v1-value",
      thrown("io.apicurio.registry.rules.RuleViolationException: Incompatible artifact:\n a", {
        status: 409,
      }),
    );
    expect(error.code).toBe("OCDN_SCHEMA_REFUSED");
    expect(error.message).toBe("registering the schema of a.v1-value: Incompatible artifact: a");
  });

  it.each([
    [{ status: 401 }, "OCDN_ACCESS"],
    [{ status: 404 }, "OCDN_NOT_FOUND"],
    [{ status: 422 }, "OCDN_SCHEMA_REFUSED"],
    [{ status: 500 }, "OCDN_REGISTRY"],
    [{ code: "ECONNREFUSED" }, "OCDN_DISCONNECTED"],
    [{ code: "ECONNABORTED" }, "OCDN_TIMEOUT"],
  ])("gives %j the code %s", (more, code) => {
    expect(registryError("x", thrown("y", more)).code).toBe(code);
  });

  it("keeps nothing of the request, which holds credentials", () => {
    const error = registryError("x", thrown("", { code: "ECONNREFUSED", config: "hush" }));
    expect(error.cause).toBeUndefined();
    expect(error.message).toBe("x: ECONNREFUSED");
  });
});
