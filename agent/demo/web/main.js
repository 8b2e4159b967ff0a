/** The page: what a person asks for goes to the line, what the server says goes on the screen. */

import { AgentPane } from "./agent.js";
import { describeDemo, fetchSample } from "./api.js";
import { drawChart } from "./chart.js";
import { Controls } from "./controls.js";
import { Conversation, showTable } from "./conversation.js";
import { byId } from "./dom.js";
import { Line } from "./line.js";
import { Microphone } from "./microphone.js";
import { Monitor, SIDES } from "./monitor.js";
import { Problem, microphoneLost, tooLarge } from "./problems.js";
import { Recording, decodeCaller } from "./recording.js";
import { Story } from "./story.js";

const TICK_MS = 100;
const LARGEST_MB = 100;
const SILENCED = "The browser keeps the bot silent. Allow sound for this page.";

/** @typedef {Microphone | Recording} Source */

class Page {
  #controls = new Controls({
    onSample: (id, title) => this.#call(() => this.#openRecording(title, fetchSample(id), "both")),
    onMicrophone: () => this.#call(() => Microphone.open(() => this.#loseMicrophone())),
    onFile: (file) => this.#call(() => this.#openFile(file)),
    onHangUp: () => this.#hangUp("You hung up."),
    onAnalysis: (on) => this.#line.setAnalysis(on),
    onVolume: (share) => this.#source instanceof Recording && this.#source.setVolume(share),
  });
  #line = new Line({
    onState: (state) => this.#showState(state),
    onMessage: (message) => this.#receive(message),
    onRemoteAudio: (stream) => this.#hearBot(stream),
    onRetry: (sentence) => this.#controls.say(sentence, "failed"),
    onOver: (sentence, failed) => this.#end(sentence, failed),
  });
  #conversation = new Conversation(byId("log", HTMLElement), byId("conversation", HTMLElement));
  #agent = new AgentPane(byId("agent-state", HTMLElement), byId("agent", HTMLElement));
  #chart = byId("chart", SVGSVGElement);
  #table = byId("turns", HTMLElement);
  #botAudio = byId("bot-audio", HTMLAudioElement);
  #monitor = new Monitor();

  #story = new Story();
  #levels = { strained: 0.1, distressed: 0.5 };
  #beganAtMs = 0;
  #live = false;
  /** @type {Source | null} */
  #source = null;

  async open() {
    this.#draw();
    new ResizeObserver(() => this.#draw()).observe(this.#chart);
    setInterval(() => this.#tick(), TICK_MS);
    addEventListener("pagehide", () => this.#line.close());
    try {
      const demo = await describeDemo();
      this.#levels = demo.levels;
      this.#controls.showDemo(demo);
      this.#draw();
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** @param {() => Promise<Source>} open   asks for the caller's sound */
  async #call(open) {
    performance.mark("call-asked");
    this.#controls.say("");
    try {
      await this.#monitor.context.resume();
      const source = await open();
      this.#takeSource(source);
      await this.#line.open(source.stream);
    } catch (problem) {
      this.#hangUp("");
      this.#fail(problem);
    }
  }

  /** @param {File} file */
  #openFile(file) {
    if (file.size > LARGEST_MB * 2 ** 20) throw tooLarge(file.name, LARGEST_MB);
    return this.#openRecording(file.name, file.arrayBuffer(), this.#controls.side);
  }

  /**
   * @param {string} name
   * @param {Promise<ArrayBuffer>} bytes
   * @param {import("./recording.js").Side} side
   */
  async #openRecording(name, bytes, side) {
    const { context } = this.#monitor;
    const caller = await decodeCaller(context, await bytes, name, side);
    const recording = new Recording(name, context, caller, {
      onPhrase: (wordsEndAtMs) => performance.mark("words-end", { startTime: wordsEndAtMs }),
      onOver: () => this.#hangUp("The recording is over, and with it the call."),
    });
    recording.setVolume(this.#controls.volume);
    return recording;
  }

  /** @param {Source} source */
  #takeSource(source) {
    this.#source?.close();
    this.#source = source;
    this.#monitor.listen("caller", source.stream);
    this.#controls.showSource(source.name, source instanceof Recording);
  }

  /** @param {import("./messages.js").Message} message */
  #receive(message) {
    if (message.kind === "call") this.#begin();
    this.#story.apply(message);
    this.#show(message);
    performance.mark(`shown-${message.kind}`, { detail: message });
  }

  #begin() {
    this.#story = new Story();
    this.#monitor.clear();
    this.#beganAtMs = performance.now();
    this.#conversation.clear();
    this.#agent.clear();
    this.#source?.begin();
    this.#controls.say("You are connected.");
  }

  /** @param {import("./messages.js").Message} message */
  #show(message) {
    switch (message.kind) {
      case "call":
        this.#levels = message.levels;
        this.#controls.showAnalysis(message.analysis);
        break;
      case "analysis":
        this.#controls.showAnalysis(message.on);
        this.#conversation.showEvent(message.on ? "The analysis is on." : "The analysis is off.");
        break;
      case "reading":
      case "turn":
        this.#conversation.showTurn(this.#story.turn(message.turn));
        break;
      case "decision":
        this.#conversation.showTurn(this.#story.turn(message.decision.turn));
        break;
      case "speaking":
        if (message.who === "bot") this.#source?.botSpeaks(message.speaking);
        break;
      case "said":
        this.#conversation.showSaid(message);
        break;
      case "hand-over":
        this.#agent.showPacket(message.packet);
        break;
      case "transfer":
        this.#agent.showOutcome(message);
        break;
    }
    showTable(this.#table, this.#story.turns);
    this.#draw();
  }

  /** @param {import("./line.js").LineState} state */
  #showState(state) {
    this.#live = state === "live";
    this.#controls.showState(state);
    if (state === "connecting") this.#controls.say("Calling …");
  }

  #loseMicrophone() {
    this.#hangUp("");
    this.#fail(microphoneLost());
  }

  /** @param {string} sentence */
  #hangUp(sentence) {
    this.#line.close();
    this.#end(sentence, false);
  }

  /** @param {string} sentence @param {boolean} failed */
  #end(sentence, failed) {
    this.#source?.close();
    this.#source = null;
    this.#monitor.stop();
    this.#botAudio.srcObject = null;
    this.#controls.say(sentence, failed ? "failed" : "calm");
    this.#draw();
  }

  /** @param {unknown} problem */
  #fail(problem) {
    const known = problem instanceof Problem;
    this.#controls.say(known ? problem.message : `Something went wrong: ${problem}`, "failed");
  }

  /** @param {MediaStream} stream */
  #hearBot(stream) {
    this.#botAudio.srcObject = stream;
    this.#botAudio.play().catch(() => this.#controls.say(SILENCED, "failed"));
    this.#monitor.listen("bot", stream);
  }

  get #nowS() {
    const { lastAtS } = this.#story;
    return this.#live ? Math.max(lastAtS, (performance.now() - this.#beganAtMs) / 1000) : lastAtS;
  }

  #tick() {
    if (!this.#live || !this.#beganAtMs) return;
    const nowS = this.#nowS;
    for (const side of SIDES) this.#controls.showLevel(side, this.#monitor.note(side, nowS));
    this.#controls.showElapsed(nowS);
    this.#draw();
  }

  #draw() {
    drawChart(this.#chart, {
      story: this.#story,
      levels: this.#levels,
      nowS: this.#nowS,
      live: this.#live,
      waves: this.#monitor.waves,
    });
  }
}

new Page().open();
