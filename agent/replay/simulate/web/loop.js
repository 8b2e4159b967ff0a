"use strict";

/** Policies with a simulated caller: how calls end, and which assumptions the choice depends on. */

const ENDS = {
  settled: { name: "settled", color: "#c9ccc6" },
  helped: { name: "to a human, upset", color: "#0f5f5c" },
  needless: { name: "to a human, not upset", color: "#7a5bb4" },
  hung_up: { name: "hung up", color: "#a52a24" },
};
const ASSUMPTIONS_SHOWN = 12;

function showClosedLoop(played, { note, charts, turns }) {
  const usual = played.policies.reduce((best, one) => one.cost < best.cost ? one : best).policy;
  const changes = played.doubts.filter((doubt) => doubt.cheapest !== usual);
  const choice = played.policies.length > 1
    ? ` ${usual} costs least here, and still does in ${played.doubts.length - changes.length} of ${played.doubts.length} cases with one assumption halved, or half as much again.`
    : "";
  note.textContent = `A replay cannot know what a caller would have done after an action. This caller is simulated: how often the bot fails, and what anger and empathy do, is assumed, not measured.${choice}`;
  drawEnds(played, charts);
  drawSensitivity(played, usual, charts);
  if (changes.length) fillChanges(played, usual, changes, turns);
}

function drawEnds(played, place) {
  const shareOf = { helped: (one) => one.transferred - one.needless };
  chart(place, "How calls end", "% of the same simulated calls", {
    legend: { top: 0 },
    xAxis: axis("% of calls", { max: 100 }),
    yAxis: { type: "category", data: played.policies.map((one) => `${one.policy}\ncosts ${number(one.cost)}`), inverse: true, axisLabel: { lineHeight: 16 } },
    grid: { left: 110, right: 24, top: 40, bottom: 44 },
    series: Object.entries(ENDS).map(([key, end]) => ({
      type: "bar", stack: "all", name: end.name, itemStyle: { color: end.color },
      data: played.policies.map((one) => Number((100 * (shareOf[key] ? shareOf[key](one) : one[key])).toFixed(1))),
    })),
  });
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
  chart(place, title, `per 1,000 calls, with one assumption changed; the ${shown.length} that matter most${several ? "; left of 0 another policy is cheaper" : ""}`, {
    tall: true,
    legend: { top: 0, data: ["halved", "half as much again"] },
    xAxis: axis("per 1,000 calls", { scale: !several }),
    yAxis: { type: "category", data: shown.map(([assumption]) => named(assumption)), axisLine: { onZero: false }, axisTick: { show: false } },
    grid: { left: 160, right: 24, top: 40, bottom: 44 },
    series: [
      { type: "line", symbol: "none", silent: true, lineStyle: { color: "#9db3b1", width: 3 }, markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: "#566065", type: "solid" }, data: several ? [{ xAxis: 0 }] : [] }, data: shown.flatMap(([assumption, [low, high]]) => [[low, named(assumption)], [high, named(assumption)], [null, null]]) },
      { type: "scatter", name: "halved", symbolSize: 10, itemStyle: { color: "#fff", borderColor: "#0f5f5c", borderWidth: 2 }, data: points(0) },
      { type: "scatter", name: "half as much again", symbolSize: 10, itemStyle: { color: "#0f5f5c" }, data: points(1) },
    ],
  });
}

function fillChanges(played, usual, changes, table) {
  const names = played.policies.map((one) => one.policy);
  const head = ["assumption", "if it is", "cheapest", ...names.map((name) => `${name} costs`)];
  const body = element("tbody");
  for (const doubt of changes) {
    const cells = [named(doubt.assumption), String(Number(doubt.value.toPrecision(3))), doubt.cheapest, ...names.map((name) => number(doubt.costs[name]))];
    body.append(element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  }
  table.append(
    element("caption", {}, `Where ${usual} is not the cheapest`),
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    body,
  );
}
