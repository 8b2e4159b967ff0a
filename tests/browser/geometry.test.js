import assert from "node:assert/strict";
import test from "node:test";

import {
  beliefScale,
  chartEnd,
  linear,
  linePath,
  stepPath,
  timeTicks,
  wavePath,
} from "../../agent/demo/web/geometry.js";

test("each level is a third of the height, whatever its thresholds are", () => {
  for (const levels of [
    { strained: 0.1, distressed: 0.5 },
    { strained: 0.15, distressed: 0.7 },
  ]) {
    const y = beliefScale(levels, 0, 90);
    const heights = [0, levels.strained, levels.distressed, 1].map(y);
    heights.forEach((height, index) => assert.ok(Math.abs(height - (90 - 30 * index)) < 1e-9));
  }
});

test("a belief outside 0 to 1, or thresholds that meet, leave the chart's height as it is", () => {
  const y = beliefScale({ strained: 0.5, distressed: 0.5 }, 0, 90);
  for (const belief of [-1, 0, 0.5, 1, 7]) assert.ok(y(belief) >= 0 && y(belief) <= 90);
});

test("what happens now is always on the chart, with the axis labelled to its end", () => {
  for (const now of [0, 44, 45, 61, 599, 601, 4000]) {
    const end = chartEnd(now);
    assert.ok(end > now, `${now} s`);
    const ticks = timeTicks(end, 700);
    assert.equal(ticks[0], 0);
    assert.ok(ticks.length >= 2 && ticks.length <= 12 && ticks.at(-1) <= end, `${now} s: ${ticks}`);
  }
});

test("paths go through their points", () => {
  const points = [
    { x: 0, y: 9 },
    { x: 10, y: 3 },
  ];
  assert.equal(linePath(points), "M0 9L10 3");
  assert.equal(stepPath(points, 20), "M0 9H10V3H20");
  assert.equal(stepPath([], 20), "");
});

test("a silent line has no wave, a loud moment has one that stays in its lane", () => {
  const x = linear([0, 10], [0, 100]);
  assert.equal(wavePath([{ atS: 1, level: 0 }], x, 50, 10), "");
  assert.equal(
    wavePath(
      [
        { atS: 1, level: 1 },
        { atS: 1.01, level: 0.2 },
      ],
      x,
      50,
      10,
    ),
    "M10 40V60",
  );
});
