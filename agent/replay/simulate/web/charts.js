"use strict";

/** Charts: as wide as their place and in the colours of the page, whatever becomes of both. */

const REDRAW_ON = ["(prefers-color-scheme: dark)", "print"].map((query) => window.matchMedia(query));

/** Draws what `option(width)` returns, again whenever the width or the colours change. */
function drawIn(place, option) {
  const drawn = echarts.init(place);
  const draw = () => {
    if (!place.clientWidth) return;
    drawn.resize();
    drawn.setOption({ animation: false, tooltip: tooltip(), ...option(place.clientWidth) }, { notMerge: true });
  };
  new ResizeObserver(draw).observe(place);
  for (const query of REDRAW_ON) query.addEventListener("change", draw);
  draw();
  return { draw, drawn };
}

/** A card with a chart; names of axes and series are text of the page, which wraps. */
function chart(place, title, note, { tall, x, y, legend = [] }, option) {
  const canvas = element("div", { class: tall ? "chart tall" : "chart", role: "img", "aria-label": title });
  const parts = [element("figcaption", {}, title, element("small", {}, note))];
  if (legend.length) parts.push(fillLegend(element("ul", { class: "legend" }), legend));
  if (y) parts.push(element("p", { class: "axis" }, y));
  parts.push(canvas);
  if (x) parts.push(element("p", { class: "axis" }, x));
  place.append(element("figure", {}, ...parts));
  drawIn(canvas, (width) => ({ grid: GRID, ...option(width) }));
}

function fillLegend(list, entries) {
  list.replaceChildren(...entries.map(([name, shade]) => {
    const swatch = element("span", { "aria-hidden": "true" });
    swatch.style.background = `var(--${shade})`;
    return element("li", {}, swatch, name);
  }));
  return list;
}

const GRID = { left: 4, right: 16, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };

/** Tooltips are drawn, not written as HTML. */
function tooltip() {
  return { renderMode: "richText", confine: true, backgroundColor: color("card"), borderColor: color("line"), textStyle: { color: color("ink") } };
}

function inColors(more) {
  return {
    axisLine: { lineStyle: { color: color("soft") }, ...more.axisLine },
    axisTick: { lineStyle: { color: color("soft") }, ...more.axisTick },
    splitLine: { lineStyle: { color: color("line") }, ...more.splitLine },
    axisLabel: { color: color("soft"), hideOverlap: true, ...more.axisLabel },
  };
}

function valueAxis(more = {}) {
  return { type: "value", splitNumber: 4, ...more, ...inColors(more) };
}

const LETTER_PX = 7;

/** Names along an axis; those beside it take less than half of the width, on several lines. */
function nameAxis(data, more = {}, width = null) {
  const longest = LETTER_PX * Math.max(...data.flatMap((name) => name.split("\n")).map((line) => line.length));
  const beside = width === null ? {} : { width: Math.min(longest, 160, 0.4 * width), overflow: "break", lineHeight: 16, hideOverlap: false };
  return { type: "category", data, ...more, ...inColors({ ...more, splitLine: { show: false }, axisLabel: { ...beside, ...more.axisLabel } }) };
}
