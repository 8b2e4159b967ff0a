/**
 * What the server says over the data channel, checked and named as the page uses it.
 *
 * @typedef {"calm" | "strained" | "distressed"} Level
 * @typedef {"proceed" | "empathize" | "offer_human" | "transfer"} Action
 *
 * @typedef {object} Decision
 * @property {number} turn
 * @property {Action} action
 * @property {Level} level
 * @property {number} belief   probability that the caller is distressed
 * @property {boolean} callback   a human is due, but nobody is there
 * @property {string} reason
 *
 * @typedef {object} PacketTurn
 * @property {number} startedAtS
 * @property {number | null} pNegative
 * @property {string} level
 * @property {string} action
 *
 * @typedef {object} Packet   what the human agent gets
 * @property {string} summary
 * @property {string} reason
 * @property {string} level
 * @property {string | null} asked
 * @property {string | null} manner
 * @property {{speaker: string, text: string}[]} transcript
 * @property {PacketTurn[]} turns
 * @property {unknown} json   the packet as it came
 *
 * @typedef {{kind: "call", callId: string, policy: string, analysis: boolean,
 *   levels: {strained: number, distressed: number}}} CallMessage
 * @typedef {{kind: "reading", turn: number, pNegative: number | null,
 *   reason: string | null}} ReadingMessage
 * @typedef {{kind: "turn", turn: number, startedAtS: number, endedAtS: number,
 *   text: string | null, overAt: number | null}} TurnMessage
 * @typedef {{kind: "said", text: string, insteadOf: string | null, atS: number}} SaidMessage
 * @typedef {{kind: "speaking", who: "caller" | "bot", speaking: boolean,
 *   atS: number}} SpeakingMessage
 * @typedef {{kind: "decision", decision: Decision}} DecisionMessage
 * @typedef {{kind: "transfer", ok: boolean, unknown: boolean, detail: string}} TransferMessage
 * @typedef {{kind: "hand-over", packet: Packet}} HandOverMessage
 * @typedef {{kind: "analysis", on: boolean}} AnalysisMessage
 * @typedef {{kind: "ended", reason: string, message: string}} EndedMessage
 * @typedef {{kind: "ready"} | {kind: "peer-left"}} ConnectionMessage
 * @typedef {CallMessage | ReadingMessage | TurnMessage | SaidMessage | SpeakingMessage
 *   | DecisionMessage | TransferMessage | HandOverMessage | AnalysisMessage | EndedMessage
 *   | ConnectionMessage} Message
 */

/** @typedef {Record<string, any>} Fields */

const LEVELS = ["calm", "strained", "distressed"];
const ACTIONS = ["proceed", "empathize", "offer_human", "transfer"];

/**
 * One message of the server; null for what the page has no use for or cannot read.
 * @param {unknown} raw   what came over the data channel
 * @returns {Message | null}
 */
export function parseMessage(raw) {
  const message = asFields(typeof raw === "string" ? parsed(raw) : null);
  if (message.type === "signalling") {
    return asFields(message.message).type === "peerLeft" ? { kind: "peer-left" } : null;
  }
  if (message.label !== "rtvi-ai") return null;
  if (message.type === "bot-ready") return { kind: "ready" };
  if (message.type !== "server-message") return null;
  const data = asFields(message.data);
  return Object.hasOwn(READERS, data.type) ? READERS[data.type](data) : null;
}

/** @type {Record<string, (data: Fields) => Message | null>} */
const READERS = {
  "demo-call": readCall,
  "caller-emotion": (data) =>
    isNumber(data.turn)
      ? {
          kind: "reading",
          turn: data.turn,
          pNegative: numberOrNull(data.p_negative),
          reason: textOrNull(data.reason),
        }
      : null,
  "caller-decision": readDecision,
  "caller-transfer": (data) => ({
    kind: "transfer",
    ok: data.ok === true,
    unknown: data.status === "unknown",
    detail: text(data.detail),
  }),
  "demo-turn": readTurn,
  "demo-said": (data) =>
    isNumber(data.at_s) && typeof data.text === "string"
      ? { kind: "said", text: data.text, insteadOf: textOrNull(data.instead_of), atS: data.at_s }
      : null,
  "demo-speaking": (data) =>
    isNumber(data.at_s) && (data.who === "caller" || data.who === "bot")
      ? { kind: "speaking", who: data.who, speaking: data.speaking === true, atS: data.at_s }
      : null,
  "demo-hand-over": (data) => ({ kind: "hand-over", packet: readPacket(asFields(data.packet)) }),
  "demo-analysis": (data) => ({ kind: "analysis", on: data.on === true }),
  "demo-ended": (data) => ({
    kind: "ended",
    reason: text(data.reason),
    message: text(data.message),
  }),
};

/** @param {Fields} data @returns {CallMessage | null} */
function readCall(data) {
  const levels = asFields(data.levels);
  if (!isNumber(levels.strained) || !isNumber(levels.distressed)) return null;
  return {
    kind: "call",
    callId: text(data.call_id),
    policy: text(data.policy),
    analysis: data.analysis !== false,
    levels: { strained: levels.strained, distressed: levels.distressed },
  };
}

/** @param {Fields} data @returns {TurnMessage | null} */
function readTurn(data) {
  if (!isNumber(data.turn) || !isNumber(data.started_at_s) || !isNumber(data.ended_at_s))
    return null;
  return {
    kind: "turn",
    turn: data.turn,
    startedAtS: data.started_at_s,
    endedAtS: data.ended_at_s,
    text: textOrNull(data.text),
    overAt: numberOrNull(data.over_at),
  };
}

/** @param {Fields} data @returns {DecisionMessage | null} */
function readDecision(data) {
  const { turn, action, level, belief } = data;
  if (!isNumber(turn) || !isNumber(belief)) return null;
  if (!ACTIONS.includes(action) || !LEVELS.includes(level)) return null;
  const callback = data.callback === true;
  return {
    kind: "decision",
    decision: { turn, action, level, belief, callback, reason: text(data.reason) },
  };
}

/** @param {Fields} packet @returns {Packet} */
function readPacket(packet) {
  return {
    summary: text(packet.summary),
    reason: text(packet.reason),
    level: text(packet.level),
    asked: textOrNull(packet.asked),
    manner: textOrNull(packet.manner),
    transcript: asList(packet.transcript).map((line) => ({
      speaker: text(line.speaker),
      text: text(line.text),
    })),
    turns: asList(packet.turns).map((turn) => ({
      startedAtS: numberOrNull(turn.started_at_s) ?? 0,
      pNegative: numberOrNull(turn.p_negative),
      level: text(turn.level),
      action: text(turn.action),
    })),
    json: packet,
  };
}

/** @param {string} raw @returns {unknown} */
function parsed(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}

/** @param {unknown} value @returns {Fields} */
const asFields = (value) => (typeof value === "object" && value !== null ? value : {});
/** @param {unknown} value @returns {Fields[]} */
const asList = (value) => (Array.isArray(value) ? value.map(asFields) : []);
/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => Number.isFinite(value);
/** @param {unknown} value */
const numberOrNull = (value) => (isNumber(value) ? value : null);
/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : "");
/** @param {unknown} value */
const textOrNull = (value) => (typeof value === "string" ? value : null);
