/**
 * What RFC 7606 (and 6793, 8092) finds wrong in an UPDATE message or RIB entry. The name says the
 * part; whether its routes count as withdrawn, the attribute is left out or the message is dropped
 * follows from it.
 */
export type UpdateFault =
  | "messageTruncated"
  | "updateLength"
  | "withdrawnRoutes"
  | "nlri"
  | "multiprotocolRepeated"
  | "mpReach"
  | "mpUnreach"
  | "attributeLength"
  | "attributeFlags"
  | "attributeRepeated"
  | "origin"
  | "originMissing"
  | "asPath"
  | "asPathMissing"
  | "nextHop"
  | "nextHopMissing"
  | "multiExitDisc"
  | "localPref"
  | "localPrefExternal"
  | "atomicAggregate"
  | "aggregator"
  | "communities"
  | "extendedCommunities"
  | "largeCommunities"
  | "originatorId"
  | "originatorIdExternal"
  | "clusterList"
  | "clusterListExternal"
  | "as4Path"
  | "as4PathNeedless"
  | "as4Aggregator"
  | "as4AggregatorNeedless";
