/** Where things lie on the chart; pure. Heights grow downwards, as in SVG. */

/** @typedef {{x: number, y: number}} Point */

const ENDS_S = [45, 60, 90, 120, 180, 240, 300, 420, 600];

/**
 * A straight scale from a domain to a range.
 * @param {[number, number]} domain
 * @param {[number, number]} range
 * @returns {(value: number) => number}
 */
export function linear([from, to], [low, high]) {
  return (value) => low + ((value - from) / (to - from)) * (high - low);
}

/**
 * A scale that gives each level the same height: 0, the two thresholds and 1 lie a third apart.
 * @param {{strained: number, distressed: number}} levels
 * @param {number} top
 * @param {number} bottom
 * @returns {(belief: number) => number}
 */
export function beliefScale(levels, top, bottom) {
  const edges = [0, levels.strained, levels.distressed, 1];
  return (belief) => {
    const value = Math.min(1, Math.max(0, belief));
    const band = value < edges[1] ? 0 : value < edges[2] ? 1 : 2;
    const share = (value - edges[band]) / (edges[band + 1] - edges[band] || 1);
    return bottom - ((band + share) / 3) * (bottom - top);
  };
}

/**
 * How many seconds the chart shows, so that `nowS` is on it; it grows in steps, not all the time.
 * @param {number} nowS
 */
export function chartEnd(nowS) {
  return ENDS_S.find((end) => nowS <= end * 0.97) ?? Math.ceil((nowS * 1.03) / 300) * 300;
}

/**
 * Times to write on the axis, in seconds.
 * @param {number} endS
 * @param {number} widthPx
 */
export function timeTicks(endS, widthPx) {
  const fitting = Math.max(2, Math.floor(widthPx / 70));
  const step = [5, 10, 15, 30, 60, 120, 300].find((each) => endS / each <= fitting) ?? 600;
  return Array.from({ length: Math.floor(endS / step) + 1 }, (_, index) => index * step);
}

/**
 * An SVG path through the points.
 * @param {Point[]} points
 */
export const linePath = (points) =>
  points.map(({ x, y }, index) => `${index ? "L" : "M"}${round(x)} ${round(y)}`).join("");

/**
 * An SVG path that keeps each height until the next point, and the last until `endX`.
 * @param {Point[]} points
 * @param {number} endX
 */
export function stepPath(points, endX) {
  if (!points.length) return "";
  const steps = points.map(({ x, y }, index) =>
    index ? `H${round(x)}V${round(y)}` : `M${round(x)} ${round(y)}`,
  );
  return `${steps.join("")}H${round(endX)}`;
}

/**
 * A mirrored outline of loudness, a bar a pixel column that something was heard in.
 * @param {{atS: number, level: number}[]} loudness   level in 0 to 1
 * @param {(seconds: number) => number} x
 * @param {number} middle
 * @param {number} halfHeight
 */
export function wavePath(loudness, x, middle, halfHeight) {
  /** @type {Map<number, number>} */
  const columns = new Map();
  for (const { atS, level } of loudness) {
    const column = Math.round(x(atS) / 2) * 2;
    columns.set(column, Math.max(columns.get(column) ?? 0, level));
  }
  return [...columns]
    .filter(([, level]) => level > 0.02)
    .map(([column, level]) => {
      const half = Math.max(0.75, level * halfHeight);
      return `M${column} ${round(middle - half)}V${round(middle + half)}`;
    })
    .join("");
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
