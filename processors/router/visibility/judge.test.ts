import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { visibilityOptions } from "./config.ts";
import { judgePrefix, type PeerStanding, type PeerView } from "./judge.ts";

const options = visibilityOptions.parse({});
const good: PeerStanding = { up: true, live: true, fresh: true };

function views(visible: readonly boolean[], originAsn = 64_500, exact = true): PeerView[] {
  return visible.map((seen, index) => ({
    peer: `c/${index}/a`,
    visible: seen,
    exact,
    originAsn: seen ? originAsn : 0,
    pathLength: seen ? index + 2 : 0,
  }));
}

const judge = (list: readonly PeerView[], standing: PeerStanding | undefined = good) =>
  judgePrefix(list, () => standing, "any", options);

describe("the visibility of a prefix", () => {
  it("is NO only when three live peers have a view and none has a route", () => {
    expect(judge(views([false, false, false]))).toMatchObject({ state: "NO", reason: "NOT_SEEN" });
    expect(judge(views([false, false]))).toMatchObject({
      state: "UNKNOWN",
      reason: "TOO_FEW_PEERS",
    });
    expect(judge(views([true, false, false]))).toMatchObject({
      state: "UNKNOWN",
      reason: "PARTLY_SEEN",
    });
    expect(judge(views([true, true, false]))).toMatchObject({ state: "YES", reason: "SEEN" });
  });

  it("allows for a few peers that keep a dead route", () => {
    const zombies = (many: number) => Array.from({ length: 20 }, (_, index) => index < many);
    expect(judge(views(zombies(2))).state).toBe("NO");
    expect(judge(views(zombies(3))).state).toBe("UNKNOWN");
  });

  it("says why nothing is known", () => {
    const list = views([false, false, false, false]);
    expect(judge([]).reason).toBe("NO_VIEWS");
    expect(judge(list, { ...good, live: false }).reason).toBe("HISTORICAL_FEED");
    expect(judge(list, { ...good, fresh: false }).reason).toBe("FEED_SILENT");
    expect(judge(list, { ...good, up: false }).reason).toBe("TOO_FEW_PEERS");
  });

  it("finds an origin that is not allowed where most peers see it for this very prefix", () => {
    const allowed = new Set([64_500]);
    const wrong = (list: readonly PeerView[]) =>
      judgePrefix(list, () => good, allowed, options).wrongOrigin;
    const own = views([true, true, true]);
    const foreign = views([true, true], 666).map((view, index) => ({
      ...view,
      peer: `d/${index}`,
    }));
    expect(wrong(own)).toBe(false);
    expect(wrong([...own, ...foreign])).toBe(false);
    expect(wrong([own[0] as PeerView, ...foreign])).toBe(true);
    expect(wrong(views([true, true, true], 666, false))).toBe(false);
  });

  it("never masks on what is not certain", () => {
    const peer = fc.record({
      visible: fc.boolean(),
      up: fc.boolean(),
      live: fc.boolean(),
      fresh: fc.boolean(),
      pathLength: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(peer, { maxLength: 30 }), (peers) => {
        const list = peers.map((one, index) => ({
          peer: String(index),
          exact: true,
          originAsn: 1,
          ...one,
        }));
        const finding = judgePrefix(list, (name) => peers[Number(name)], "any", options);
        const sure = peers.filter((one) => one.up && one.live && one.fresh);
        expect(finding.livePeers).toBe(sure.length);
        expect(finding.seeingPeers).toBe(sure.filter((one) => one.visible).length);
        if (finding.state === "NO") {
          expect(sure.length).toBeGreaterThanOrEqual(3);
          expect(finding.seeingPeers / sure.length).toBeLessThanOrEqual(0.1);
        }
        if (sure.length < 3) expect(finding.state).toBe("UNKNOWN");
      }),
    );
  });
});
