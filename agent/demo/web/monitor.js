/** Listens to both sides of a call: how loud each is now, and was. */

import { Loudness } from "./loudness.js";

/** @typedef {"caller" | "bot"} Side */
/** @typedef {{atS: number, level: number}[]} Wave */

export const SIDES = /** @type {const} */ (["caller", "bot"]);

export class Monitor {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Partial<Record<Side, Loudness>>} */
  #loudness = {};
  /** @type {Record<Side, Wave>} */
  waves = { caller: [], bot: [] };

  /** The page's audio context; browsers start it only after a gesture. */
  get context() {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** @param {Side} side @param {MediaStream} stream */
  listen(side, stream) {
    this.#loudness[side]?.close();
    this.#loudness[side] = new Loudness(this.context, stream);
  }

  /** Listen no longer; the waves stay. */
  stop() {
    Object.values(this.#loudness).forEach((each) => each.close());
    this.#loudness = {};
  }

  /** Forget the waves: another call begins. */
  clear() {
    this.waves = { caller: [], bot: [] };
  }

  /**
   * Note how loud a side is, and give it: 0 to 1.
   * @param {Side} side
   * @param {number} atS
   */
  note(side, atS) {
    const level = this.#loudness[side]?.level ?? 0;
    this.waves[side].push({ atS, level });
    return level;
  }
}
