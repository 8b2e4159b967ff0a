import assert from "node:assert/strict";
import test from "node:test";

import { parseMessage } from "../../agent/demo/web/messages.js";

const server = (data) =>
  parseMessage(JSON.stringify({ label: "rtvi-ai", type: "server-message", data }));

test("a reading, a decision and a sentence come through as the page names them", () => {
  assert.deepEqual(
    server({ type: "caller-emotion", turn: 2, p_negative: null, reason: "too short" }),
    {
      kind: "reading",
      turn: 2,
      pNegative: null,
      reason: "too short",
    },
  );
  const decision = {
    turn: 2,
    action: "offer_human",
    level: "distressed",
    belief: 0.6,
    callback: true,
    reason: "why",
  };
  assert.deepEqual(server({ type: "caller-decision", ...decision }), {
    kind: "decision",
    decision,
  });
  assert.deepEqual(server({ type: "demo-said", text: "a", instead_of: "b", at_s: 1 }), {
    kind: "said",
    text: "a",
    insteadOf: "b",
    atS: 1,
  });
});

test("what is not for the page, or is broken, is left aside and breaks nothing", () => {
  const broken = ["", "pong", "null", "[]", "3", '{"label":"rtvi-ai"}', '{"type":"signalling"}'];
  for (const raw of [...broken, undefined, new ArrayBuffer(3)])
    assert.equal(parseMessage(raw), null);
  const incomplete = [
    {},
    { type: "toString" },
    { type: "caller-emotion" },
    { type: "caller-decision", turn: 0, action: "shout", level: "calm", belief: 0 },
    { type: "demo-turn", turn: "0", started_at_s: 0, ended_at_s: 1 },
    { type: "demo-call", levels: {} },
  ];
  for (const data of incomplete) assert.equal(server(data), null);
});

test("a packet with holes is still shown to the human, with what there is", () => {
  const { packet } = server({
    type: "demo-hand-over",
    packet: { summary: "s", turns: [null, { level: 3 }] },
  });
  assert.equal(packet.summary, "s");
  assert.equal(packet.asked, null);
  assert.deepEqual(packet.transcript, []);
  assert.deepEqual(packet.turns[1], { startedAtS: 0, pNegative: null, level: "", action: "" });
  assert.equal(server({ type: "demo-hand-over" }).packet.summary, "");
});

test("the bot's readiness and its leaving are told apart from other signals", () => {
  assert.deepEqual(parseMessage('{"label":"rtvi-ai","type":"bot-ready"}'), { kind: "ready" });
  assert.deepEqual(parseMessage('{"type":"signalling","message":{"type":"peerLeft"}}'), {
    kind: "peer-left",
  });
  assert.equal(parseMessage('{"type":"signalling","message":{"type":"renegotiate"}}'), null);
});
