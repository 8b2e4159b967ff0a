"use strict";

/** Policies with a simulated caller: how calls end, and which assumptions the choice depends on. */

const ENDS = {
  settled: { name: "settled", color: "proceed" },
  helped: { name: "to a human, upset", color: "accent" },
  needless: { name: "to a human, not upset", color: "offer" },
  hung_up: { name: "hung up", color: "transfer" },
};
const ASSUMPTIONS_SHOWN = 12;

function showClosedLoop(played, { note, charts, turns }) {
  const usual = played.cheapest;
  const changes = usual === null ? [] : played.doubts.filter((doubt) => doubt.kept !== usual);
  const choice = played.policies.length === 1 ? "" : usual === null
    ? " No policy costs clearly least here."
    : ` ${usual} costs least here; another policy clearly costs less in ${changes.length} of ${played.doubts.length} cases with one assumption halved, or half as much again.`;
  note.textContent = `A replay cannot know what a caller would have done after an action. This caller is simulated: how often the bot fails, and what anger and empathy do, is assumed, not measured.${choice}`;
  drawEnds(played, charts);
  drawSensitivity(played, usual ?? played.policies[0].policy, charts);
  if (changes.length) fillChanges(played, usual, changes, turns);
}

function drawEnds(played, place) {
  const part = { helped: (one) => one.transferred - one.needless };
  chart(place, "How calls end", "% of the same simulated calls", {
    x: "% of calls", legend: Object.values(ENDS).map((end) => [end.name, end.color]),
  }, (width) => ({
    xAxis: valueAxis({ max: 100, interval: 25 }),
    yAxis: nameAxis(played.policies.map((one) => `${one.policy}\ncosts ${number(one.cost)}`), { inverse: true }, width),
    series: Object.entries(ENDS).map(([key, end]) => ({
      type: "bar", stack: "all", name: end.name, itemStyle: { color: color(end.color) }, barMaxWidth: 48,
      data: played.policies.map((one) => Number((100 * (part[key] ? part[key](one) : one[key])).toFixed(1))),
    })),
  }));
}

/** What the usual choice saves compared with the next best; without others, its cost. */
function savingOf(doubt, usual) {
  const others = Object.entries(doubt.costs).filter(([name]) => name !== usual).map(([, cost]) => cost);
  return others.length ? Math.min(...others) - doubt.costs[usual] : doubt.costs[usual];
}

function named(assumption) {
  return assumption.replaceAll("_", " ").replace(".", ", ");
}

function drawSensitivity(played, usual, place) {
  const rows = new Map();
  for (const doubt of played.doubts) rows.set(doubt.assumption, [...(rows.get(doubt.assumption) ?? []), savingOf(doubt, usual)]);
  const span = ([, savings]) => Math.max(...savings) - Math.min(...savings);
  const shown = [...rows].sort((one, other) => span(other) - span(one)).slice(0, ASSUMPTIONS_SHOWN).reverse();
  const several = played.policies.length > 1;
  const title = several ? `What ${usual} saves against the next best` : `What ${usual} costs`;
  const points = (which) => shown.map(([assumption, savings]) => [savings[which], named(assumption)]);
  const lines = shown.flatMap(([assumption, [low, high]]) => [[low, named(assumption)], [high, named(assumption)], [null, null]]);
  chart(place, title, `per 1,000 calls, with one assumption changed; the ${shown.length} that matter most${several ? "; left of 0 another policy is cheaper" : ""}`, {
    tall: true, x: "per 1,000 calls", legend: [["halved", "faint"], ["half as much again", "accent"]],
  }, (width) => ({
    xAxis: valueAxis({ scale: !several }),
    yAxis: nameAxis(shown.map(([assumption]) => named(assumption)), { axisLine: { onZero: false }, axisTick: { show: false } }, width),
    series: [
      { type: "line", symbol: "none", silent: true, lineStyle: { color: color("line"), width: 3 }, markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: color("soft"), type: "solid" }, data: several ? [{ xAxis: 0 }] : [] }, data: lines },
      { type: "scatter", name: "halved", symbolSize: 10, itemStyle: { color: color("faint") }, data: points(0) },
      { type: "scatter", name: "half as much again", symbolSize: 10, itemStyle: { color: color("accent") }, data: points(1) },
    ],
  }));
}

function fillChanges(played, usual, changes, table) {
  const names = played.policies.map((one) => one.policy);
  const head = ["assumption", "if it is", "cheapest", ...names.map((name) => `${name} costs`)];
  const body = element("tbody");
  for (const doubt of changes) {
    const cells = [named(doubt.assumption), String(Number(doubt.value.toPrecision(3))), doubt.kept, ...names.map((name) => number(doubt.costs[name]))];
    body.append(element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  }
  table.append(
    element("caption", {}, `Where ${usual} is not the cheapest`),
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    body,
  );
}
