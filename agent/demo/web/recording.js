/** A recorded caller, who says a phrase, and the next one when the bot has answered. */

import { TAIL_S, findPhrases } from "./phrases.js";
import { notAudio } from "./problems.js";

const POLITE_MS = 700; // of silence of the bot before the next phrase
const PATIENCE_MS = 5_000; // for a bot that does not answer

/** @typedef {"left" | "right" | "both"} Side   which side of a stereo recording the caller is on */

/**
 * @typedef {object} RecordingEvents
 * @property {(wordsEndAtMs: number) => void} onPhrase   a phrase starts; its last word ends then
 * @property {() => void} onOver   all was said, and the bot has answered
 */

export class Recording {
  #context;
  #buffer;
  #events;
  #phrases;
  #next = 0;
  #timer = 0;
  #answered = false;
  #botSpeaks = false;
  /** @type {AudioBufferSourceNode | null} */
  #source = null;
  #out;
  #silence;
  #monitor;

  /**
   * @param {string} name
   * @param {AudioContext} context
   * @param {AudioBuffer} buffer   mono
   * @param {RecordingEvents} events
   */
  constructor(name, context, buffer, events) {
    this.name = name;
    this.#context = context;
    this.#buffer = buffer;
    this.#events = events;
    this.#phrases = findPhrases(buffer.getChannelData(0), buffer.sampleRate);
    this.#out = context.createMediaStreamDestination();
    // Without a source that runs, browsers send nothing at all where a line would send silence.
    this.#silence = new ConstantSourceNode(context, { offset: 0 });
    this.#silence.connect(this.#out);
    this.#silence.start();
    this.#monitor = new GainNode(context, { gain: 0 });
    this.#monitor.connect(context.destination);
  }

  get stream() {
    return this.#out.stream;
  }

  /**
   * How loud the caller is on this computer's own speaker; the call always gets all of it.
   * @param {number} share   0 to 1
   */
  setVolume(share) {
    this.#monitor.gain.value = share ** 2;
  }

  /** A call begins: say everything from the start. */
  begin() {
    this.#stop();
    this.#next = 0;
    this.#answered = false;
    this.#botSpeaks = false;
    this.#wait();
  }

  /**
   * The bot starts or stops speaking.
   * @param {boolean} speaks
   */
  botSpeaks(speaks) {
    this.#botSpeaks = speaks;
    this.#answered ||= speaks;
    if (!this.#source) this.#wait();
  }

  close() {
    this.#stop();
    this.#silence.stop();
    this.#monitor.disconnect();
  }

  #wait() {
    clearTimeout(this.#timer);
    if (this.#botSpeaks) return;
    this.#timer = setTimeout(() => this.#proceed(), this.#answered ? POLITE_MS : PATIENCE_MS);
  }

  #proceed() {
    const phrase = this.#phrases[this.#next++];
    if (!phrase) {
      this.#events.onOver();
      return;
    }
    const source = new AudioBufferSourceNode(this.#context, { buffer: this.#buffer });
    source.connect(this.#out);
    source.connect(this.#monitor);
    source.onended = () => {
      this.#source = null;
      this.#answered = this.#botSpeaks;
      this.#wait();
    };
    this.#source = source;
    const lengthS = phrase.endS - phrase.startS;
    source.start(0, phrase.startS, lengthS);
    this.#events.onPhrase(performance.now() + (lengthS - TAIL_S) * 1000);
  }

  #stop() {
    clearTimeout(this.#timer);
    if (this.#source) this.#source.onended = null;
    this.#source?.stop();
    this.#source = null;
  }
}

/**
 * The caller's side of an audio file, as mono.
 * @param {AudioContext} context
 * @param {ArrayBuffer} bytes
 * @param {string} name   of the file, for the message
 * @param {Side} side
 * @throws {import("./problems.js").Problem}
 */
export async function decodeCaller(context, bytes, name, side) {
  let decoded;
  try {
    decoded = await context.decodeAudioData(bytes);
  } catch {
    throw notAudio(name);
  }
  const { numberOfChannels, length, sampleRate } = decoded;
  if (numberOfChannels === 1) return decoded;
  const sides = { left: [0], right: [1], both: [0, 1] }[side];
  const mono = new AudioBuffer({ numberOfChannels: 1, length, sampleRate });
  const target = mono.getChannelData(0);
  for (const channel of sides) {
    const samples = decoded.getChannelData(channel);
    for (let at = 0; at < length; at++) target[at] += samples[at] / sides.length;
  }
  return mono;
}
