import type { RedisScript } from "../../streams/redis/redis-connection.ts";
import { scoreFields } from "./score-fields.ts";

const fieldCount = scoreFields.length;
/** `'eventId', ARGV[at + 2], …` */
const pairs = scoreFields.map((field, i) => `'${field}', ARGV[at + ${i + 2}]`).join(", ");
const names = scoreFields.map((field) => `'${field}'`).join(", ");
const scoreIndex = scoreFields.indexOf("staticScore") + 2;

/**
 * Writes and removals, in order. KEYS: rank, removed, one hash an entry. ARGV: most nodes, most removals, then for each
 * entry the node, its moment and the fields of the score, or one empty field for a removal. A moment is compared with
 * that of the hash, or of the removal that is remembered; 1 for each entry that stands, 0 for one that came too late
 * or found no room. The first command that needs memory comes before any change, so that a full Redis changes nothing.
 */
const write: RedisScript = {
  name: "ocdnScoreWrite",
  lua: `
local call = redis.call
local rank, removed = KEYS[1], KEYS[2]
local mostNodes, mostRemoved = tonumber(ARGV[1]), tonumber(ARGV[2])
local at, done = 3, {}
for i = 3, #KEYS do
  local key, node, moment = KEYS[i], ARGV[at], ARGV[at + 1]
  local there = call('HGET', key, 'atMs')
  local known = there or call('ZSCORE', removed, node)
  local stands = not known or tonumber(known) <= tonumber(moment)
  if ARGV[at + 2] == '' then
    if stands then
      call('ZADD', removed, moment, node)
      call('DEL', key)
      call('ZREM', rank, node)
      if call('ZCARD', removed) > mostRemoved then
        call('ZREMRANGEBYRANK', removed, 0, -mostRemoved - 1)
      end
    end
    at = at + 3
  else
    stands = stands and (there or call('ZCARD', rank) < mostNodes)
    if stands then
      call('HSET', key, 'atMs', moment, ${pairs})
      call('ZADD', rank, ARGV[at + ${scoreIndex}], node)
      if known and not there then call('ZREM', removed, node) end
    end
    at = at + ${fieldCount + 2}
  end
  done[i - 2] = stands and 1 or 0
end
return done`,
};

/**
 * The best nodes, each with its fields, in any order. KEYS: rank. ARGV: how many, what begins the key of a hash. Redis
 * orders equal scores by falling name, so those that share the last place are taken by rising name instead.
 */
const top: RedisScript = {
  name: "ocdnScoreTop",
  lua: `
local call = redis.call
local rank, count, prefix = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local best = call('ZREVRANGE', rank, 0, count - 1, 'WITHSCORES')
if #best == 0 then return {} end
local last = best[#best]
local nodes = {}
for i = 1, #best, 2 do
  if best[i + 1] ~= last then nodes[#nodes + 1] = best[i] end
end
local tied = call('ZRANGEBYSCORE', rank, last, last, 'LIMIT', 0, count - #nodes)
for i = 1, #tied do nodes[#nodes + 1] = tied[i] end
local found = {}
for i = 1, #nodes do
  found[i] = { nodes[i], call('HMGET', prefix .. nodes[i], ${names}) }
end
return found`,
};

/**
 * Makes the table one of this log. KEYS: marker, complete, rank, removed. ARGV: log, a new epoch, how many hashes to
 * delete at most, what begins the key of a hash. Gives the marker when it is one of this log; otherwise clears what is
 * there, in bounded steps (gives false until it is empty), and writes the marker.
 */
const begin: RedisScript = {
  name: "ocdnScoreBegin",
  lua: `
local call = redis.call
local own = ARGV[1] .. ' '
local marker = call('GET', KEYS[1])
if marker and string.sub(marker, 1, #own) == own then return marker end
call('DEL', KEYS[1], KEYS[2])
local nodes = call('ZRANGE', KEYS[3], 0, tonumber(ARGV[3]) - 1)
if #nodes > 0 then
  for i = 1, #nodes do call('DEL', ARGV[4] .. nodes[i]) end
  call('ZREM', KEYS[3], unpack(nodes))
  return false
end
call('DEL', KEYS[4])
call('SET', KEYS[1], own .. ARGV[2])
return own .. ARGV[2]`,
};

/** Says that the table is complete when the marker still stands. KEYS: marker, complete. ARGV: the marker. */
const finish: RedisScript = {
  name: "ocdnScoreFinish",
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
return 1`,
};

/**
 * What stands of some nodes. KEYS: rank, one hash a node. ARGV: the nodes. Gives moment and event id of each, or
 * nothing where the hash is missing or its score is not the one in the rank.
 */
const stamps: RedisScript = {
  name: "ocdnScoreStamps",
  lua: `
local call = redis.call
local found = {}
for i = 2, #KEYS do
  local hash = call('HMGET', KEYS[i], 'atMs', 'eventId', 'staticScore')
  local score = call('ZSCORE', KEYS[1], ARGV[i - 1])
  local stands = hash[1] and hash[2] and hash[3] and score
  stands = stands and tonumber(score) == tonumber(hash[3])
  found[i - 1] = stands and hash[1] .. ' ' .. hash[2] or ''
end
return found`,
};

export const scoreScripts: readonly RedisScript[] = [write, top, begin, finish, stamps];
