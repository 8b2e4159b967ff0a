/**
 * Cuts a recorded caller into phrases, so that each can wait for the bot; pure.
 * @typedef {{startS: number, endS: number}} Phrase
 */

const WINDOW_S = 0.02;
const LEAD_S = 0.15;
export const TAIL_S = 0.25; // kept after the last sound of a phrase

/**
 * The stretches of speech, apart by at least `pauseS` of silence; all of it if nothing stands out.
 * Silence is what stays 20 dB below the loud parts.
 * @param {Float32Array} samples   mono, in [-1, 1]
 * @param {number} sampleRate   in Hz
 * @param {number} [pauseS]
 * @returns {Phrase[]}
 */
export function findPhrases(samples, sampleRate, pauseS = 1) {
  const durationS = samples.length / sampleRate;
  const loudness = windowLoudness(samples, Math.round(sampleRate * WINDOW_S));
  const loud = [...loudness].sort((one, other) => one - other)[Math.floor(loudness.length * 0.95)];
  if (!loud) return [{ startS: 0, endS: durationS }];
  /** @type {Phrase[]} */
  const phrases = [];
  loudness.forEach((level, index) => {
    if (level < loud * 0.1) return;
    const startS = Math.max(0, index * WINDOW_S - LEAD_S);
    const endS = Math.min(durationS, (index + 1) * WINDOW_S + TAIL_S);
    const last = phrases.at(-1);
    if (last && startS - last.endS < pauseS - LEAD_S - TAIL_S) last.endS = endS;
    else phrases.push({ startS, endS });
  });
  return phrases;
}

/**
 * Root mean square of each whole window.
 * @param {Float32Array} samples
 * @param {number} length   in samples
 */
function windowLoudness(samples, length) {
  const loudness = new Float32Array(Math.floor(samples.length / length));
  for (let window = 0; window < loudness.length; window++) {
    let sum = 0;
    for (let at = window * length; at < (window + 1) * length; at++) sum += samples[at] ** 2;
    loudness[window] = Math.sqrt(sum / length);
  }
  return loudness;
}
