/** What a page sounds like: the chime before a call (two soft tones, the second a third lower), and recorded speech. */

const TONES = [
  { hertz: 659.26, at: 0 },
  { hertz: 523.25, at: 0.28 },
];
const RING_SECONDS = 1.1;
const LOUDNESS = 0.35;
const SILENCE = new URL("../../sounds/quiet.wav", import.meta.url).href;

export class Sound extends EventTarget {
  /** @type {AudioContext | null} */
  #audio = null;

  /** Whether the browser lets sound out now. A `change` event follows when that is over. */
  get ready() {
    return this.#audio?.state === "running";
  }

  /**
   * Get ready to sound; return whether the browser lets us. If not, it wants a touch or a key first: then call it again.
   *
   * It is asked by playing a moment of silence, for an AudioContext that it does not like writes into the console.
   */
  async prepare() {
    try {
      await new Audio(SILENCE).play();
    } catch {
      return false;
    }
    if (this.#audio === null) {
      this.#audio = new AudioContext();
      this.#audio.addEventListener("statechange", () => this.dispatchEvent(new Event("change")));
    }
    await this.#audio.resume();
    return this.ready;
  }

  /** Ring once. Settles when it has rung, at once where nothing may sound. */
  async ring() {
    const audio = this.#audio;
    if (audio === null || !this.ready) return;
    const start = audio.currentTime + 0.02;
    /** @type {OscillatorNode | undefined} */
    let last;
    for (const { hertz, at } of TONES) {
      const tone = new OscillatorNode(audio, { type: "sine", frequency: hertz });
      const volume = new GainNode(audio, { gain: 0 });
      volume.gain.setValueAtTime(0, start + at);
      volume.gain.linearRampToValueAtTime(LOUDNESS, start + at + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + at + RING_SECONDS);
      tone.connect(volume).connect(audio.destination);
      tone.start(start + at);
      tone.stop(start + at + RING_SECONDS);
      last = tone;
    }
    await ended(last, RING_SECONDS + 1);
  }

  /**
   * Play a sound file; return whether it could be.
   *
   * @param {ArrayBuffer} file
   */
  async play(file) {
    const audio = this.#audio;
    if (audio === null || !this.ready) return false;
    try {
      const buffer = await audio.decodeAudioData(file);
      const source = new AudioBufferSourceNode(audio, { buffer });
      source.connect(audio.destination);
      source.start();
      await ended(source, buffer.duration + 1);
      return true;
    } catch {
      return false; // it is no sound
    }
  }
}

/**
 * Settle when something has sounded, or should have: a suspended tab must not hold up whatever follows.
 *
 * @param {AudioScheduledSourceNode | undefined} source
 * @param {number} seconds
 * @returns {Promise<void>}
 */
function ended(source, seconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    source?.addEventListener("ended", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
