/** The chime before a call: two soft tones, the second a third lower. */

const TONES = [
  { hertz: 659.26, at: 0 },
  { hertz: 523.25, at: 0.28 },
];
const RING_SECONDS = 1.1;
const APART_SECONDS = 1.8;
const LOUDNESS = 0.35;
const SILENCE = new URL("../../sounds/quiet.wav", import.meta.url).href;

export class Chime {
  /** @type {AudioContext | null} */
  #audio = null;
  #free = 0;

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
    this.#audio ??= new AudioContext();
    await this.#audio.resume();
    return true;
  }

  /** Sound once, after those that still sound. */
  ring() {
    const audio = this.#audio;
    if (audio === null || audio.state !== "running") return;
    const start = Math.max(audio.currentTime + 0.02, this.#free);
    this.#free = start + APART_SECONDS;
    for (const { hertz, at } of TONES) {
      const tone = new OscillatorNode(audio, { type: "sine", frequency: hertz });
      const volume = new GainNode(audio, { gain: 0 });
      volume.gain.setValueAtTime(0, start + at);
      volume.gain.linearRampToValueAtTime(LOUDNESS, start + at + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + at + RING_SECONDS);
      tone.connect(volume).connect(audio.destination);
      tone.start(start + at);
      tone.stop(start + at + RING_SECONDS);
    }
  }
}
