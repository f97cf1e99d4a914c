/** The sound of a page: the chime before a call (two soft tones, the second a third lower), and recorded speech. */

const TONES = [
  { hertz: 659.26, at: 0 },
  { hertz: 523.25, at: 0.28 },
];
const RING_SECONDS = 1.1;
const LOUDNESS = 0.35;
const SILENCE = new URL("../../sounds/quiet.wav", import.meta.url).href;

/** Plays sound. Event: `change` when the browser allows sound, or no longer does. */
export class Sound extends EventTarget {
  /** @type {AudioContext | null} */
  #audio = null;

  /** Whether the browser plays sound now. */
  get ready() {
    return this.#audio?.state === "running";
  }

  /**
   * Get ready to play sound. Returns whether the browser allows it; if not, call it again after a touch or a key.
   *
   * It plays a moment of silence first: an AudioContext that the browser does not allow writes a warning into the console.
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

  /** Play the chime. Resolves when it has ended; at once while the browser allows no sound. */
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
   * Play a sound file. Returns whether the browser could play it.
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
      return false; // not a sound file
    }
  }
}

/**
 * Resolve when a sound has ended, or should have ended: in a suspended tab the event may not come.
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
