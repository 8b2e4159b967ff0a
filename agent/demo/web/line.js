/** Keeps a caller connected: dials, and dials again when the connection is lost. */

import { Call } from "./call.js";
import { Problem, ending, serverGone } from "./problems.js";

const WAITS_S = [1, 2, 4, 8, 15, 15, 15];

/**
 * @typedef {"idle" | "connecting" | "live" | "waiting"} LineState
 *
 * @typedef {object} LineEvents
 * @property {(state: LineState) => void} onState
 * @property {(message: import("./messages.js").Message) => void} onMessage
 * @property {(stream: MediaStream) => void} onRemoteAudio
 * @property {(sentence: string) => void} onRetry   the connection is lost, and tried again
 * @property {(sentence: string, failed: boolean) => void} onOver   no call is left
 */

export class Line {
  #events;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Call | null} */
  #call = null;
  #analysis = true;
  #tries = 0;
  #timer = 0;

  /** @param {LineEvents} events */
  constructor(events) {
    this.#events = events;
  }

  /**
   * Whether calls may be analysed, this one included.
   * @param {boolean} on
   */
  setAnalysis(on) {
    this.#analysis = on;
    this.#call?.setAnalysis(on);
  }

  /**
   * Call with this sound.
   * @param {MediaStream} stream
   */
  async open(stream) {
    this.close();
    this.#stream = stream;
    try {
      await this.#dial();
    } catch (error) {
      this.#end(sentenceOf(error), true);
    }
  }

  /** Hang up, or stop trying. */
  close() {
    clearTimeout(this.#timer);
    this.#call?.hangUp();
    this.#call = null;
    this.#stream = null;
    this.#tries = 0;
    this.#events.onState("idle");
  }

  async #dial() {
    if (!this.#stream) return;
    this.#events.onState("connecting");
    const call = new Call(this.#stream, {
      onMessage: (message) => this.#receive(message),
      onRemoteAudio: this.#events.onRemoteAudio,
      onLost: () => this.#retry(),
    });
    this.#call = call;
    await call.connect(this.#analysis);
    if (this.#call !== call) return;
    this.#tries = 0;
    this.#events.onState("live");
  }

  /** @param {import("./messages.js").Message} message */
  #receive(message) {
    this.#events.onMessage(message);
    if (message.kind !== "ended") return;
    this.#call?.hangUp();
    if (message.reason === "shutdown") this.#retry();
    else this.#end(ending(message), false);
  }

  #retry() {
    this.#call = null;
    const waitS = WAITS_S[this.#tries++];
    if (waitS === undefined) {
      this.#end(serverGone().message, true);
      return;
    }
    this.#events.onState("waiting");
    this.#events.onRetry(`The connection was lost. Calling again in ${waitS} s …`);
    this.#timer = setTimeout(() => this.#redial(), waitS * 1000);
  }

  async #redial() {
    try {
      await this.#dial();
    } catch (error) {
      if (error instanceof Problem && error.passing) this.#retry();
      else this.#end(sentenceOf(error), true);
    }
  }

  /** @param {string} sentence @param {boolean} failed */
  #end(sentence, failed) {
    this.close();
    this.#events.onOver(sentence, failed);
  }
}

/** @param {unknown} error */
const sentenceOf = (error) =>
  error instanceof Problem ? error.message : `The call could not be set up (${error}).`;
