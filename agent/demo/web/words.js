/** Times, figures and names as a person reads them. */

/** @type {Record<string, string>} */
const ACTION_NAMES = {
  proceed: "go on",
  empathize: "show empathy",
  offer_human: "offer a human",
  transfer: "hand over",
};

/** @param {string} action   a decision's action */
export const actionName = (action) => ACTION_NAMES[action] ?? action;

/**
 * What was decided, in a few words.
 * @param {import("./messages.js").Decision} decision
 */
export const decisionName = (decision) =>
  decision.callback ? "offer a call back" : actionName(decision.action);

/** @param {number | null} p   a probability, or null where nothing could be heard */
export const probability = (p) => (p === null ? "?" : p.toFixed(2));

/**
 * Seconds as m:ss.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
