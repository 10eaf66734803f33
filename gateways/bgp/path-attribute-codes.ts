/** Type codes of the path attributes that are read (IANA registry "BGP Path Attributes"). */
export const attribute = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  multiExitDisc: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  largeCommunities: 32,
} as const;

/** Attribute flags (RFC 4271 section 4.3). */
export const attributeFlag = {
  optional: 0x80,
  transitive: 0x40,
  extendedLength: 0x10,
} as const;
