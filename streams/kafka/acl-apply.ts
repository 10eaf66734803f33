import type { AclEntry } from "kafkajs";
import { OpenCdnError } from "../errors.ts";
import {
  type AclDifference,
  type AclOperation,
  type AclResource,
  type AclRule,
  diffAcls,
} from "./acl-plan.ts";
import type { Cluster } from "./cluster.ts";

// Numbers of the Kafka protocol (org.apache.kafka.common.acl, .resource).
const anyNumber = 1;
const allow = 3;
const literal = 3;
const prefixed = 4;
const resourceNumbers: Readonly<Record<AclResource, number>> = {
  TOPIC: 2,
  GROUP: 3,
  TRANSACTIONAL_ID: 5,
};
const operationNumbers: Readonly<Record<AclOperation, number>> = {
  READ: 3,
  WRITE: 4,
  DESCRIBE: 8,
};
const anyHost = "*";

/** Reads the permissions of the planned principals and compares. */
export async function inspectAcls(
  cluster: Cluster,
  wanted: readonly AclRule[],
): Promise<AclDifference> {
  const found: AclRule[] = [];
  for (const principal of new Set(wanted.map((rule) => rule.principal)))
    found.push(...(await readAcls(cluster, principal)));
  return diffAcls(wanted, found);
}

async function readAcls(cluster: Cluster, principal: string): Promise<AclRule[]> {
  const { resources } = await cluster.run(`reading permissions of ${principal}`, (admin) =>
    admin.describeAcls({
      resourceType: anyNumber,
      resourcePatternType: anyNumber,
      operation: anyNumber,
      permissionType: anyNumber,
      principal,
    }),
  );
  return resources.flatMap(({ resourceType, resourceName, resourcePatternType, acls }) =>
    acls.flatMap((acl): AclRule[] => {
      const resource = nameOf(resourceNumbers, resourceType);
      const operation = nameOf(operationNumbers, acl.operation);
      const known =
        resource !== undefined &&
        operation !== undefined &&
        Number(acl.permissionType) === allow &&
        acl.host === anyHost;
      // What a person forbade or allowed in another way is theirs.
      if (!known) return [];
      const prefix = Number(resourcePatternType) === prefixed;
      return [{ principal, resource, name: resourceName, prefix, operation }];
    }),
  );
}

function nameOf<K extends string>(
  numbers: Readonly<Record<K, number>>,
  number: number,
): K | undefined {
  return (Object.keys(numbers) as K[]).find((name) => numbers[name] === Number(number));
}

/** Adds what is missing first, then takes away what is too much, so that nobody is locked out in between. */
export async function applyAcls(
  cluster: Cluster,
  { missing, surplus }: AclDifference,
): Promise<void> {
  if (missing.length > 0)
    await cluster.run("adding permissions", (admin) =>
      admin.createAcls({ acl: missing.map(entryOf) }),
    );
  if (surplus.length === 0) return;
  const { filterResponses } = await cluster.run("removing permissions", (admin) =>
    admin.deleteAcls({ filters: surplus.map(entryOf) }),
  );
  const failed = filterResponses.find(({ errorCode }) => errorCode !== 0);
  if (failed !== undefined)
    throw new OpenCdnError(
      "OCDN_KAFKA",
      `removing permissions: ${failed.errorMessage ?? `error ${failed.errorCode}`}`,
    );
}

function entryOf(rule: AclRule): AclEntry {
  return {
    principal: rule.principal,
    host: anyHost,
    permissionType: allow,
    operation: operationNumbers[rule.operation],
    resourceType: resourceNumbers[rule.resource],
    resourceName: rule.name,
    resourcePatternType: rule.prefix ? prefixed : literal,
  };
}
