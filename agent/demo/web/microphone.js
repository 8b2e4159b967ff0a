/** The microphone as a caller. */

import { insecurePage, microphoneProblem } from "./problems.js";

export class Microphone {
  name = "Microphone";

  /**
   * @param {MediaStream} stream
   * @param {() => void} onLost
   */
  constructor(stream, onLost) {
    this.stream = stream;
    stream.getAudioTracks().forEach((track) => track.addEventListener("ended", onLost));
  }

  /**
   * Ask for the microphone.
   * @param {() => void} onLost   called when it is unplugged or taken back
   * @throws {import("./problems.js").Problem}
   */
  static async open(onLost) {
    if (!navigator.mediaDevices) throw insecurePage();
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    try {
      return new Microphone(await navigator.mediaDevices.getUserMedia({ audio }), onLost);
    } catch (error) {
      throw microphoneProblem(error);
    }
  }

  /** The microphone needs no cue. */
  begin() {}

  /** The microphone needs no turn. */
  botSpeaks() {}

  /** Let the microphone go. */
  close() {
    this.stream.getTracks().forEach((track) => track.stop());
  }
}
