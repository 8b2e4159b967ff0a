"use strict";

/** Elements and numbers; everything from a call becomes text, never markup. */

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function number(value, digits = 0) {
  return value === null || value === undefined ? "-" : value.toFixed(digits);
}

function between(estimate, digits = 1, factor = 1) {
  if (estimate.value === null) return ["-", ""];
  const text = (value) => number(value === null ? null : value * factor, digits);
  return [text(estimate.value), `${text(estimate.low)} to ${text(estimate.high)}`];
}

function percent(estimate) {
  const [value, range] = between(estimate, 0, 100);
  return value === "-" ? ["-", ""] : [`${value} %`, range];
}

/** A probability as log-odds, clipped to the axis from 0.5 % to 99.5 %. */
const ODDS_EDGE = 0.005;
function logOdds(p) {
  const shown = Math.min(1 - ODDS_EDGE, Math.max(ODDS_EDGE, p));
  return Math.log(shown / (1 - shown));
}
function ofLogOdds(value) {
  return 1 / (1 + Math.exp(-value));
}

/** With the digits that small and large shares need: 4 %, 0.5 %, 99.5 %. */
function share(p) {
  const percent = 100 * p;
  return `${Number(percent.toFixed(percent < 10 || percent > 90 ? 1 : 0))} %`;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const ACTIONS = {
  proceed: { name: "left alone", color: "#c9ccc6" },
  empathize: { name: "empathy", color: "#d99a2b" },
  offer_human: { name: "human offered", color: "#7a5bb4" },
  call_back: { name: "call back offered", color: "#7a5bb4" },
  transfer: { name: "transferred", color: "#a52a24" },
};
const LEVEL_COLORS = { strained: "#8a5300", distressed: "#a52a24" };
const COLORS = ["#0f5f5c", "#c0632b", "#5b4bb4", "#3b78c2", "#8a8f2a", "#a23a72"];

/** Tooltips are drawn, not written as HTML. */
const TOOLTIP = { renderMode: "richText", confine: true };
