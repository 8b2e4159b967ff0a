/** What was said and decided, in order, beside a table of the same turns. */

import { el } from "./dom.js";
import { clock, decisionName, probability } from "./words.js";

/**
 * @typedef {import("./story.js").Turn} Turn
 * @typedef {import("./messages.js").SaidMessage} SaidMessage
 */

export class Conversation {
  #scroller;
  #list;
  /** @type {Map<number, HTMLElement>} */
  #turns = new Map();

  /** @param {HTMLElement} scroller @param {HTMLElement} list   in the scroller */
  constructor(scroller, list) {
    this.#scroller = scroller;
    this.#list = list;
  }

  clear() {
    this.#turns.clear();
    this.#list.replaceChildren();
  }

  /**
   * Show a caller's turn as far as it is known.
   * @param {Turn} turn
   */
  showTurn(turn) {
    const entry = this.#turns.get(turn.number) ?? el("li", "entry caller");
    this.#turns.set(turn.number, entry);
    this.#follow(() => {
      entry.replaceChildren(...turnParts(turn));
      if (!entry.parentElement) this.#list.append(entry);
    });
  }

  /**
   * Show a sentence of the bot.
   * @param {SaidMessage} said
   */
  showSaid({ text, insteadOf, atS }) {
    const entry = el("li", "entry bot", el("p", "who", "Bot ", el("time", "", clock(atS))));
    if (insteadOf !== null) {
      entry.append(
        el("p", "planned", el("span", "label", "was about to say "), el("del", "", insteadOf)),
        el("p", "words", el("span", "label", "said instead "), el("ins", "", text)),
      );
    } else {
      entry.append(el("p", "words", text));
    }
    this.#follow(() => this.#list.append(entry));
  }

  /**
   * Show what happened to the call itself.
   * @param {string} text
   */
  showEvent(text) {
    this.#follow(() => this.#list.append(el("li", "entry event", el("p", "", text))));
  }

  /**
   * Change the list, and keep its end in view if it was.
   * @param {() => void} change
   */
  #follow(change) {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    change();
    if (scrollHeight - scrollTop - clientHeight < 60)
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

/** @param {Turn} turn */
function turnParts(turn) {
  const { startedAtS, endedAtS, text, pNegative, unknownBecause, decision } = turn;
  const who = el(
    "p",
    "who",
    "Caller ",
    el("time", "", startedAtS === null ? "" : clock(startedAtS)),
  );
  const parts = [who];
  if (endedAtS !== null) {
    parts.push(
      text ? el("p", "words", text) : el("p", "words not-understood", "Words not understood"),
    );
  }
  if (pNegative !== null)
    who.append(el("span", "p", "p(negative) ", el("b", "", probability(pNegative))));
  else if (unknownBecause) who.append(el("span", "p", `not heard: ${unknownBecause}`));
  if (decision) {
    parts.push(
      el(
        "p",
        `decision ${decision.action}`,
        el("span", `level ${decision.level}`, decision.level),
        el("b", "", decisionName(decision)),
        el("span", "reason", decision.reason),
      ),
    );
  }
  return parts;
}

/**
 * A row a turn, for those who would rather read than look at the chart.
 * @param {HTMLElement} body   of the table
 * @param {Turn[]} turns
 */
export function showTable(body, turns) {
  body.replaceChildren(
    ...turns.map((turn) => {
      const { decision } = turn;
      const cells = [
        turn.startedAtS === null ? "" : clock(turn.startedAtS),
        turn.pNegative === null ? (turn.unknownBecause ?? "") : probability(turn.pNegative),
        decision ? probability(decision.belief) : "",
        decision?.level ?? "",
        decision ? decisionName(decision) : "",
        decision?.reason ?? "",
      ];
      return el("tr", "", ...cells.map((cell) => el("td", "", cell)));
    }),
  );
}
