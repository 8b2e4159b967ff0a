/** The pane of the human who takes the call: what they need first, first. */

import { el } from "./dom.js";
import { actionName, clock, probability } from "./words.js";

/** @typedef {import("./messages.js").Packet} Packet */

const WAITING =
  "Nobody is needed yet. When the bot hands the call over, this is what its human colleague sees.";

export class AgentPane {
  #state;
  #body;

  /** @param {HTMLElement} state @param {HTMLElement} body */
  constructor(state, body) {
    this.#state = state;
    this.#body = body;
    this.clear();
  }

  clear() {
    this.#show("standing by", "quiet");
    this.#body.replaceChildren(el("p", "waiting", WAITING));
  }

  /**
   * Show the packet of a call that is handed over.
   * @param {Packet} packet
   */
  showPacket(packet) {
    this.#show("incoming call", "ringing");
    const [course, cause] = packet.summary.split("\n");
    const json = el("pre", "", JSON.stringify(packet.json, null, 2));
    json.tabIndex = 0; // it scrolls
    this.#body.replaceChildren(
      el("p", `summary ${packet.level}`, el("strong", "", course), el("span", "", cause ?? "")),
      facts(packet),
      ...transcript(packet),
      ...turns(packet),
      el("details", "json", el("summary", "", "The packet as JSON"), json),
    );
  }

  /**
   * Show how the transfer ended.
   * @param {{ok: boolean, unknown: boolean, detail: string}} outcome
   */
  showOutcome({ ok, unknown, detail }) {
    if (ok) this.#show("call accepted", "accepted");
    else this.#show(`${unknown ? "perhaps not reached" : "not reached"}: ${detail}`, "failed");
  }

  /** @param {string} text @param {string} tone */
  #show(text, tone) {
    this.#state.textContent = text;
    this.#state.dataset.tone = tone;
  }
}

/** @param {Packet} packet */
function facts({ level, reason, manner, asked }) {
  const list = el("dl", "facts");
  const add = (/** @type {string} */ name, /** @type {string | Node} */ value) =>
    list.append(el("div", "", el("dt", "", name), el("dd", "", value)));
  if (level) add("Caller is", el("span", `level ${level}`, level));
  if (reason) add("Because", reason);
  if (manner) add("Sounded", manner);
  if (asked) add("Last words", el("q", "", asked));
  return list;
}

/** @param {Packet} packet */
function transcript({ transcript: lines }) {
  if (!lines.length) return [];
  const said = lines.map(({ speaker, text }) =>
    el("li", speaker === "bot" ? "bot" : "caller", el("b", "", speaker), el("span", "", text)),
  );
  return [el("h3", "", "What was said"), el("ol", "said", ...said)];
}

/** @param {Packet} packet */
function turns({ turns: all }) {
  if (!all.length) return [];
  const head = ["At", "p(negative)", "Level", "The bot chose to"].map((name) => {
    const cell = el("th", "", name);
    cell.setAttribute("scope", "col");
    return cell;
  });
  const rows = all.map((turn) =>
    el(
      "tr",
      "",
      el("td", "", clock(turn.startedAtS)),
      el("td", "", probability(turn.pNegative)),
      el("td", "", el("span", `level ${turn.level}`, turn.level)),
      el("td", "", actionName(turn.action)),
    ),
  );
  const table = el("table", "", el("thead", "", el("tr", "", ...head)), el("tbody", "", ...rows));
  const scroller = el("div", "scroller", table);
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", "Table of the turns in the packet");
  return [el("h3", "", "The caller’s turns"), scroller];
}
