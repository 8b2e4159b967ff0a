/** One WebRTC connection to the bot: sound both ways, and messages on a data channel. */

import { offerCall, sendCandidates } from "./api.js";
import { parseMessage } from "./messages.js";
import { noAudioPath } from "./problems.js";

const CONNECT_MS = 15_000;
const PING_MS = 1_000; // the server takes three seconds without one for a caller who is gone
const TRICKLE_MS = 50; // candidates come in handfuls
const SHAKY_MS = 4_000; // "disconnected" often mends itself within that

/**
 * @typedef {object} CallEvents
 * @property {(message: import("./messages.js").Message) => void} onMessage
 * @property {(stream: MediaStream) => void} onRemoteAudio
 * @property {() => void} onLost   once, if the connection breaks after it stood
 */

export class Call {
  #connection = new RTCPeerConnection();
  #channel = this.#connection.createDataChannel("messages", { ordered: true });
  #events;
  #over = false;
  #id = "";
  /** @type {RTCIceCandidate[]} */
  #candidates = [];
  #pinger = 0;
  #shaky = 0;
  #trickler = 0;

  /**
   * @param {MediaStream} stream   the caller's sound
   * @param {CallEvents} events
   */
  constructor(stream, events) {
    this.#events = events;
    const [track] = stream.getAudioTracks();
    this.#connection.addTransceiver(track, { direction: "sendrecv", streams: [stream] });
    this.#connection.ontrack = ({ track: remote, streams }) =>
      events.onRemoteAudio(streams[0] ?? new MediaStream([remote]));
    this.#connection.onicecandidate = ({ candidate }) => candidate && this.#found(candidate);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
  }

  /**
   * Connect; done when the bot can be talked to.
   * @param {boolean} analysis   whether the call may be analysed
   * @throws {import("./problems.js").Problem}
   */
  async connect(analysis) {
    const opened = this.#opened();
    opened.catch(() => {}); // it is awaited below, but may fail before that
    try {
      await this.#connection.setLocalDescription();
      const answer = await offerCall(this.#connection.localDescription?.sdp ?? "", analysis);
      if (this.#over) return;
      this.#id = answer.pc_id;
      await this.#connection.setRemoteDescription({ sdp: answer.sdp, type: answer.type });
      this.#trickle();
      await opened;
    } catch (problem) {
      if (this.#over) return;
      this.hangUp();
      throw problem;
    }
    this.#watch();
    this.#send("client-ready", { version: "1.2.0", about: { library: "deescalate-demo" } });
  }

  /**
   * Switch the analysis of this call.
   * @param {boolean} on
   */
  setAnalysis(on) {
    this.#send("client-message", { t: "analysis", d: { on } });
  }

  /** End the call; nothing is reported after that. */
  hangUp() {
    if (this.#over) return;
    this.#send("disconnect-bot");
    this.#over = true;
    clearInterval(this.#pinger);
    clearTimeout(this.#shaky);
    clearTimeout(this.#trickler);
    this.#connection.close();
  }

  /** Resolves when the data channel is open, rejects when that takes too long or fails. */
  #opened() {
    return new Promise((resolve, reject) => {
      const fail = () => reject(noAudioPath());
      const timer = setTimeout(fail, CONNECT_MS);
      this.#channel.onopen = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
      this.#connection.onconnectionstatechange = () => {
        if (this.#connection.connectionState === "failed") fail();
      };
    });
  }

  #watch() {
    this.#pinger = setInterval(() => this.#transmit(`ping: ${Date.now()}`), PING_MS);
    this.#channel.onclose = () => this.#lose();
    this.#connection.onconnectionstatechange = () => {
      const state = this.#connection.connectionState;
      clearTimeout(this.#shaky);
      if (state === "failed" || state === "closed") this.#lose();
      if (state === "disconnected") this.#shaky = setTimeout(() => this.#lose(), SHAKY_MS);
    };
  }

  #lose() {
    if (this.#over) return;
    this.hangUp();
    this.#events.onLost();
  }

  /** @param {unknown} data */
  #receive(data) {
    const message = parseMessage(data);
    if (this.#over || !message) return;
    if (message.kind === "peer-left") this.#lose();
    else this.#events.onMessage(message);
  }

  /** @param {RTCIceCandidate} candidate */
  #found(candidate) {
    this.#candidates.push(candidate);
    clearTimeout(this.#trickler);
    this.#trickler = setTimeout(() => this.#trickle(), TRICKLE_MS);
  }

  /** Not waited for: a name ending in .local can take the server seconds, and no call needs one. */
  #trickle() {
    if (this.#over || !this.#id || !this.#candidates.length) return;
    sendCandidates(this.#id, this.#candidates.splice(0)).catch(() => {});
  }

  /** @param {string} type @param {unknown} [data] */
  #send(type, data) {
    const id = crypto.randomUUID?.() ?? String(Math.random());
    this.#transmit(JSON.stringify({ label: "rtvi-ai", type, id, data }));
  }

  /** @param {string} text */
  #transmit(text) {
    if (this.#channel.readyState === "open") this.#channel.send(text);
  }
}
