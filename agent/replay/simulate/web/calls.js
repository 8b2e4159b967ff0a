"use strict";

/** The call browser: a list, and one call on a timeline. */

function levelBands(turns, decisions, duration) {
  return decisions.map((decision, index) => {
    const end = index + 1 < turns.length ? turns[index + 1].end_s : duration;
    return { level: decision.level, from: turns[index].end_s, to: end };
  }).filter((band) => band.level !== "calm").map((band) => [
    { xAxis: band.from, itemStyle: { color: color(`${band.level}-band`) } },
    { xAxis: band.to },
  ]);
}

function envelopeSeries(call) {
  const { step_s: step, peaks } = call.envelope;
  const line = (sign) => ({
    type: "line", xAxisIndex: 0, yAxisIndex: 0, symbol: "none", silent: true, lineStyle: { width: 0 },
    areaStyle: { color: color("envelope"), opacity: 1 }, data: peaks.map((peak, index) => [index * step, sign * peak / 255]),
  });
  const spans = [
    ...call.turns.map((turn) => [{ xAxis: turn.start_s, itemStyle: { color: color("accent"), opacity: 0.12 } }, { xAxis: turn.end_s }]),
    ...call.negative.map(([from, to]) => [{ xAxis: from, itemStyle: { color: "transparent", borderColor: color("distressed"), borderWidth: 1 } }, { xAxis: to }]),
  ];
  return [{ ...line(1), markArea: { silent: true, data: spans } }, line(-1)];
}

/** A line across the call where a level is entered, labelled at its end. */
function levelLine(name, enter, position) {
  return {
    yAxis: logOdds(enter), lineStyle: { color: color(name), type: "dashed", width: 1 },
    label: { formatter: `${name} ${share(enter)}`, position, color: color(name), fontSize: 11, padding: [1, 0] },
  };
}

function turnSeries(call, policyIndex, levels) {
  const decisions = call.policies[policyIndex];
  const middle = (turn) => (turn.start_s + turn.end_s) / 2;
  const points = (key) => call.turns.filter((turn) => turn[key] !== null).map((turn) => [middle(turn), logOdds(turn[key])]);
  const within = call.turns.flatMap((turn) => turn.within.length ? [...turn.within.map(([at, p]) => [at, logOdds(p)]), [turn.end_s, null]] : []);
  const belief = [[0, logOdds(levels.prior)], ...call.turns.map((turn, index) => [turn.end_s, logOdds(decisions[index].belief)])];
  belief.push([call.duration_s, belief[belief.length - 1][1]]);
  const acted = call.turns.map((turn, index) => ({ turn, decision: decisions[index] })).filter(({ decision }) => decision.action !== "proceed");
  return [
    { type: "scatter", name: "voice, p(negative)", xAxisIndex: 1, yAxisIndex: 1, symbolSize: 9, itemStyle: { color: color("voice") }, data: points("voice") },
    ...(within.length ? [{ type: "line", name: "voice within the turn", step: "end", symbol: "none", silent: true, xAxisIndex: 1, yAxisIndex: 1, lineStyle: { color: color("voice"), width: 1.5, opacity: 0.7 }, itemStyle: { color: color("voice") }, data: within }] : []),
    { type: "scatter", name: "words, p(negative)", xAxisIndex: 1, yAxisIndex: 1, symbol: "rect", symbolSize: 8, itemStyle: { color: color("words") }, data: points("words") },
    {
      type: "line", name: "belief", step: "end", xAxisIndex: 1, yAxisIndex: 1, symbol: "none", lineStyle: { color: color("ink"), width: 2 }, itemStyle: { color: color("ink") },
      data: belief,
      markArea: { silent: true, data: levelBands(call.turns, decisions, call.duration_s) },
      markLine: {
        silent: true, symbol: "none", animation: false,
        data: [levelLine("strained", levels.strained, "insideEndBottom"), levelLine("distressed", levels.distressed, "insideEndTop")],
      },
    },
    {
      type: "scatter", name: "action", xAxisIndex: 1, yAxisIndex: 1, symbol: "triangle", symbolSize: 14,
      data: acted.map(({ turn, decision }) => ({
        value: [turn.end_s, ACTIONS_AT], name: ACTIONS[decision.action].name, itemStyle: { color: color(ACTIONS[decision.action].color) },
      })),
    },
  ];
}

const TICKS = [0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99].map(logOdds);
const ACTIONS_AT = logOdds(1) + 0.8;

function timelineOption(call, policyIndex, levels) {
  const time = (gridIndex, more = {}) => ({ type: "value", gridIndex, min: 0, max: call.duration_s, splitNumber: 4, ...inColors({ axisLabel: { formatter: clock, ...more }, axisLine: { onZero: false }, splitLine: { show: false } }) });
  return {
    tooltip: { ...tooltip(), trigger: "item", formatter: (p) => Array.isArray(p.value) ? `${p.seriesName === "action" ? p.name : `${p.seriesName}: ${share(ofLogOdds(p.value[1]))}`} at ${clock(p.value[0])}` : "" },
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    grid: [{ left: 48, right: 16, top: 8, height: 80 }, { left: 48, right: 16, top: 104, bottom: 60 }],
    xAxis: [time(0, { show: false }), time(1)],
    yAxis: [
      { type: "value", gridIndex: 0, min: -1, max: 1, axisLabel: { show: false }, axisLine: { show: false }, axisTick: { show: false }, splitLine: { show: false } },
      {
        type: "value", gridIndex: 1, min: logOdds(0), max: ACTIONS_AT + 0.6,
        ...inColors({ axisLabel: { customValues: TICKS, formatter: (value) => share(ofLogOdds(value)) }, axisTick: { customValues: TICKS }, splitLine: { show: false } }),
      },
    ],
    dataZoom: [{ type: "inside", xAxisIndex: [0, 1] }, { type: "slider", xAxisIndex: [0, 1], height: 18, bottom: 8, showDetail: false, borderColor: color("line"), backgroundColor: color("card"), dataBackground: { lineStyle: { color: color("faint") }, areaStyle: { color: color("line") } } }],
    series: [...envelopeSeries(call), ...turnSeries(call, policyIndex, levels)],
  };
}

function fillTurns(table, call, policyIndex) {
  const withWords = call.turns.some((turn) => turn.text !== null);
  const heads = ["time", "voice", "words", "evidence", "belief", "level", "action", "why", ...(withWords ? ["the caller said"] : [])];
  const body = element("tbody");
  call.turns.forEach((turn, index) => {
    const decision = call.policies[policyIndex][index];
    const why = [decision.reason, turn.cues.filter((cue) => !decision.reason.includes(cue)).join(", ")].filter(Boolean).join("; ");
    const cells = [
      clock(turn.start_s), number(turn.voice, 2), number(turn.words, 2), number(turn.llr, 1), number(decision.belief, 3),
      element("span", { class: decision.level }, decision.level), ACTIONS[decision.action].name,
    ];
    const row = element("tr", {}, ...cells.map((cell) => element("td", {}, cell)), element("td", { class: "words" }, why));
    if (withWords) row.append(element("td", { class: "words" }, turn.text ?? ""));
    body.append(row);
  });
  const head = element("tr", {}, ...heads.map((name) => element("th", { scope: "col", class: name === "why" || name.startsWith("the ") ? "words" : "" }, name)));
  table.replaceChildren(element("thead", {}, head), body);
}

function markTurn(table, call, seconds) {
  [...table.querySelectorAll("tbody tr")].forEach((row, index) => {
    const turn = call.turns[index];
    row.setAttribute("aria-current", String(seconds >= turn.start_s && seconds <= turn.end_s));
  });
}

function truthOf(call) {
  return call.distressed === null ? "no label" : call.distressed ? "distressed" : "calm";
}

function openBrowser(found) {
  const calls = found.calls_told;
  const byId = (id) => document.getElementById(id);
  const [list, kinds, policies, table, audio] = ["calls", "kind", "policy", "turns", "audio"].map(byId);
  const names = [...new Set(calls.map((call) => call.kind))];
  let shown = calls[0];
  const { draw: drawTimeline, drawn } = drawIn(byId("timeline"), () => timelineOption(shown, Number(policies.value), found.levels[Number(policies.value)]));

  const draw = () => {
    const index = Number(policies.value);
    byId("call-title").textContent = `${shown.id}, ${clock(shown.duration_s)}, ${truthOf(shown)}`;
    audio.hidden = shown.audio === null;
    if (shown.audio !== null && audio.src !== shown.audio) audio.src = shown.audio;
    drawTimeline();
    fillTurns(table, shown, index);
    for (const button of list.querySelectorAll("button")) button.setAttribute("aria-current", String(button.value === shown.id));
  };
  const fill = () => {
    const wanted = calls.filter((call) => kinds.value === "" || call.kind === kinds.value);
    list.replaceChildren(...wanted.map((call) => {
      const button = element("button", { type: "button", value: call.id }, call.id, element("small", {}, `${call.kind}, ${clock(call.duration_s)}`));
      button.addEventListener("click", () => { audio.pause(); shown = call; draw(); });
      return element("li", {}, button);
    }));
    shown = wanted[0];
    draw();
  };

  kinds.append(element("option", { value: "" }, `all ${calls.length}`), ...names.map((name) =>
    element("option", { value: name }, `${name} (${calls.filter((call) => call.kind === name).length})`)));
  policies.append(...found.policies.map((policy, index) => element("option", { value: String(index) }, policy.policy)));
  policies.value = String(found.recommended);
  kinds.addEventListener("change", fill);
  policies.addEventListener("change", draw);
  audio.addEventListener("timeupdate", () => {
    drawn.setOption({ series: [{ markLine: { symbol: "none", silent: true, animation: false, label: { show: false }, lineStyle: { color: color("distressed"), type: "solid" }, data: [{ xAxis: audio.currentTime }] } }] });
    markTurn(table, shown, audio.currentTime);
  });
  fillLegend(byId("timeline-legend"), [
    ["voice, p(negative)", "voice"], ["words, p(negative)", "words"], ["belief", "ink"],
    ...["empathize", "offer_human", "transfer"].map((key) => [ACTIONS[key].name, ACTIONS[key].color]),
  ]);
  fill();
}
