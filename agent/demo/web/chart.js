/** The call as a picture: its level, the voice of each turn, who spoke when, what was decided. */

import { svg } from "./dom.js";
import {
  beliefScale,
  chartEnd,
  linear,
  linePath,
  stepPath,
  timeTicks,
  wavePath,
} from "./geometry.js";
import { actionName, clock, decisionName, probability } from "./words.js";

/**
 * @typedef {import("./story.js").Story} Story
 * @typedef {import("./story.js").Turn} Turn
 * @typedef {object} Scene   all that a picture shows
 * @property {Story} story
 * @property {{strained: number, distressed: number}} levels
 * @property {number} nowS
 * @property {boolean} live
 * @property {Record<"caller" | "bot", import("./monitor.js").Wave>} waves
 */

const MARGIN = { left: 76, right: 16, top: 46, bottom: 24 };
const NARROW = { ...MARGIN, left: 68, right: 8 };
const FLAG_ROWS = [20, -4]; // the upper one only where flags would overlap
const FLAG_HEIGHT = 20;
const BELIEF = 150;
const GAP = 26;
const VOICE = 92;
const LANE = 26;
export const CHART_HEIGHT = MARGIN.top + BELIEF + GAP + VOICE + GAP + 2 * LANE + MARGIN.bottom;

const FLAGS = /** @type {const} */ ({
  empathize: "empathy",
  offer_human: "offer",
  transfer: "hand-over",
});

/** @param {SVGSVGElement} target @param {Scene} scene */
export function drawChart(target, scene) {
  const width = target.clientWidth || 600;
  const sheet = layOut(width, scene);
  target.setAttribute("viewBox", `0 0 ${width} ${CHART_HEIGHT}`);
  target.setAttribute("aria-label", describe(scene.story));
  target.replaceChildren(
    ...bands(sheet, scene.levels),
    ...turnColumns(sheet, scene.story),
    ...voiceGrid(sheet),
    ...timeAxis(sheet),
    ...lanes(sheet, scene),
    ...beliefLine(sheet, scene),
    ...voiceLine(sheet, scene.story),
    ...flags(sheet, scene.story),
    ...beliefDots(sheet, scene.story),
    ...(scene.live ? [cursor(sheet, scene.nowS)] : []),
    ...(scene.live || scene.nowS ? [] : [hint(sheet)]),
  );
}

/**
 * The chart in a sentence, for those who do not see it.
 * @param {Story} story
 */
export function describe(story) {
  const turns = story.decidedTurns;
  if (!turns.length) return "Chart of the call; no turn of the caller was heard yet.";
  const last = /** @type {Turn} */ (turns.at(-1));
  const steps = turns
    .filter((turn) => turn.decision && turn.decision.action !== "proceed")
    .map(
      (turn) => `${turn.decision && decisionName(turn.decision)} at ${clock(turn.endedAtS ?? 0)}`,
    );
  const done = steps.length ? `The bot decided to ${steps.join(", ")}.` : "No action was needed.";
  const count = turns.length === 1 ? "1 caller turn" : `${turns.length} caller turns`;
  return `Chart of the call: ${count}, now ${last.decision?.level}. ${done}`;
}

/** @typedef {ReturnType<typeof layOut>} Sheet */

/** @param {number} width @param {Scene} scene */
function layOut(width, { nowS, levels }) {
  const margin = width < 520 ? NARROW : MARGIN;
  const left = margin.left;
  const right = width - margin.right;
  const endS = chartEnd(nowS);
  const belief = { top: margin.top, bottom: margin.top + BELIEF };
  const voice = { top: belief.bottom + GAP, bottom: belief.bottom + GAP + VOICE };
  const laneTop = voice.bottom + GAP;
  return {
    left,
    right,
    belief,
    voice,
    endS,
    middles: { caller: laneTop + LANE / 2, bot: laneTop + LANE * 1.5 },
    bottom: laneTop + 2 * LANE,
    x: linear([0, endS], [left, right]),
    beliefY: beliefScale(levels, belief.top, belief.bottom),
    voiceY: linear([0, 1], [voice.bottom, voice.top]),
  };
}

/** @param {Sheet} sheet @param {{strained: number, distressed: number}} levels */
function bands(sheet, levels) {
  const { left, right, belief } = sheet;
  const third = BELIEF / 3;
  const names = /** @type {const} */ (["distressed", "strained", "calm"]);
  const edges = { distressed: levels.distressed, strained: levels.strained, calm: null };
  return names.flatMap((name, index) => {
    const y = belief.top + index * third;
    const edge = edges[name];
    return [
      svg("rect", { class: `band ${name}`, x: left, y, width: right - left, height: third }),
      svg("text", { class: `band-name ${name}`, x: left - 10, y: y + third / 2 + 4 }, name),
      ...(edge === null
        ? []
        : [svg("text", { class: "edge", x: left - 10, y: y + third + 4 }, edge.toFixed(2))]),
    ];
  });
}

/** @param {Sheet} sheet @param {Story} story */
function turnColumns({ x, belief, voice, voiceY }, story) {
  return story.turns.flatMap(({ startedAtS, endedAtS, pNegative }) => {
    if (startedAtS === null || endedAtS === null) return [];
    const from = x(startedAtS);
    const span = { x: from, width: x(endedAtS) - from };
    const top = voiceY(pNegative ?? 0);
    return [
      svg("rect", { class: "turn-column", ...span, y: belief.top, height: BELIEF }),
      svg("rect", { class: "voice-bar", ...span, y: top, height: voice.bottom - top }),
    ];
  });
}

/** @param {Sheet} sheet */
function voiceGrid({ left, right, voice, voiceY }) {
  const middle = (voice.top + voice.bottom) / 2;
  return [
    svg("rect", {
      class: "voice-field",
      x: left,
      y: voice.top,
      width: right - left,
      height: VOICE,
    }),
    svg("line", { class: "grid", x1: left, x2: right, y1: voiceY(0.5), y2: voiceY(0.5) }),
    svg("text", { class: "lane-name", x: left - 10, y: middle - 4 }, "voice"),
    svg("text", { class: "edge", x: left - 10, y: middle + 11 }, "p(neg.)"),
    svg("text", { class: "edge", x: left - 10, y: voice.top + 8 }, "1"),
    svg("text", { class: "edge", x: left - 10, y: voice.bottom }, "0"),
  ];
}

/** @param {Sheet} sheet */
function timeAxis({ x, left, right, endS, bottom }) {
  return timeTicks(endS, right - left).map((second) =>
    svg("text", { class: "tick", x: x(second), y: bottom + 17 }, clock(second)),
  );
}

/** @param {Sheet} sheet @param {Scene} scene */
function lanes({ left, right, middles, x }, { story, waves, nowS }) {
  return /** @type {const} */ (["caller", "bot"]).flatMap((who) => {
    const middle = middles[who];
    const spoken = story.spans.filter((span) => span.who === who);
    return [
      svg("text", { class: "lane-name", x: left - 10, y: middle + 4 }, who),
      svg("line", { class: "grid", x1: left, x2: right, y1: middle, y2: middle }),
      ...spoken.map(({ startedAtS, endedAtS }) =>
        svg("rect", {
          class: `spoken ${who}`,
          x: x(startedAtS),
          y: middle - LANE / 2 + 3,
          width: Math.max(2, x(endedAtS ?? nowS) - x(startedAtS)),
          height: LANE - 6,
          rx: 4,
        }),
      ),
      svg("path", { class: `wave ${who}`, d: wavePath(waves[who], x, middle, LANE / 2 - 4) }),
    ];
  });
}

/** @param {Sheet} sheet @param {Scene} scene */
function beliefLine({ x, beliefY, belief }, { story, nowS }) {
  const points = story.decidedTurns.map((turn) => ({
    x: x(turn.endedAtS ?? 0),
    y: beliefY(turn.decision?.belief ?? 0),
  }));
  const last = points.at(-1);
  if (!last) return [];
  const start = { x: x(0), y: belief.bottom };
  const endX = Math.max(last.x, x(nowS));
  const path = stepPath([start, ...points], endX);
  return [
    svg("path", { class: "belief-area", d: `${path}V${belief.bottom}Z` }),
    svg("path", { class: "belief-line", d: path }),
  ];
}

/** @param {Sheet} sheet @param {Story} story */
function voiceLine({ x, voiceY }, story) {
  const points = story.heardTurns.map((turn) => ({
    x: x(turn.endedAtS ?? 0),
    y: voiceY(turn.pNegative ?? 0),
    turn,
  }));
  return [
    svg("path", { class: "voice-line", d: linePath(points) }),
    ...points.map((point) =>
      svg(
        "circle",
        { class: "voice-dot", cx: point.x, cy: point.y, r: 4.5 },
        svg(
          "title",
          {},
          `${clock(point.turn.endedAtS ?? 0)}: p(negative) ${probability(point.turn.pNegative)}`,
        ),
      ),
    ),
  ];
}

/** @param {Sheet} sheet @param {Story} story */
function beliefDots({ x, beliefY }, story) {
  return story.decidedTurns.flatMap(({ endedAtS, decision }) => {
    if (!decision) return [];
    const { level, belief, action, reason } = decision;
    const at = { cx: x(endedAtS ?? 0), cy: beliefY(belief), r: 5.5 };
    const title = svg("title", {}, `${level}: ${actionName(action)}, ${reason}`);
    return [svg("circle", { class: `belief-dot ${level}`, ...at }, title)];
  });
}

/** @param {Sheet} sheet @param {Story} story */
function flags({ x, right, voice }, story) {
  const taken = FLAG_ROWS.map(() => -Infinity); // how far each row is filled
  return story.decidedTurns.flatMap(({ endedAtS, decision }) => {
    if (!decision || decision.action === "proceed") return [];
    const label = decision.callback ? "call back" : FLAGS[decision.action];
    const width = label.length * 6.8 + 20;
    const at = x(endedAtS ?? 0);
    const wished = Math.min(at - width / 2, right - width);
    const free = taken.findIndex((filled) => filled <= wished);
    const row = free < 0 ? taken.indexOf(Math.min(...taken)) : free;
    const from = Math.max(wished, taken[row]);
    taken[row] = from + width + 4;
    const y = FLAG_ROWS[row];
    return [
      svg("line", { class: "flag-pole", x1: at, x2: at, y1: y + FLAG_HEIGHT, y2: voice.bottom }),
      svg("rect", {
        class: `flag ${decision.action}`,
        x: from,
        y,
        width,
        height: FLAG_HEIGHT,
        rx: 10,
      }),
      svg("text", { class: "flag-name", x: from + width / 2, y: y + 14 }, label),
    ];
  });
}

/** @param {Sheet} sheet @param {number} nowS */
function cursor({ x, belief, bottom }, nowS) {
  return svg("line", { class: "cursor", x1: x(nowS), x2: x(nowS), y1: belief.top, y2: bottom });
}

/** @param {Sheet} sheet */
function hint({ left, right, belief }) {
  const middle = { x: (left + right) / 2, y: (belief.top + belief.bottom) / 2 + 5 };
  return svg("text", { class: "hint", ...middle }, "The call is drawn here as it happens");
}
