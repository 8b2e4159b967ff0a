import assert from "node:assert/strict";
import test from "node:test";

import { findPhrases } from "../../agent/demo/web/phrases.js";

const RATE = 8000;

/** Tones at these times, on a line with a little noise. */
function line(durationS, tones, noise = 0.001) {
  const samples = Float32Array.from(
    { length: durationS * RATE },
    (_, at) => noise * Math.sin(at * at),
  );
  for (const [startS, endS] of tones) {
    for (let at = startS * RATE; at < endS * RATE; at++) samples[at] += 0.3 * Math.sin(at * 0.7);
  }
  return samples;
}

test("a caller's turns are phrases; a breath within one is not an end", () => {
  const phrases = findPhrases(
    line(12, [
      [1, 2],
      [2.5, 3],
      [7, 8.5],
    ]),
    RATE,
  );
  assert.equal(phrases.length, 2);
  assert.ok(phrases[0].startS <= 1 && phrases[0].startS > 0.7, "the start is kept, with a lead");
  assert.ok(phrases[0].endS >= 3 && phrases[0].endS < 3.5, "the end is kept, with a tail");
  assert.ok(phrases[1].startS <= 7 && phrases[1].endS >= 8.5);
});

test("phrases stay in the recording and in order", () => {
  const phrases = findPhrases(
    line(6, [
      [0, 1],
      [5, 6],
    ]),
    RATE,
  );
  assert.equal(phrases[0].startS, 0);
  assert.equal(phrases.at(-1).endS, 6);
  phrases.slice(1).forEach((phrase, index) => assert.ok(phrase.startS > phrases[index].endS));
});

test("silence, a steady noise and a moment are played as they are", () => {
  assert.deepEqual(findPhrases(new Float32Array(2 * RATE), RATE), [{ startS: 0, endS: 2 }]);
  assert.equal(findPhrases(line(3, [], 0.2), RATE).length, 1);
  assert.deepEqual(findPhrases(new Float32Array(10), RATE), [{ startS: 0, endS: 10 / RATE }]);
});
