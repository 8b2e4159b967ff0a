"use strict";

/** The top of the report: a sentence, a card per policy, charts, the table of all figures. */

function headline(found) {
  const best = found.policies[found.recommended];
  const truth = best.labelled;
  const load = busiest(best);
  const staff = load ? ` It needs ${load.agents} ${load.agents === 1 ? "human" : "humans"} in the busiest hour, at ${Math.round(best.load.calls_a_day)} calls a day.` : "";
  if (!truth) {
    const [transfers] = between(best.transfers_per_1000);
    return `${best.policy} would have transferred ${transfers} of 1,000 calls.${staff}`;
  }
  const [answered] = percent(truth.answered_in_time);
  const [caught] = percent(truth.caught_in_time);
  const [needless] = between(truth.false_transfers_per_1000_calm);
  return `${best.policy} answers ${answered} of distressed callers by their third negative turn and offers ${caught} of them a human by then; it transfers ${needless} of 1,000 calm callers needlessly.${staff}`;
}

function busiest(policy) {
  if (!policy.load) return null;
  const hours = policy.load.staffing.transfers_an_hour;
  const hour = hours.indexOf(Math.max(...hours));
  return { hour, transfers: hours[hour], agents: policy.load.staffing.agents[hour] };
}

function rowsOf(found) {
  const labelled = found.policies[0].labelled;
  const of = (name, cell) => ({ name, cell });
  const rows = Object.entries(ACTIONS).filter(([key]) => key !== "call_back").map(([key, action]) =>
    of(`calls, at most ${action.name}`, (p) => [String(p.calls_by_highest_action[key]), ""]));
  rows.push(
    of("first action, median turn", (p) => [number(p.first_action_turn), ""]),
    of("first action, median second", (p) => [number(p.first_action_s), ""]),
    of("transfers per 1,000 calls", (p) => between(p.transfers_per_1000)),
    of("of these, on request", (p) => [number(p.transfers_on_request_per_1000, 1), ""]),
  );
  if (labelled) {
    const rate = `${(100 * labelled.base_rate).toFixed(1)} %`;
    rows.push(
      of(`${labelled.distressed} distressed calls: answered`, (p) => percent(p.labelled.answered)),
      of("by the third negative turn", (p) => percent(p.labelled.answered_in_time)),
      of("offered a human or transferred", (p) => percent(p.labelled.caught)),
      of("that by the third negative turn", (p) => percent(p.labelled.caught_in_time)),
      of("negative turns before the answer", (p) => between(p.labelled.negative_turns_before_answer)),
      of(`${labelled.calm} calm calls: false transfers per 1,000`, (p) => between(p.labelled.false_transfers_per_1000_calm)),
      of("false offers per 1,000", (p) => between(p.labelled.false_offers_per_1000_calm)),
      of("any action per 1,000", (p) => between(p.labelled.needless_empathy_per_1000_calm)),
      of(`correct transfers, at ${rate} distressed`, (p) => percent(p.labelled.precision_at_base_rate)),
      of(`transfers per 1,000 calls, at ${rate}`, (p) => between(p.labelled.transfers_at_base_rate)),
    );
  }
  if (found.policies[0].load) {
    rows.push(
      of("transfers in the busiest hour", (p) => [number(busiest(p).transfers, 1), ""]),
      of("humans needed then", (p) => [String(busiest(p).agents), ""]),
      of("human hours a day", (p) => [String(p.load.staffing.agents.reduce((a, b) => a + b, 0)), ""]),
    );
  }
  return rows;
}

function fillCards(found, place) {
  found.policies.forEach((policy, index) => {
    const best = index === found.recommended;
    const list = element("dl");
    const add = (name, [value, range]) => {
      const item = element("dd", {}, value);
      if (range) item.append(element("small", {}, range));
      list.append(element("dt", {}, name), item);
    };
    const truth = policy.labelled;
    if (truth) {
      add("distress answered in time", percent(truth.answered_in_time));
      add("human offered in time", percent(truth.caught_in_time));
      add("needless transfers per 1,000 calm", between(truth.false_transfers_per_1000_calm));
    }
    add("transfers per 1,000 calls", between(policy.transfers_per_1000));
    if (policy.cost !== null) add(`cost per 1,000 calls`, [number(policy.cost), ""]);
    const load = busiest(policy);
    if (load) add("humans in the busiest hour", [String(load.agents), ""]);
    const title = element("h3", {}, policy.policy);
    if (best && found.policies.length > 1) title.append(element("span", { class: "badge" }, "least cost"));
    place.append(element("div", { class: best ? "card best" : "card" }, title, list));
  });
}

function fillFigures(found, table) {
  const head = element("tr", {}, element("th"), ...found.policies.map((p) => element("th", { scope: "col" }, p.policy)));
  const body = element("tbody");
  for (const { name, cell } of rowsOf(found)) {
    const row = element("tr", {}, element("td", {}, name));
    for (const policy of found.policies) {
      const [value, range] = cell(policy);
      row.append(element("td", {}, value, ...(range ? [" ", element("small", {}, `(${range})`)] : [])));
    }
    body.append(row);
  }
  table.append(element("thead", {}, head), body);
}

function chart(place, title, note, { tall, ...option }) {
  const canvas = element("div", { class: tall ? "chart tall" : "chart", role: "img", "aria-label": title });
  place.append(element("figure", {}, element("figcaption", {}, title, element("small", {}, note)), canvas));
  const drawn = echarts.init(canvas);
  drawn.setOption({ animation: false, color: COLORS, tooltip: TOOLTIP, grid: { left: 60, right: 24, top: 40, bottom: 44 }, ...option });
  window.addEventListener("resize", () => drawn.resize());
  window.addEventListener("beforeprint", () => drawn.resize());
}

function axis(name, more = {}) {
  return { type: "value", name, nameLocation: "middle", nameGap: 28, ...more };
}

function drawActions(found, place) {
  const names = found.policies.map((policy) => policy.policy);
  const shown = ["empathize", "offer_human", "transfer"];
  chart(place, "Calls by strongest action", "per 1,000 calls; the others were left alone", {
    legend: { top: 0 },
    xAxis: axis("of 1,000 calls"),
    yAxis: { type: "category", data: names, inverse: true },
    grid: { left: 90, right: 24, top: 40, bottom: 44 },
    series: shown.map((key) => ({
      type: "bar", stack: "all", name: ACTIONS[key].name, itemStyle: { color: ACTIONS[key].color },
      data: found.policies.map((policy) => Number((1000 * policy.calls_by_highest_action[key] / policy.calls).toFixed(2))),
    })),
  });
}

function drawTradeOff(found, place) {
  const series = [];
  if (found.sweep) {
    const points = found.sweep.points;
    const at = (point) => [1000 * point.false_transfers, 100 * point.missed];
    const front = found.sweep.front.map((index) => at(points[index]));
    series.push(
      { type: "scatter", name: "swept", symbolSize: 4, itemStyle: { color: "#b8bdb8" }, data: points.map(at), tooltip: { show: false } },
      { type: "line", name: "front", step: "end", symbolSize: 6, lineStyle: { color: "#566065" }, itemStyle: { color: "#566065" }, data: front },
      { type: "scatter", name: "cheapest", symbol: "diamond", symbolSize: 16, itemStyle: { color: "#a52a24" }, data: [at(points[found.sweep.cheapest])] },
    );
  }
  found.policies.forEach((policy, index) => series.push({
    type: "scatter", name: policy.policy, symbolSize: 13, itemStyle: { color: COLORS[index % COLORS.length] },
    data: [[policy.labelled.false_transfers_per_1000_calm.value, 100 * (1 - policy.labelled.caught_in_time.value)]],
  }));
  chart(place, "Missed distress against needless transfers", "lower left is better; missed: no human offered by the third negative turn", {
    legend: { top: 0, type: "scroll" },
    xAxis: axis("needless transfers per 1,000 calm calls", { min: 0 }),
    yAxis: axis("missed, %", { nameGap: 36, min: 0, max: 100 }),
    series,
  });
}

function drawLoad(found, place) {
  const hours = Array.from({ length: 24 }, (_, hour) => `${hour}:00`);
  const service = found.service;
  chart(place, "Humans needed over the day", `${100 * service.level} % answered within ${service.wait_s} s, ${service.handling_s / 60} minutes each (Erlang C)`, {
    legend: { top: 0 },
    xAxis: { type: "category", data: hours },
    yAxis: axis("humans", { nameGap: 36, minInterval: 1 }),
    series: found.policies.map((policy) => ({
      type: "line", step: "middle", symbol: "none", name: policy.policy, data: policy.load.staffing.agents,
    })),
  });
}

function drawWaiting(found, place) {
  const bins = 8;
  const names = Array.from({ length: bins + 1 }, (_, count) => count < bins ? String(count) : `${bins}+`);
  chart(place, "Negative turns before the answer", "share of distressed calls; unanswered calls count all their negative turns", {
    legend: { top: 0 },
    xAxis: { type: "category", data: names },
    yAxis: axis("%", { nameGap: 36 }),
    series: found.policies.map((policy) => {
      const counts = policy.negative_before_action;
      const total = counts.reduce((a, b) => a + b, 0) || 1;
      const data = counts.slice(0, bins);
      data.push(counts.slice(bins).reduce((a, b) => a + b, 0));
      return { type: "bar", name: policy.policy, data: data.map((count) => Number((100 * count / total).toFixed(1))) };
    }),
  });
}
