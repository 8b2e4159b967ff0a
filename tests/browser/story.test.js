import assert from "node:assert/strict";
import test from "node:test";

import { describe } from "../../agent/demo/web/chart.js";
import { Story } from "../../agent/demo/web/story.js";

const turn = (number, endedAtS) => ({
  kind: "turn",
  turn: number,
  startedAtS: endedAtS - 2,
  endedAtS,
  text: null,
  overAt: null,
});
const decision = (number, action, level) => ({
  kind: "decision",
  decision: { turn: number, action, level, belief: 0.2, callback: false, reason: "" },
});

test("of several readings of a turn the last one counts, before and after its end", () => {
  const story = new Story();
  story.apply({ kind: "reading", turn: 0, pNegative: 0.9, reason: null });
  assert.equal(story.heardTurns.length, 0, "a turn that is not over has no place on the chart");
  story.apply(turn(0, 5));
  story.apply({ kind: "reading", turn: 0, pNegative: 0.2, reason: null });
  assert.deepEqual(
    story.heardTurns.map((each) => each.pNegative),
    [0.2],
  );
});

test("turns stand in their order, whatever order their messages came in", () => {
  const story = new Story();
  for (const message of [turn(1, 9), decision(1, "proceed", "calm"), turn(0, 4)])
    story.apply(message);
  assert.deepEqual(
    story.turns.map((each) => each.number),
    [0, 1],
  );
});

test("who speaks has one open span, closed when they stop", () => {
  const story = new Story();
  for (const [speaking, atS] of [
    [true, 1],
    [true, 2],
    [false, 3],
    [false, 4],
  ]) {
    story.apply({ kind: "speaking", who: "bot", speaking, atS });
  }
  assert.deepEqual(story.spans, [{ who: "bot", startedAtS: 1, endedAtS: 3 }]);
});

test("the chart says in words what it shows", () => {
  const story = new Story();
  assert.match(describe(story), /no turn/);
  for (const message of [turn(0, 4), decision(0, "proceed", "calm")]) story.apply(message);
  assert.match(describe(story), /1 caller turn, now calm\. No action/);
  for (const message of [turn(1, 70), decision(1, "transfer", "distressed")]) story.apply(message);
  assert.match(
    describe(story),
    /2 caller turns, now distressed\. The bot decided to hand over at 1:10/,
  );
});
