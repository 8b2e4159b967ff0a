"use strict";

/** What is wrong with a report's layout: one line a fault. */
function faults() {
  const wide = document.documentElement.scrollWidth;
  return [
    ...(wide > innerWidth ? [`the page is ${wide} wide`] : []),
    ...[...document.querySelectorAll("[role=img]")].flatMap(chartFaults),
    ...overlaps([...document.querySelectorAll("figure")].map((card) => card.getBoundingClientRect())),
    ...cutTexts(),
  ];
}

function chartFaults(place) {
  const name = place.getAttribute("aria-label") ?? place.id;
  const card = place.closest("figure, .call").getBoundingClientRect();
  const chart = echarts.getInstanceByDom(place);
  const room = { left: 0, right: chart.getWidth(), top: -2, bottom: chart.getHeight() + 2 };
  const texts = chart.getZr().storage.getDisplayList(true).filter((drawn) => drawn.type === "tspan" && !drawn.ignore && !drawn.invisible);
  return [
    ...(texts.length ? [] : [`${name}: nothing is written in it`]),
    ...(isWithin(place.querySelector("canvas").getBoundingClientRect(), card) ? [] : [`${name}: larger than its card`]),
    ...texts.filter((text) => !isWithin(boxOf(text), room) || /…|\.\.\.$/.test(text.style.text)).map((text) => `${name}: ${text.style.text} is cut off`),
  ];
}

function boxOf(text) {
  const box = text.getBoundingRect().clone();
  box.applyTransform(text.getComputedTransform() ?? [1, 0, 0, 1, 0, 0]);
  return { left: box.x, right: box.x + box.width, top: box.y, bottom: box.y + box.height };
}

function isWithin(inner, outer) {
  return inner.left >= outer.left - 1 && inner.right <= outer.right + 1 && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
}

function overlaps(cards) {
  const apart = (one, other) => one.left >= other.right - 1 || other.left >= one.right - 1 || one.top >= other.bottom - 1 || other.top >= one.bottom - 1;
  return cards.flatMap((one, index) => cards.slice(index + 1).filter((other) => !apart(one, other)).map(() => "cards overlap"));
}

function cutTexts() {
  return [...document.querySelectorAll("h1, h2, h3, p, li, dt, dd, figcaption, label, td, th, button, .scroll")]
    .filter((text) => text.scrollWidth > text.clientWidth + 1 && getComputedStyle(text).display !== "inline")
    .map((text) => `cut off: ${text.textContent}`);
}

/** The colours with too little contrast to a card: 4.5 for words (WCAG), and 2.3 for shapes. */
function paleColors() {
  const needed = { ink: 4.5, soft: 4.5, calm: 4.5, strained: 4.5, distressed: 4.5, accent: 4.5, empathize: 2.3, offer: 2.3, transfer: 2.3, voice: 2.3, words: 2.3 };
  return Object.entries(needed).filter(([name, least]) => contrast(luminance(name), luminance("card")) < least).map(([name]) => name);
}

function contrast(one, other) {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** Relative luminance, as WCAG defines it. */
function luminance(name) {
  const hex = color(name).replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
