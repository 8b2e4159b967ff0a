"use strict";

/** The top of the report: a sentence, a card per policy, charts, the table of all figures. */

function headline(found) {
  const best = found.policies[found.recommended];
  const truth = best.labelled;
  if (!truth) {
    const [first, ...others] = found.policies.map((policy) => `${policy.policy} ${grouped(transfersOf(policy))}`);
    return `Of ${grouped(found.calls)} calls, ${[first.replace(/ (?=[^ ]*$)/, " would have transferred "), ...others].join(", ")}.`;
  }
  const of = (estimate, calls, per) => {
    const [value] = shareOf(estimate, calls, per);
    return value.endsWith("%") ? `${value} of` : value;
  };
  const load = transfersOf(best) >= FEW ? busiest(best) : null;
  const staff = load ? ` It needs ${load.agents} ${load.agents === 1 ? "human" : "humans"} in the busiest hour, at ${Math.round(best.load.calls_a_day)} calls a day.` : "";
  return `${best.policy} answers ${of(truth.answered_in_time, truth.distressed)} distressed callers by their third negative turn and offers ${of(truth.caught_in_time, truth.distressed)} a human by then; it transfers ${of(truth.false_transfers_per_1000_calm, truth.calm, 1000)} calm callers needlessly.${staff}`;
}

function transfersOf(policy) {
  return policy.calls_by_highest_action.transfer;
}

/** Whether there are labels enough to speak of costs and of calls at the base rate. */
function enoughLabels(found) {
  return Object.values(found.labels_missing).every((missing) => missing === 0);
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
    of("transferred", (p) => shareOf(p.transfers_per_1000, p.calls, 1000)),
    of("of these, on request", (p) => onRequest(p)),
  );
  if (labelled) {
    const distressed = (key) => (p) => shareOf(p.labelled[key], labelled.distressed);
    const calm = (key) => (p) => shareOf(p.labelled[key], labelled.calm, 1000);
    rows.push(
      of(`${labelled.distressed} distressed calls: answered`, distressed("answered")),
      of("by the third negative turn", distressed("answered_in_time")),
      of("offered a human or transferred", distressed("caught")),
      of("that by the third negative turn", distressed("caught_in_time")),
      of("negative turns before the answer", (p) => between(p.labelled.negative_turns_before_answer)),
      of(`${labelled.calm} calm calls: transferred needlessly`, calm("false_transfers_per_1000_calm")),
      of("offered a human", calm("false_offers_per_1000_calm")),
      of("any action", calm("needless_empathy_per_1000_calm")),
    );
  }
  if (enoughLabels(found)) {
    const rate = `${(100 * labelled.base_rate).toFixed(1)} %`;
    rows.push(
      of(`correct transfers, at ${rate} distressed`, (p) => percent(p.labelled.precision_at_base_rate)),
      of(`transfers per 1,000 calls, at ${rate}`, (p) => between(p.labelled.transfers_at_base_rate)),
      of("cost per 1,000 calls", (p) => [number(p.cost), ""]),
    );
  }
  if (found.policies[0].load) {
    const unlessFew = (cell) => (p) => [transfersOf(p) < FEW ? "-" : cell(p), ""];
    rows.push(
      of("transfers in the busiest hour", unlessFew((p) => number(busiest(p).transfers, 1))),
      of("humans needed then", unlessFew((p) => String(busiest(p).agents))),
      of("human hours a day", unlessFew((p) => String(p.load.staffing.agents.reduce((a, b) => a + b, 0)))),
    );
  }
  return rows;
}

function onRequest(policy) {
  const rate = policy.transfers_on_request_per_1000;
  const count = Math.round((rate ?? 0) * policy.calls / 1000);
  return [count < FEW ? String(count) : `${number(rate, 1)} in 1,000`, ""];
}

function fillCards(found, place) {
  found.policies.forEach((policy, index) => {
    const best = index === found.least_cost;
    const list = element("dl");
    const add = (name, [value, range]) => {
      const item = element("dd", {}, value);
      if (range) item.append(element("small", {}, range));
      list.append(element("dt", {}, name), item);
    };
    const truth = policy.labelled;
    if (truth) {
      add("distress answered in time", shareOf(truth.answered_in_time, truth.distressed));
      add("human offered in time", shareOf(truth.caught_in_time, truth.distressed));
      add("calm, transferred needlessly", shareOf(truth.false_transfers_per_1000_calm, truth.calm, 1000));
    }
    add("calls transferred", shareOf(policy.transfers_per_1000, policy.calls, 1000));
    if (enoughLabels(found)) add("cost per 1,000 calls", [number(policy.cost), ""]);
    const load = transfersOf(policy) >= FEW ? busiest(policy) : null;
    if (load) add("humans in the busiest hour", [String(load.agents), ""]);
    const title = element("h3", {}, policy.policy);
    if (best) title.append(element("span", { class: "badge" }, "least cost"));
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

function drawActions(found, place) {
  const shown = ["empathize", "offer_human", "transfer"].map((key) => [key, ACTIONS[key]]);
  chart(place, "Calls by strongest action", `of ${grouped(found.calls)} calls; the others were left alone`, {
    x: "calls", legend: shown.map(([, action]) => [action.name, action.color]),
  }, (width) => ({
    xAxis: valueAxis({ minInterval: 1 }),
    yAxis: nameAxis(found.policies.map((policy) => policy.policy), { inverse: true }, width),
    series: shown.map(([key, action]) => ({
      type: "bar", stack: "all", name: action.name, itemStyle: { color: color(action.color) }, barMaxWidth: 48,
      data: found.policies.map((policy) => policy.calls_by_highest_action[key]),
    })),
  }));
}

function drawTradeOff(found, place) {
  const swept = found.sweep && found.sweep.points.length ? found.sweep : null;
  const legend = found.policies.map((policy, index) => [policy.policy, seriesColor(index)]);
  if (swept) legend.push(["swept", "faint"], ["front", "soft"]);
  if (swept && swept.winner !== null) legend.push(["winner of the sweep", "distressed"]);
  chart(place, "Missed distress against needless transfers", `lower left is better; missed: no human offered by the third negative turn. ${swept ? swept.why : ""}`, {
    x: "calm callers transferred needlessly, %", y: "distressed callers missed, %", legend,
  }, () => ({
    xAxis: valueAxis({ min: 0 }),
    yAxis: valueAxis({ min: 0, max: 100, interval: 25 }),
    series: [...(swept ? sweptSeries(swept) : []), ...found.policies.map((policy, index) => ({
      type: "scatter", name: policy.policy, symbolSize: 13, itemStyle: { color: color(seriesColor(index)) },
      data: [[policy.labelled.false_transfers_per_1000_calm.value / 10, 100 * (1 - policy.labelled.caught_in_time.value)]],
    }))],
  }));
}

function sweptSeries(swept) {
  const at = (index) => [100 * swept.points[index].false_transfers, 100 * swept.points[index].missed];
  const [faint, soft, winner] = ["faint", "soft", "distressed"].map(color);
  return [
    { type: "scatter", name: "swept", symbolSize: 4, itemStyle: { color: faint }, data: swept.points.map((_, index) => at(index)), tooltip: { show: false } },
    { type: "line", name: "front", step: "end", symbolSize: 6, lineStyle: { color: soft }, itemStyle: { color: soft }, data: swept.front.map(at) },
    ...(swept.winner === null ? [] : [{ type: "scatter", name: "winner of the sweep", symbol: "diamond", symbolSize: 16, itemStyle: { color: winner }, data: [at(swept.winner)] }]),
  ];
}

function drawLoad(found, place) {
  const hours = Array.from({ length: 24 }, (_, hour) => `${hour}:00`);
  const service = found.service;
  const policies = found.policies.map((policy, index) => ({ policy, shade: seriesColor(index) })).filter(({ policy }) => transfersOf(policy) >= FEW);
  chart(place, "Humans needed over the day", `${100 * service.level} % answered within ${service.wait_s} s, ${service.handling_s / 60} minutes each (Erlang C)`, {
    y: "humans", legend: policies.map(({ policy, shade }) => [policy.policy, shade]),
  }, () => ({
    xAxis: nameAxis(hours),
    yAxis: valueAxis({ minInterval: 1 }),
    series: policies.map(({ policy, shade }) => ({
      type: "line", step: "middle", symbol: "none", name: policy.policy, data: policy.load.staffing.agents,
      lineStyle: { color: color(shade) }, itemStyle: { color: color(shade) },
    })),
  }));
}

function drawWaiting(found, place) {
  const bins = 8;
  const names = Array.from({ length: bins + 1 }, (_, count) => count < bins ? String(count) : `${bins}+`);
  const binned = (counts) => [...counts.slice(0, bins), counts.slice(bins).reduce((a, b) => a + b, 0)];
  chart(place, "Negative turns before the answer", "unanswered calls count all their negative turns", {
    x: "negative turns", y: "distressed calls", legend: found.policies.map((policy, index) => [policy.policy, seriesColor(index)]),
  }, () => ({
    xAxis: nameAxis(names),
    yAxis: valueAxis({ minInterval: 1 }),
    series: found.policies.map((policy, index) => ({
      type: "bar", name: policy.policy, itemStyle: { color: color(seriesColor(index)) }, barMaxWidth: 32, data: binned(policy.negative_before_action),
    })),
  }));
}
