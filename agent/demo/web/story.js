/**
 * A call so far, as its messages told it. Pure: no DOM, no clock.
 *
 * @typedef {import("./messages.js").Message} Message
 * @typedef {import("./messages.js").Decision} Decision
 *
 * @typedef {object} Turn   one caller turn; what is not known yet is null
 * @property {number} number
 * @property {number | null} startedAtS
 * @property {number | null} endedAtS
 * @property {string | null} text
 * @property {number | null} pNegative
 * @property {string | null} unknownBecause   why there is no p
 * @property {Decision | null} decision
 *
 * @typedef {{who: "caller" | "bot", startedAtS: number, endedAtS: number | null}} Span
 */

export class Story {
  /** @type {Map<number, Turn>} */
  #turns = new Map();

  constructor() {
    /** @type {Span[]} */
    this.spans = [];
    /** @type {{strained: number, distressed: number} | null} */
    this.levels = null;
    this.lastAtS = 0;
  }

  /** The caller's turns in order. @returns {Turn[]} */
  get turns() {
    return [...this.#turns.values()].sort((one, other) => one.number - other.number);
  }

  /** Turns with a place in time that were heard. */
  get heardTurns() {
    return this.turns.filter((turn) => turn.endedAtS !== null && turn.pNegative !== null);
  }

  /** Turns with a place in time that were decided on. */
  get decidedTurns() {
    return this.turns.filter((turn) => turn.endedAtS !== null && turn.decision !== null);
  }

  /**
   * Take in one message.
   * @param {Message} message
   */
  apply(message) {
    switch (message.kind) {
      case "call":
        this.levels = message.levels;
        break;
      case "reading":
        Object.assign(this.turn(message.turn), {
          pNegative: message.pNegative,
          unknownBecause: message.reason,
        });
        break;
      case "turn":
        Object.assign(this.turn(message.turn), {
          startedAtS: message.startedAtS,
          endedAtS: message.endedAtS,
          text: message.text,
        });
        this.#reach(message.endedAtS);
        break;
      case "decision":
        this.turn(message.decision.turn).decision = message.decision;
        break;
      case "speaking":
        this.#speak(message.who, message.speaking, message.atS);
        break;
      case "said":
        this.#reach(message.atS);
        break;
    }
  }

  /**
   * The turn of this number, new if it was not known.
   * @param {number} number
   * @returns {Turn}
   */
  turn(number) {
    let turn = this.#turns.get(number);
    if (!turn) {
      turn = {
        number,
        startedAtS: null,
        endedAtS: null,
        text: null,
        pNegative: null,
        unknownBecause: null,
        decision: null,
      };
      this.#turns.set(number, turn);
    }
    return turn;
  }

  /**
   * The highest level so far, or null before the first decision.
   * @returns {import("./messages.js").Level | null}
   */
  get highestLevel() {
    const seen = new Set(this.turns.map((turn) => turn.decision?.level));
    if (seen.has("distressed")) return "distressed";
    if (seen.has("strained")) return "strained";
    return seen.has("calm") ? "calm" : null;
  }

  /** @param {"caller" | "bot"} who @param {boolean} speaking @param {number} atS */
  #speak(who, speaking, atS) {
    this.#reach(atS);
    const open = this.spans.find((span) => span.who === who && span.endedAtS === null);
    if (open && !speaking) open.endedAtS = atS;
    if (!open && speaking) this.spans.push({ who, startedAtS: atS, endedAtS: null });
  }

  /** @param {number} atS */
  #reach(atS) {
    this.lastAtS = Math.max(this.lastAtS, atS);
  }
}
