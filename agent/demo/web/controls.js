/** The page's controls: ways to start a call, the bar of the running call, what the page says. */

import { byId, el } from "./dom.js";
import { clock } from "./words.js";

/** @typedef {import("./line.js").LineState} LineState */

/** @type {Record<LineState, string>} */
const STATES = {
  idle: "",
  connecting: "Calling …",
  live: "On the line",
  waiting: "Connection lost",
};

/**
 * @typedef {object} Wishes   what the person asks for
 * @property {(id: string, title: string) => void} onSample
 * @property {() => void} onMicrophone
 * @property {(file: File) => void} onFile
 * @property {() => void} onHangUp
 * @property {(on: boolean) => void} onAnalysis
 * @property {(share: number) => void} onVolume
 */

export class Controls {
  #page = byId("page", HTMLElement);
  #start = byId("start", HTMLElement);
  #bar = byId("bar", HTMLElement);
  #microphone = byId("microphone", HTMLButtonElement);
  #hangUp = byId("hang-up", HTMLButtonElement);
  #analysis = byId("analysis", HTMLInputElement);
  #volume = byId("volume", HTMLInputElement);
  #side = byId("side", HTMLSelectElement);
  #status = byId("status", HTMLElement);
  #meters = {
    caller: byId("caller-meter", HTMLElement),
    bot: byId("bot-meter", HTMLElement),
  };
  #wishes;

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.#wishes = wishes;
    this.#microphone.addEventListener("click", wishes.onMicrophone);
    this.#hangUp.addEventListener("click", wishes.onHangUp);
    this.#analysis.addEventListener("change", () => wishes.onAnalysis(this.#analysis.checked));
    this.#volume.addEventListener("input", () => wishes.onVolume(this.volume));
    this.#takeFiles(byId("file", HTMLInputElement), byId("drop", HTMLElement));
  }

  get volume() {
    return this.#volume.valueAsNumber;
  }

  /** @returns {import("./recording.js").Side} */
  get side() {
    return /** @type {import("./recording.js").Side} */ (this.#side.value);
  }

  get analysis() {
    return this.#analysis.checked;
  }

  /** @param {boolean} on   as the server has it */
  showAnalysis(on) {
    this.#analysis.checked = on;
  }

  /** @param {import("./api.js").Demo} demo */
  showDemo(demo) {
    byId("policy", HTMLElement).textContent = demo.policy;
    if (demo.notice) byId("notice", HTMLElement).textContent = demo.notice;
    byId("samples", HTMLElement).replaceChildren(
      ...demo.calls.map(({ id, title, description }) => {
        const button = el("button", "sample", el("b", "", title));
        if (description) button.append(el("span", "", description));
        button.setAttribute("type", "button");
        button.dataset.sample = id;
        button.addEventListener("click", () => this.#wishes.onSample(id, title));
        return button;
      }),
    );
  }

  /**
   * Show whether there is a call, and keep the focus where something can be pressed.
   * @param {LineState} state
   */
  showState(state) {
    const idle = state === "idle";
    const moved = this.#bar.hidden !== idle;
    this.#page.dataset.state = state;
    if (state === "live") this.#page.dataset.called = "";
    this.#start.hidden = !idle;
    this.#bar.hidden = idle;
    byId("line-state", HTMLElement).textContent = STATES[state];
    if (moved) (idle ? this.#microphone : this.#hangUp).focus({ preventScroll: true });
  }

  /** @param {string} name @param {boolean} isRecording */
  showSource(name, isRecording) {
    byId("source-name", HTMLElement).textContent = name;
    byId("volume-field", HTMLElement).hidden = !isRecording;
  }

  /**
   * Say something to the person, aloud for those who listen to the page.
   * @param {string} sentence
   * @param {"calm" | "failed"} [tone]
   */
  say(sentence, tone = "calm") {
    this.#status.textContent = sentence;
    this.#status.dataset.tone = tone;
  }

  /** @param {number} seconds */
  showElapsed(seconds) {
    byId("elapsed", HTMLElement).textContent = clock(seconds);
  }

  /** @param {"caller" | "bot"} who @param {number} level   0 to 1 */
  showLevel(who, level) {
    this.#meters[who].style.transform = `scaleX(${level.toFixed(3)})`;
  }

  /** @param {HTMLInputElement} input @param {HTMLElement} target   files may be dropped on it */
  #takeFiles(input, target) {
    const take = (/** @type {FileList | null | undefined} */ files) => {
      if (files?.length && !this.#start.hidden) this.#wishes.onFile(files[0]);
    };
    input.addEventListener("change", () => {
      take(input.files);
      input.value = ""; // so that the same file can be chosen again
    });
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      target.classList.add("over");
    });
    document.addEventListener("dragleave", () => target.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      target.classList.remove("over");
      take(event.dataTransfer?.files);
    });
  }
}
