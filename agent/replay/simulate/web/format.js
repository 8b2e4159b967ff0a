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

/** Fewer calls than this are shown as their count: a rate would claim more than they can tell. */
const FEW = 10;

/** A share of these calls, in percent or per 1,000, or as a count if it is of few. */
function shareOf(estimate, calls, per = 1) {
  if (estimate.value === null) return ["-", ""];
  const count = Math.round(estimate.value * calls / per);
  if (count >= FEW) {
    if (per === 1) return percent(estimate);
    const [value, range] = between(estimate);
    return [`${value} in ${grouped(per)}`, range];
  }
  const part = (value) => number(100 * value / per);
  return [`${count} of ${grouped(calls)}`, `${part(estimate.low)} to ${part(estimate.high)} %`];
}

function grouped(count) {
  return count.toLocaleString("en");
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

/** What each action is called; the colours are those of the style sheet. */
const ACTIONS = {
  proceed: { name: "left alone", color: "proceed" },
  empathize: { name: "empathy", color: "empathize" },
  offer_human: { name: "human offered", color: "offer" },
  call_back: { name: "call back offered", color: "offer" },
  transfer: { name: "transferred", color: "transfer" },
};
const SERIES = 6;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function seriesColor(index) {
  return `series-${index % SERIES}`;
}
