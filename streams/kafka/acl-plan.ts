import { identityTopic, slotsTopic } from "./topic-plan.ts";

/** What one role of the fleet does with topics. */
export interface RoleAccess {
  readonly role: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** True for a role that shares out slots by a consumer group and commits positions with it. */
  readonly group: boolean;
}

export type AclOperation = "READ" | "WRITE" | "DESCRIBE";
export type AclResource = "TOPIC" | "GROUP" | "TRANSACTIONAL_ID";

/** One permission. Names are literal, except where `prefix` says that all that begin so are meant. */
export interface AclRule {
  readonly principal: string;
  readonly resource: AclResource;
  readonly name: string;
  readonly prefix: boolean;
  readonly operation: AclOperation;
}

const roleName = /^[a-z][a-z0-9-]{0,40}$/;

/** The principal of a role: `User:opencdn.<role>`. */
export function principalOf(role: string): string {
  return `User:opencdn.${role}`;
}

/** The consumer group of a role. */
export function groupOf(role: string): string {
  return `opencdn.${role}`;
}

/**
 * The permissions of each role and nothing more: topics and groups by their whole names; transactional ids by the
 * role's prefix with a dot at its end, so that no role's prefix begins another's. A writer of a topic may write
 * idempotently by that alone (Kafka 3.0 and later). In order of roles, without repetition. Throws RangeError for a
 * role whose name is none or comes twice.
 */
export function planAcls(roles: readonly RoleAccess[]): readonly AclRule[] {
  const seen = new Set<string>();
  return roles.flatMap((access) => {
    const { role } = access;
    if (!roleName.test(role) || seen.has(role))
      throw new RangeError(
        `planning permissions: ${role.slice(0, 80)} is no name of a role or comes twice`,
      );
    seen.add(role);
    return rulesOf(access);
  });
}

function rulesOf({ role, reads, writes, group }: RoleAccess): AclRule[] {
  const principal = principalOf(role);
  const rules = new Map<string, AclRule>();
  const allow = (
    resource: AclResource,
    name: string,
    operations: readonly AclOperation[],
    prefix: boolean = false,
  ): void => {
    for (const operation of operations) {
      const rule: AclRule = { principal, resource, name, prefix, operation };
      rules.set(keyOf(rule), rule);
    }
  };
  for (const topic of new Set([identityTopic, ...(group ? [slotsTopic] : []), ...reads]))
    allow("TOPIC", topic, ["READ", "DESCRIBE"]);
  for (const topic of new Set(writes)) allow("TOPIC", topic, ["WRITE", "DESCRIBE"]);
  if (group) allow("GROUP", groupOf(role), ["READ", "DESCRIBE"]);
  if (writes.length > 0) allow("TRANSACTIONAL_ID", `opencdn.${role}.`, ["WRITE", "DESCRIBE"], true);
  return [...rules.values()];
}

/** What to add so that exactly `wanted` is allowed to its principals, and what to take away from them. */
export interface AclDifference {
  readonly missing: readonly AclRule[];
  /** Permissions of the planned principals that no role needs any more. Other principals are not looked at. */
  readonly surplus: readonly AclRule[];
}

/** Compares permissions, whatever their order. */
export function diffAcls(wanted: readonly AclRule[], found: readonly AclRule[]): AclDifference {
  const want = new Set(wanted.map(keyOf));
  const have = new Set(found.map(keyOf));
  const ours = new Set(wanted.map(({ principal }) => principal));
  return {
    missing: wanted.filter((rule) => !have.has(keyOf(rule))),
    surplus: found.filter((rule) => ours.has(rule.principal) && !want.has(keyOf(rule))),
  };
}

/** A permission as one line. */
export function describeRule({ principal, resource, name, prefix, operation }: AclRule): string {
  return `${principal} ${operation} ${resource} ${name}${prefix ? "*" : ""}`;
}

function keyOf({ principal, resource, name, prefix, operation }: AclRule): string {
  return JSON.stringify([principal, resource, name, prefix, operation]);
}
