/** What can go wrong, as sentences for the person in front of the page. */

/** Something that the person has to know; its message is shown as it is. */
export class Problem extends Error {
  /**
   * @param {string} sentence
   * @param {{passing?: boolean}} [options]   passing: trying again later may work
   */
  constructor(sentence, { passing = false } = {}) {
    super(sentence);
    this.name = "Problem";
    this.passing = passing;
  }
}

const INSTEAD = "You can play a sample call instead.";

/** @type {Record<string, string>} */
const MICROPHONE = {
  NotAllowedError: `The microphone was refused. Allow it beside the page's address. ${INSTEAD}`,
  NotFoundError: `No microphone was found. Connect one and try again. ${INSTEAD}`,
  NotReadableError: `Another program seems to hold the microphone. ${INSTEAD}`,
};

/** @param {unknown} error   what getUserMedia threw */
export function microphoneProblem(error) {
  const name = error instanceof Error ? error.name : "";
  return new Problem(
    MICROPHONE[name] ?? `The microphone cannot be used (${name || error}). ${INSTEAD}`,
  );
}

export const insecurePage = () =>
  new Problem(
    `Browsers allow the microphone only on https pages or on this computer itself. ${INSTEAD}`,
  );

export const microphoneLost = () =>
  new Problem("The microphone was disconnected, so the call was ended. Connect it and call again.");

/** @param {string} name */
export const notAudio = (name) =>
  new Problem(
    `“${name}” is not audio that this browser can play. WAV, MP3, Ogg and FLAC usually work.`,
  );

/** @param {string} name @param {number} limitMb */
export const tooLarge = (name, limitMb) =>
  new Problem(`“${name}” is larger than ${limitMb} MB. Please choose a shorter recording.`);

export const serverGone = () =>
  new Problem("The demo server does not answer. Is `deescalate demo` still running?", {
    passing: true,
  });

export const noAudioPath = () =>
  new Problem(
    "The server was reached, but no sound gets through. A firewall or a VPN may be in the way.",
    { passing: true },
  );

/**
 * @param {number} status   of an HTTP answer
 * @param {string} detail   the server's own sentence, or ""
 */
export function refusal(status, detail) {
  if (status === 401 || status === 403) {
    return new Problem(
      "This demo asks for its token. Open the whole address that was printed, with #token=….",
    );
  }
  if (status === 429 || status === 503) {
    return new Problem(detail || "All lines are busy. Please try again in a minute.", {
      passing: true,
    });
  }
  return new Problem(
    detail
      ? `The server could not take the call: ${detail}`
      : `The server could not take the call (error ${status}).`,
    { passing: status >= 500 },
  );
}

/** @type {Record<string, string>} */
const ENDINGS = {
  hung_up: "The call is over.",
  silent: "The call was ended because nobody said anything for a while.",
  too_long: "The call was ended because it reached the longest time that the demo allows.",
  transferred: "The call was handed over: from here on a human talks to the caller.",
};

/**
 * Why the server ended the call.
 * @param {{reason: string, message: string}} ended
 */
export const ending = ({ reason, message }) =>
  ENDINGS[reason] ?? (message || "The server ended the call.");
